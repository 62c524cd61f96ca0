"""Parameters on a device that no engine has kernels for: the rule itself, on tensors."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan

import torch
from torch import Tensor

from ..engines.batch import Inputs, no_numbers
from ..formats import Format
from ..language import ops
from ..language.graph import Node, evaluate
from ..language.program import Program
from .kernel_part import Moved
from .layout import DTYPES, check_gradient, length, local, local_gradient
from .slots import Slot
from .whole import Whole

Known = Mapping[Node, Tensor | float]  # sums of whole tensors and of all of them, sizes


class PlainPart:
    """Parameters that are updated one by one, by PyTorch's own operations."""

    def __init__(
        self,
        slots: Sequence[Slot],
        states: Sequence[Sequence[Tensor]],
        gradients: Sequence[Tensor],
        rows: Sequence[int],
        program: Program,
        computed: Format,
    ) -> None:
        self.slots = slots
        self._states = states
        self._rows = rows
        self.program = program
        parameters = [slot.parameter for slot in slots]
        is_divided = bool(program.measured) and any(hasattr(p, "to_local") for p in parameters)
        self._whole = Whole(parameters) if is_divided else None
        self.passes = len(program.passes) if program.has_totals or is_divided else 1
        self._known: list[dict[Node, Tensor | float]] = []
        self._dtype = DTYPES[computed]
        self._kinds = self._kinds_of(gradients)
        self._gradients: Sequence[Tensor] = []
        self._inputs: Inputs = []
        self.scalars: dict[int, tuple[float, ...]] = {}

    @property
    def written(self) -> list[Tensor]:
        """Nothing that has an address."""
        return []

    def _kinds_of(self, gradients: Sequence[Tensor]) -> list[object]:
        return [
            (slot.parameter.shape, slot.parameter.dtype, gradient.dtype)
            for slot, gradient in zip(self.slots, gradients, strict=True)
        ]

    def prepare(self, gradients: Sequence[Tensor], inputs: Inputs) -> None:
        """Take the step's numbers; the scalar state is computed here."""
        for slot, gradient in zip(self.slots, gradients, strict=True):
            check_gradient(gradient, slot.parameter, slot.name)
        if self._kinds_of(gradients) != self._kinds:
            raise Moved
        scalars = {
            name: node for name, node in self.program.scalars.items() if not node.is_measured
        }
        for row in set(self._rows):
            named = dict(zip(self.program.step_inputs, inputs[row], strict=True))
            try:
                found = evaluate((*scalars.values(), *self.program.host), named, torch, float)
                new = dict(zip(scalars, list(map(float, found)), strict=False))
                self.scalars[row] = tuple(new.get(name, nan) for name in self.program.scalars)
            except (ArithmeticError, ValueError, TypeError) as error:
                raise no_numbers(self.program, inputs[row], error) from error
        self._gradients, self._inputs = gradients, inputs
        self._known = [self._known_of(slot.parameter) for slot in self.slots]

    def measure(self, number: int) -> Tensor:
        """What these tensors add to each total that is known after a pass."""
        if self._whole is not None:
            self._add_up(self._whole, self.program.passes[number].sums)
        sums = [node.args[0] for node in self._totals_of(number)]
        shares = [self._evaluated(sums, *one) for one in self._all()]
        device = self.slots[0].parameter.device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        # A size is a number of Python's; a pass may have no total at all.
        found = [sum(column) for column in zip(*shares, strict=True)]
        columns = [torch.as_tensor(x, dtype=dtype, device=device) for x in found]
        return torch.stack(columns) if columns else torch.zeros(0, dtype=dtype, device=device)

    def learn(self, number: int, totals: Tensor) -> None:
        """Take the totals of all tensors after a pass."""
        for known in self._known:
            known |= dict(zip(self._totals_of(number), totals, strict=True))

    @torch.no_grad()
    def run(self) -> None:
        """Compute and write, one parameter after another."""
        for one in self._all():
            self._one(*one)
        self._gradients = []

    def _all(self) -> Iterator[tuple[list[Tensor], int, Known]]:
        """The tensors of each parameter, the row of its numbers, and what is known of it."""
        for slot, gradient, states, row, known in zip(
            self.slots, self._gradients, self._states, self._rows, self._known, strict=True
        ):
            weights, dw = local(slot.parameter), local_gradient(gradient, slot.parameter)
            yield [_real(x) for x in (weights, dw, *map(local, states))], row, known

    def _known_of(self, parameter: Tensor) -> dict[Node, Tensor | float]:
        """What cannot be seen of a tensor by its part in this process, before any pass."""
        if self._whole is None:
            return {}
        return {x: float(length(parameter)) for x in self.program.measured if x.op is ops.SIZE}

    def _add_up(self, whole: Whole, sums: Sequence[Node]) -> None:
        """Note the sums of whole tensors, of which others hold parts."""
        if sums:
            parts = [torch.stack(self._evaluated(sums, *one)) for one in self._all()]
            for known, row in zip(self._known, whole(torch.stack(parts)), strict=True):
                known |= dict(zip(sums, row, strict=True))

    def _totals_of(self, number: int) -> list[Node]:
        known = (node for node in self.program.measured if node.op is ops.TOTAL)
        return [node for node in known if node.level == number + 1]

    def _evaluated(
        self, nodes: Sequence[Node], tensors: Sequence[Tensor], row: int, known: Known
    ) -> list[Tensor]:
        program, device = self.program, tensors[0].device
        values: dict[str, object] = dict(zip(program.step_inputs, self._inputs[row], strict=True))
        for name, tensor in zip(program.tensors, tensors, strict=True):
            values[name] = tensor.to(self._dtype)

        def rounded(value: float | bool | Tensor) -> Tensor:
            if isinstance(value, Tensor):
                return value.to(device, self._dtype)
            dtype = torch.bool if isinstance(value, bool) else self._dtype
            return torch.full((), value, dtype=dtype, device=device)

        return evaluate(nodes, values, torch, rounded, known)

    def _one(self, tensors: Sequence[Tensor], row: int, known: Known) -> None:
        program = self.program
        measured = [program.scalars[name] for name in program.measured_scalars]
        kept: Mapping[str, Tensor] = dict(zip(program.tensors, tensors, strict=True))
        names = list(program.written)
        found = self._evaluated([*program.written.values(), *measured], tensors, row, known)
        scalars = dict(zip(program.measured_scalars, found[len(names) :], strict=True))
        if scalars:  # this waits for the device
            numbers = dict(zip(program.scalars, self.scalars[row], strict=True))
            numbers |= {name: float(value) for name, value in scalars.items()}
            self.scalars[row] = tuple(numbers.values())
        # A rule may hand one tensor on as another: none is written before all are known.
        found = found[: len(names)]
        new = [value.clone() if any(value is x for x in tensors) else value for value in found]
        for name, value in zip(names, new, strict=True):
            kept[name].copy_(value)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
