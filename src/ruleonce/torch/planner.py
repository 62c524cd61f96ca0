"""Make a plan: sort the parameters that have a gradient into parts, one for each kernel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..engines.batch import Batch
from ..errors import EngineError, TensorError
from ..formats import Format, computed_in, stored_program, stored_tensors
from ..language import ops
from ..language.hyperparameters import nearest
from ..language.program import Program
from .bundles import Bundle, Choice, DeviceBundle, Part, Row
from .calls import ENGINES, call_of, engine_of
from .carrying import NOWHERE, Carrier
from .completion import complete
from .held import check_held
from .kernel_part import KernelPart
from .layout import (
    check_gradient,
    check_weights,
    format_of,
    length,
    local,
    local_gradient,
    span,
)
from .plain_part import PlainPart
from .plan import Plan
from .slots import WEIGHTS, Naming, Slot, Start
from .storing import Storing

CHOICES = ("auto", "cpu", "gpu", "tensors")


def check_engine(name: str) -> str:
    """The name of an engine; raises EngineError for one that there is not."""
    if name not in CHOICES:
        raise EngineError(f"there is no engine {name!r}{nearest(name, CHOICES)}")
    return name


@dataclass(frozen=True)
class Planner:
    """What plans of an optimizer have in common.

    engine   one of CHOICES
    naming   how the optimizer's class calls the state
    start    (slot, state) -> where a new state starts
    storing  what was asked for by `formats=`
    carrier  of gradients and weights, if they lie elsewhere
    """

    engine: str
    naming: Naming
    start: Start
    storing: Storing | None = None
    carrier: Carrier = NOWHERE

    def plan(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        gradients: Sequence[Tensor],
        choices: Sequence[Choice],
        slot_of: Callable[[int], Slot],
        sizes: Sequence[int],
    ) -> Plan:
        """A plan for the parameters that have a gradient.

        gradients   of those parameters that have one: where `present` says so
        choices     for each param group
        slot_of     the place of a parameter -> its slot
        sizes       of the param groups

        Raises TensorError and its kinds, before any state is made.
        """
        slots = [slot_of(place) for place, has in enumerate(present) if has]
        for slot, gradient in zip(slots, gradients, strict=True):
            program = choices[slot.group].program
            self._engine(slot.parameter, program)
            if program.has_matrices:
                _check_matrix(slot)
            check_weights(local(slot.parameter), slot.name)
            # As a whole: a DTensor may be divided otherwise than its weights, until it is read.
            check_gradient(gradient, slot.parameter, slot.name)
            for name in choices[slot.group].rule.state:
                check_held(slot, self.naming.key(name))
            check_held(slot, WEIGHTS)
            if self.storing is not None:
                self._settle(slot, choices[slot.group], self.storing)
        for slot in slots:
            device = slot.parameter.device
            choice = choices[slot.group]
            on_device = self._engine(slot.parameter, choice.program) == "gpu" and (
                choice.on_device or bool(choice.program.measured_scalars)
            )
            slot.numbers_on = device if on_device else None
        complete(slots, lambda slot: choices[slot.group].rule, self.naming, self.start)
        kinds: dict[tuple[object, ...], list[int]] = {}
        for place, wave in enumerate(_waves(slots)):
            chunk = self.carrier.chunk_of(slots[place].parameter)
            kind = self._kind(slots[place], gradients[place], choices)
            kinds.setdefault((wave, chunk, *kind), []).append(place)
        bundles = [
            self._bundle(slots, gradients, choices, places)
            for _, places in sorted(kinds.items(), key=lambda kind: (kind[0][0], kind[1]))
        ]
        return Plan(parameters, present, choices, slots, bundles, sizes, self.carrier)

    def _kind(self, slot: Slot, gradient: Tensor, choices: Sequence[Choice]) -> tuple[object, ...]:
        choice = choices[slot.group]
        device = slot.parameter.device
        engine = self._engine(slot.parameter, choice.program)
        formats = self._formats(slot, gradient, choice)
        return choice, device, engine, tuple(formats.items()), tuple(slot.storages.items())

    def _formats(self, slot: Slot, gradient: Tensor, choice: Choice) -> dict[str, Format]:
        tensors = stored_tensors(choice.rule.schema.tensors, slot.storages)
        states = self._states(slot, choice)
        dtypes = [slot.parameter.dtype, gradient.dtype, *(x.dtype for x in states)]
        parts = {n: f for name, how in slot.storages.items() for n, f in how.forms(name).items()}
        return {
            name: parts.get(name) or format_of(dtype, f"the state of {slot.name}")
            for name, dtype in zip(tensors, dtypes, strict=True)
        }

    def _states(self, slot: Slot, choice: Choice) -> list[Tensor]:
        """The tensors that stand beside the weights and the gradient, as the program has them."""
        weights, _, *states = choice.rule.schema.tensors
        keys: list[str] = []
        if weights in slot.storages:
            keys += slot.storages[weights].names(WEIGHTS)[1:]
        for name in states:
            key = self.naming.key(name)
            keys += slot.storages[name].names(key) if name in slot.storages else (key,)
        return [slot.entry[key] for key in keys]

    def _settle(self, slot: Slot, choice: Choice, storing: Storing) -> None:
        """Say in a slot how its tensors are kept, if an engine can do that."""
        storing.settle(slot, choice.rule, choice.formats)
        if slot.storages and self._engine(slot.parameter, choice.program) == "tensors":
            raise EngineError(
                f"{slot.name}: {', '.join(slot.storages)} of {choice.program.name} cannot be "
                f"stored in parts on {slot.parameter.device}: that is done by the kernels of the "
                "engines cpu and gpu, and this step is done by operations on tensors. Leave out "
                "formats=, or exempt the parameter: Choice(..., full=[...])."
            )

    def _engine(self, parameter: Tensor, program: Program) -> str:
        device = parameter.device
        if self.engine == "cpu" and device.type != "cpu":
            raise EngineError(
                f"engine='cpu' is for tensors on the CPU; a parameter is on {device}. Leave the "
                "argument out: each device then has the engine that is made for it."
            )
        if self.engine != "auto":
            return self.engine
        if program.has_matrices:
            return "tensors"
        return engine_of(parameter)

    def _bundle(
        self,
        slots: Sequence[Slot],
        gradients: Sequence[Tensor],
        choices: Sequence[Choice],
        places: list[int],
    ) -> Bundle:
        mine = [slots[place] for place in places]
        choice = choices[mine[0].group]
        rows: dict[tuple[object, ...], Row] = {}
        row_of = []
        for slot in mine:
            scalars = tuple(slot.scalars[name] for name in choice.rule.scalars)
            key = (slot.group, slot.t, scalars)
            row = rows.setdefault(key, Row(slot.group, slot.t, scalars, []))
            row.slots.append(slot)
            row_of.append(row)
        numbers = {id(row): number for number, row in enumerate(rows.values())}
        part = self._part(
            mine,
            [gradients[place] for place in places],
            choice,
            [numbers[id(row)] for row in row_of],
        )
        kept = list(rows.values())
        if isinstance(part, KernelPart) and mine[0].numbers_on is not None:
            return DeviceBundle(choice, part, kept, places, self.naming)
        return Bundle(choice, part, kept, places, self.naming)

    def _part(
        self, slots: Sequence[Slot], gradients: Sequence[Tensor], choice: Choice, rows: list[int]
    ) -> Part:
        program, storages = choice.program, slots[0].storages
        formats = self._formats(slots[0], gradients[0], choice)
        states = [[local(x) for x in self._states(slot, choice)] for slot in slots]
        weights = [local(slot.parameter) for slot in slots]
        device = slots[0].parameter.device
        engine = self._engine(slots[0].parameter, program)
        if engine == "tensors":
            computed = computed_in(formats.values())
            return PlainPart(slots, states, gradients, rows, program, computed)
        if storages:
            program = stored_program(program, storages)
        sizes = [length(slot.parameter) for slot in slots]
        batch = Batch(program, formats, list(map(length, weights)), rows, sizes)
        shards = [
            local_gradient(gradient, slot.parameter)
            for gradient, slot in zip(gradients, slots, strict=True)
        ]
        return KernelPart(slots, states, shards, call_of(engine, batch, device))


def _check_matrix(slot: Slot) -> None:
    """Raise TensorError for a parameter that a rule on matrices cannot take as a whole."""
    ops.matrix(slot.parameter)
    if slot.parameter.is_complex() or hasattr(slot.parameter, "to_local"):
        kind = "complex" if slot.parameter.is_complex() else "divided among processes"
        raise TensorError(
            f"{slot.name} is {kind}; a rule that multiplies matrices takes real ones, whole in "
            "their process. Give the parameter to another rule."
        )


def _waves(slots: Sequence[Slot]) -> list[int]:
    """For each slot, after how many others it has to come, since they share memory: parameters
    that are tied are updated one after the other, as PyTorch does.
    """
    spans = sorted(
        (*span(local(slot.parameter)), place)
        for place, slot in enumerate(slots)
        if type(local(slot.parameter)) is Tensor
        and slot.parameter.device.type in ENGINES
        and slot.parameter.numel()
    )
    waves = [0] * len(slots)
    reached: list[tuple[int, int]] = []  # (end, place) of the parameters that may reach further
    for start, end, place in spans:
        reached = [(e, i) for e, i in reached if e > start]
        for _, other in sorted(reached, key=lambda item: item[1]):
            later, earlier = max(place, other), min(place, other)
            waves[later] = max(waves[later], waves[earlier] + 1)
        reached.append((end, place))
    return waves
