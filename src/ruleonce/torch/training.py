"""Two ways to train with less memory, or to better weights: gradient release, and averaging."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..combinators import averaged
from ..errors import HyperparameterError, StructureError
from ..language.graph import evaluate
from ..language.rule import rule
from .layout import local
from .optimizer import RuleOptimizer
from .slots import AVERAGE


def release_gradients(model: torch.nn.Module, optimizer: RuleOptimizer) -> Callable[[], None]:
    """Update each parameter inside `backward`, as soon as its gradient is there, and free that.

    Gradients of the whole model are then never in memory together. `optimizer.step()` has nothing
    left to do, and may stay in the loop. The function that is returned ends it.

    It does not go together with what needs all gradients at once: accumulating them over several
    backward passes, clipping by their norm (`max_norm`), torch.amp.GradScaler, and
    DistributedDataParallel, which averages them later.

    Raises HyperparameterError if the optimizer has `max_norm`, StructureError if a parameter of the
    model that needs a gradient is not in the optimizer.
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


_still = rule(lambda w, _: w)


@torch.no_grad()
def average_without_gradient(optimizer: RuleOptimizer, parameters: Iterable[Tensor]) -> None:
    """Have the averages of parameters that a step leaves out go on towards them."""
    program, decay = averaged(_still).program(), optimizer.ema
    for parameter in parameters:
        entry = optimizer.state.get(parameter, {})
        if AVERAGE in entry:
            average, weights = local(entry[AVERAGE]), local(parameter)
            values = {"w": weights.to(average.dtype), AVERAGE: average, "average_decay": decay}
            average.copy_(*evaluate([program.outputs[AVERAGE]], values, torch, float))


@contextmanager
def averaged_weights(optimizer: RuleOptimizer) -> Iterator[None]:
    """Put the moving average of the weights in their place; afterwards they are back."""
    pairs = [
        (local(parameter), local(optimizer.state[parameter][AVERAGE]))
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter in optimizer.state and AVERAGE in optimizer.state[parameter]
    ]
    with torch.no_grad():
        kept = [weights.clone() for weights, _ in pairs]
        for weights, average in pairs:
            weights.copy_(average)
    try:
        yield
    finally:
        with torch.no_grad():
            for (weights, _), own in zip(pairs, kept, strict=True):
                weights.copy_(own)
