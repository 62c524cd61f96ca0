"""RuleOptimizer: a torch.optim.Optimizer whose step is a rule, compiled."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar  # Any: options of param groups, and what torch leaves open

import torch
from torch import Tensor
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from ..formats import Formats
from ..formats.choice import Choice as FormatChoice
from .averages import Averaging, average_others
from .bundles import Choice
from .carrying import NOWHERE, Carrier
from .checkpoints import Checkpoints
from .choosing import Choosing
from .contents import Contents
from .features import Features
from .held import set_weights
from .kernel_part import Moved
from .layout import local, local_like
from .plan import Plan
from .planner import Planner, check_engine
from .plans import GivenTwice, Plans
from .settings import Settings, checked_state_dtype, labels_of
from .slots import Slot
from .states import States, Writes
from .storing import Storing

_grad = attrgetter("grad")


class RuleOptimizer(Contents, Checkpoints, Averaging, Choosing):
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
    formats      how state is stored in fewer bytes: "8bit"; or state -> format, such as {"exp_avg":
                 "int8", "w": "bfloat16+8"}, by PyTorch's names or those of the rule; or a
                 ruleonce.formats.Choice, which says for which parameters too. State that is not
                 named is then float32 for weights of 16 bits. It needs the engine cpu or gpu.

    `foreach` and `fused` choose among PyTorch's implementations; here they change nothing.

    Raises, before anything is written, TensorError and its kinds, SparseGradientError,
    HyperparameterError, EngineError: see ruleonce.errors; and what the class of torch.optim raises.
    """

    releases_gradients: bool = False  # see training.release_gradients
    gradient_norm: Tensor | None = None  # of the last step, before clipping; with max_norm

    _untraced: ClassVar[Any] = None  # `_step` behind a graph break, for what torch.compile traces

    _carrier: Carrier = NOWHERE  # see offload.offload

    _step_supports_amp_scaling = True  # torch.amp.GradScaler leaves unscaling to the step

    def __init__(
        self,
        params: Any,
        *args: Any,
        engine: str = "auto",
        state_dtype: torch.dtype | None = None,
        max_norm: float | None = None,
        ema: float | None = None,
        formats: Formats | FormatChoice | None = None,
        **kwargs: Any,
    ) -> None:
        features = Features(max_norm, ema)
        features.check()
        storing = None if formats is None else Storing(formats, self.state_names)
        self._settings = Settings(
            check_engine(engine), checked_state_dtype(state_dtype), features, storing
        )
        super().__init__(params, *args, **kwargs)
        self._forget()
        if storing is not None:
            self._check_formats(storing)
        if RuleOptimizer._untraced is None:  # torch's own constructor has loaded what this loads
            RuleOptimizer._untraced = torch.compiler.disable(RuleOptimizer._step)  # type: ignore[no-untyped-call]  # torch's

    @property
    def max_norm(self) -> float | None:
        """What the gradients are clipped to."""
        return self._settings.features.max_norm

    def _check_formats(self, storing: Storing) -> None:
        parameters = [p for group in self.param_groups for p in group["params"]]
        for group in self.param_groups:
            choice = self._choice(group)
            storing.check_weights(choice.rule, choice.formats, parameters)
            if self._settings.engine == "tensors" or choice.program.has_matrices:
                storing.check_no_parts(choice.program.name, choice.formats)

    def _forget(self) -> None:
        """Nothing is known of the parameters and their state but what `self.state` holds."""
        self._plans = Plans()
        self._slots: dict[int, Slot] = {}
        self._seen: tuple[Writes | None, int] = (None, 0)

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
        try:
            self._update(parameters, present, gradients)
        except GivenTwice:
            self._update_in_turn(parameters, present)
        return loss

    def _update_in_turn(self, parameters: Sequence[Tensor], present: list[bool]) -> None:
        """Where a parameter was given twice: it takes two steps, one after the other, as it does
        in PyTorch.
        """
        times = [sum(q is p for q in parameters[:place]) for place, p in enumerate(parameters)]
        for turn in range(max(times) + 1):
            mine = [has and time == turn for has, time in zip(present, times, strict=True)]
            gradients = [p.grad for p, has in zip(parameters, mine, strict=True) if has]
            self._update(parameters, mine, gradients)

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
        self._settings.features.check_step(found_inf, releases=self.releases_gradients)
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
        if not plan.is_published:
            plan.publish(self._states)
        plan.run(found_inf)
        self.gradient_norm = extras.norm
        if self.ema is not None and not self.releases_gradients and not all(present):
            absent = [p for p, has in zip(parameters, present, strict=True) if not has]
            average_others(self.state, self._held_in, absent, self.ema)

    @property
    def _states(self) -> States:
        """The state, in dictionaries that say when someone has written to them."""
        if not isinstance(self.state, States):
            self.state = States(self.state.items())
        return self.state

    def _known_plan(
        self,
        parameters: Sequence[Tensor],
        present: list[bool],
        gradients: Sequence[Tensor],
        choices: list[Choice],
    ) -> Plan:
        """The plan for these parameters, an old one or a new one."""
        states = self._states
        if self._seen != (states.writes, states.writes.count) or self._plans.are_touched(states):
            self._forget()  # someone has written to the state
            self._seen = (states.writes, states.writes.count)
        sizes = [len(group["params"]) for group in self.param_groups]
        plan = self._plans.find(parameters, present, choices, sizes)
        if plan is None:
            # What is made now may outlive an inference_mode that the step is in.
            with torch.inference_mode(False), torch.no_grad():
                plan = self._new_plan(parameters, present, gradients, choices, sizes)
            self._plans.keep(plan)
            self._seen = (states.writes, states.writes.count)
        return plan

    def _new_plan(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        gradients: Sequence[Tensor],
        choices: Sequence[Choice],
        sizes: Sequence[int],
    ) -> Plan:
        some = [p for p, has in zip(parameters, present, strict=True) if has]
        if len(set(some)) < len(some):
            raise GivenTwice
        settings = self._settings
        planner = Planner(
            settings.engine, self._naming, self._start, settings.storing, self._carrier
        )
        slot_of = self._slots_by_place(parameters)
        return planner.plan(parameters, present, gradients, choices, slot_of, sizes)

    def _slots_by_place(self, parameters: Sequence[Tensor]) -> Callable[[int], Slot]:
        """The slots of parameters, by their places among all; made as they are asked for."""
        labels = labels_of(self.param_groups)
        names: list[str] = []
        groups: list[int] = []
        for number, group in enumerate(self.param_groups):
            count = len(group["params"])
            named = group.get("param_names") or []
            unnamed = range(len(named), count)
            names += [*named[:count], *(f"{place} of param group {number}" for place in unnamed)]
            groups += [number] * count

        def slot_of(place: int) -> Slot:
            parameter = parameters[place]
            if id(parameter) not in self._slots:
                found = self._states.get(parameter)
                entry = self._states.new_entry() if found is None else found
                slot = Slot(parameter, names[place], labels[place], groups[place], entry)
                slot.held = self._held_in(entry)
                slot.t = self._naming.steps_of(entry)
                self._slots[id(parameter)] = slot
            slot = self._slots[id(parameter)]
            slot.group = groups[place]
            if not self.has_step:  # a state that a changed option asks for may be new
                slot.t = self._naming.steps_of(slot.entry)
            return slot

        return slot_of

    def _set_masters(self, masters: Mapping[Tensor, Tensor]) -> None:
        choices = [self._choice(group) for group in self.param_groups]
        storing = self._settings.storing
        self._plans.leave()
        self._forget()
        slot_of = self._slots_by_place(list(masters))
        for place, (parameter, values) in enumerate(masters.items()):
            slot = slot_of(place)
            choice = choices[slot.group]
            if storing is not None:
                storing.settle(slot, choice.rule, choice.formats)
            storage = slot.storages.get(choice.rule.schema.weights)
            if storage is None:
                local(parameter).copy_(local_like(values, parameter))
                continue
            set_weights(slot, storage, local_like(values, parameter))
            self._states.quietly(parameter, slot.entry)


_watched_step = torch.optim.Optimizer.profile_hook_step(RuleOptimizer._step)
