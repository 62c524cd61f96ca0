"""Gradient release: training with less memory."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import HyperparameterError, StructureError
from .optimizer import RuleOptimizer


def release_gradients(model: torch.nn.Module, optimizer: RuleOptimizer) -> Callable[[], None]:
    """Update each parameter inside `backward`, as soon as its gradient is there, and free that.

    Gradients of the whole model are then never in memory together. `optimizer.step()` has nothing
    left to do, and may stay in the loop. The function that is returned ends it.

    It does not go together with what needs all gradients at once: accumulating them over several
    backward passes, clipping by their norm (`max_norm`), a rule with a `total` of all parameters,
    torch.amp.GradScaler, and DistributedDataParallel, which averages them later.

    Raises HyperparameterError if the optimizer has `max_norm`, or a rule with a `total` of all
    parameters; StructureError if a parameter of the model that needs a gradient is not in the
    optimizer.
    """
    if not isinstance(optimizer, RuleOptimizer):
        raise StructureError(
            f"release_gradients takes an optimizer of ruleonce.torch; found {type(optimizer)!r}."
        )
    if optimizer.max_norm is not None:
        raise HyperparameterError(
            f"max_norm={optimizer.max_norm!r} needs the gradients of all parameters at once, and "
            "release_gradients frees each as soon as it is there. Leave one of them out; clipping "
            "by value inside the model's hooks is possible."
        )
    for group in optimizer.param_groups:
        program = optimizer._choice(group).program
        if program.has_totals:
            raise HyperparameterError(
                f"{program.name} uses {program.totals[0]!r}, a sum over all parameters, and "
                "release_gradients steps each alone, as soon as its gradient is there. Leave out "
                "release_gradients, or choose a rule without total()."
            )
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in known:
            raise StructureError(
                f"the parameter {name} of the model is not in the optimizer: its gradient would be "
                "computed for nothing. Add it to the optimizer, or call "
                "requires_grad_(False) on it."
            )

    def update(parameter: Tensor) -> None:
        optimizer.step_of(parameter)
        parameter.grad = None

    optimizer.releases_gradients = True

    handles = [
        parameter.register_post_accumulate_grad_hook(update)  # type: ignore[no-untyped-call]  # torch's
        for parameter in model.parameters()
        if parameter.requires_grad
    ]

    def end() -> None:
        for handle in handles:
            handle.remove()
        optimizer.releases_gradients = False

    return end
