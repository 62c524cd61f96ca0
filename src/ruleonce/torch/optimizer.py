"""RuleOptimizer: a torch.optim.Optimizer whose step is a rule, compiled."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar  # Any: options of param groups, and what torch leaves open

import torch
from torch import Tensor
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from ..errors import HyperparameterError
from ..language.rule import Rule
from .bundles import Choice, choice_of
from .checkpoints import StateDict, as_saved, plain
from .device_numbers import Number
from .features import Extras, Features
from .kernel_part import Moved
from .plan import Plan
from .planner import Planner, check_engine
from .plans import Plans
from .settings import WORDS, Group, Settings, Word, checked_state_dtype, is_on_device, option
from .slots import Naming, Slot
from .states import Entry, States

_grad = attrgetter("grad")


class RuleOptimizer(torch.optim.Optimizer):
    """A rule as an optimizer of PyTorch, with everything that torch.optim.Optimizer has.

    Each class says which rule its options ask for, and how PyTorch calls the rule's state and
    hyperparameters. The arguments are those of the class of torch.optim, and by keyword:

    engine       "auto": CPU tensors run on the cpu engine, CUDA tensors on the gpu engine, others
                 by the rule itself on tensors. Or "cpu", "gpu", "tensors".
    state_dtype  the dtype of the state; None for that of each parameter. torch.float32 is better
                 for weights of 16 bits.
    max_norm     scale the gradients down so that the norm of all of them together is at most this,
                 as torch.nn.utils.clip_grad_norm_ does, but inside the update: the gradients are
                 read once more, and not written. `gradient_norm` then holds the norm, on the
                 device.
    ema          keep a moving average of the weights, of which a step keeps this share;
                 `with optimizer.average():` puts it in their place

    `foreach` and `fused` choose among PyTorch's implementations; here they change nothing.

    Raises, before anything is written, TensorError and its kinds, SparseGradientError,
    HyperparameterError, EngineError: see ruleonce.errors; and what the class of torch.optim raises.
    """

    state_names: ClassVar[Mapping[str, str]] = {}
    number_names: ClassVar[Mapping[str, Word]] = {}
    has_step: ClassVar[bool] = True

    _saved: StateDict | None = None  # what is being loaded
    _untraced: ClassVar[Any] = None  # `_step` behind a graph break, for what torch.compile traces

    _step_supports_amp_scaling = True  # torch.amp.GradScaler leaves unscaling to the step

    def __init__(
        self,
        params: Any,
        *args: Any,
        engine: str = "auto",
        state_dtype: torch.dtype | None = None,
        max_norm: float | None = None,
        ema: float | None = None,
        **kwargs: Any,
    ) -> None:
        features = Features(max_norm, ema)
        features.check()
        self._settings = Settings(check_engine(engine), checked_state_dtype(state_dtype), features)
        self.gradient_norm: Tensor | None = None
        self._extras = Extras()
        super().__init__(params, *args, **kwargs)
        self._forget()
        if RuleOptimizer._untraced is None:  # torch's own constructor has loaded what this loads
            RuleOptimizer._untraced = torch.compiler.disable(RuleOptimizer._step)  # type: ignore[no-untyped-call]  # torch's

    @property
    def max_norm(self) -> float | None:
        """What the gradients are clipped to."""
        return self._settings.features.max_norm

    def average(self) -> AbstractContextManager[None]:
        """`with optimizer.average():` evaluate the model with the moving average of its weights.

        Raises HyperparameterError if the optimizer was made without `ema`.
        """
        from .training import averaged_weights

        if self._settings.features.ema is None:
            raise HyperparameterError(
                f"there is no average: make the optimizer with one, {type(self).__name__}(..., "
                "ema=0.999)."
            )
        return averaged_weights(self)

    @staticmethod
    def rule_of(group: Group) -> Rule:
        """The rule for the options of a param group."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Nothing is known of the parameters and their state but what `self.state` holds."""
        self._plans = Plans()
        self._slots: dict[int, Slot] = {}
        self._writes = -1

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch has two overloads
        """Take one step. `closure`, if given, computes the loss and the gradients again; its value
        is returned.

        A step that raises has changed nothing. The gradients are only read.
        """
        if torch.compiler.is_compiling():
            untraced: float | None = self._untraced(closure)
            return untraced
        # PyTorch's way through hooks and profiler takes as long as a small step.
        if (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_optimizer_pre_hooks
            or _global_optimizer_post_hooks
            or torch.autograd._profiler_enabled()  # type: ignore[attr-defined]  # as torch's own
        ):
            return _watched_step(self) if closure is None else _watched_step(self, closure)
        return self._step(closure)

    step.hooked = True  # type: ignore[attr-defined]  # so that torch does not wrap it again

    def _step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"]]
        gradients = list(map(_grad, parameters))
        present = [gradient is not None for gradient in gradients]
        if not all(present):
            gradients = [gradient for gradient in gradients if gradient is not None]
        self._update(parameters, present, gradients)
        return loss

    def step_of(self, parameter: Tensor) -> None:
        """Take a step of one parameter alone, as gradient release does."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        self._update(parameters, [p is parameter for p in parameters], [parameter.grad])

    def _update(
        self, parameters: Sequence[Tensor], present: list[bool], gradients: Sequence[Any]
    ) -> None:
        """Update those parameters that are present, by their gradients."""
        found_inf = getattr(self, "found_inf", None)
        grad_scale = getattr(self, "grad_scale", None)
        self._extras = extras = self._settings.features.of_step(gradients, grad_scale, found_inf)
        choices = [self._choice(group) for group in self.param_groups]
        plan = self._known_plan(parameters, present, gradients, choices)
        try:
            plan.prepare(gradients, self._numbers)
        except Moved:
            self._plans.leave()
            self._forget()
            plan = self._known_plan(parameters, present, gradients, choices)
            plan.prepare(gradients, self._numbers)
        plan.run(found_inf)
        self.gradient_norm = extras.norm

    def _known_plan(
        self,
        parameters: Sequence[Tensor],
        present: list[bool],
        gradients: Sequence[Tensor],
        choices: list[Choice],
    ) -> Plan:
        """The plan for these parameters, an old one or a new one."""
        if not isinstance(self.state, States):
            self.state = States(self.state.items())
        if self._writes != self.state.writes.count or self._plans.are_touched:
            self._forget()  # someone has written to the state
            self._writes = self.state.writes.count
        plan = self._plans.find(parameters, present, choices)
        if plan is None:
            with torch.no_grad():
                plan = self._new_plan(parameters, present, gradients, choices)
            self._plans.keep(plan)
            self._writes = self.state.writes.count
        return plan

    def _new_plan(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        gradients: Sequence[Tensor],
        choices: Sequence[Choice],
    ) -> Plan:
        names: list[str] = []
        groups: list[int] = []
        for number, group in enumerate(self.param_groups):
            count = len(group["params"])
            names += group.get("param_names") or [
                f"{place} of param group {number}" for place in range(count)
            ]
            groups += [number] * count

        def slot_of(place: int) -> Slot:
            parameter = parameters[place]
            if id(parameter) not in self._slots:
                entry: Entry = self.state[parameter]
                slot = Slot(parameter, names[place], groups[place], entry)
                slot.t = self._naming.steps_of(entry)
                self._slots[id(parameter)] = slot
            self._slots[id(parameter)].group = groups[place]
            return self._slots[id(parameter)]

        planner = Planner(self._settings.engine, self._naming, self._start)
        return planner.plan(parameters, present, gradients, choices, slot_of)

    def state_dict(self) -> StateDict:
        """The state and the options, in PyTorch's keys and layout; see torch.optim.Optimizer."""
        return plain(super().state_dict())

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Go on from a state dict: ours, or that of the class of torch.optim with the same name.

        Unlike torch.optim, each state keeps the dtype that it was saved in (or gets the optimizer's
        `state_dtype`), and is copied.
        """
        last = self.register_load_state_dict_pre_hook(self._note_saved)
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()
            self._saved = None

    def _note_saved(self, _: torch.optim.Optimizer, state_dict: StateDict) -> None:
        self._saved = state_dict

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = self.__dict__.get("_saved")
        if saved is not None:  # within load_state_dict
            parameters = [p for group in state["param_groups"] for p in group["params"]]
            state = {**state, "state": as_saved(state["state"], saved, parameters)}
        super().__setstate__(state)
        self.__dict__.setdefault("gradient_norm", None)
        self._extras = Extras()
        self._forget()

    @property
    def _naming(self) -> Naming:
        return Naming(self.state_names, self.has_step, self._settings.state_dtype)

    def _choice(self, group: Group) -> Choice:
        extras = self._extras
        rule = extras.combined(self.rule_of(group))
        on_device = extras.are_on_device or is_on_device(group)
        switches = tuple([(name, bool(self._option(group, name))) for name in _switches_of(rule)])
        return choice_of(rule, switches, on_device=on_device)

    def _numbers(self, choice: Choice, number: int) -> list[Number]:
        """The hyperparameters of a rule, as they stand in a param group now."""
        group, added = self.param_groups[number], self._extras.numbers
        return [
            added[name] if name in added else self._option(group, name) for name in choice.numbers
        ]

    def _option(self, group: Group, name: str) -> Any:
        return option(group, self.number_names.get(name) or WORDS.get(name, name))

    def _start(self, slot: Slot, state: str) -> float:
        """Where a state starts."""
        group = self.param_groups[slot.group]
        start = self.rule_of(group).schema.initial.get(state, 0.0)
        return float(self._option(group, start)) if isinstance(start, str) else start


@lru_cache(maxsize=256)
def _switches_of(rule: Rule) -> tuple[str, ...]:
    return tuple(rule.schema.switches)


_watched_step = torch.optim.Optimizer.profile_hook_step(RuleOptimizer._step)
