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
from .layout import DTYPES, check_gradient, local, local_gradient
from .slots import Slot


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
        self.passes = len(program.passes) if program.has_totals else 1
        self._totals: dict[Node, Tensor] = {}
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
        self._totals = {}

    def measure(self, number: int) -> Tensor:
        """What these tensors add to each total that is known after a pass."""
        sums = [node.args[0] for node in self._totals_of(number)]
        shares = [self._evaluated(sums, tensors, row) for tensors, row in self._all()]
        device = self.slots[0].parameter.device
        dtype = torch.float32 if device.type == "mps" else torch.float64
        # A size is a number of Python's; a pass may have no total at all.
        found = [sum(column) for column in zip(*shares, strict=True)]
        columns = [torch.as_tensor(x, dtype=dtype, device=device) for x in found]
        return torch.stack(columns) if columns else torch.zeros(0, dtype=dtype, device=device)

    def learn(self, number: int, totals: Tensor) -> None:
        """Take the totals of all tensors after a pass."""
        self._totals |= dict(zip(self._totals_of(number), totals, strict=True))

    @torch.no_grad()
    def run(self) -> None:
        """Compute and write, one parameter after another."""
        for tensors, row in self._all():
            self._one(tensors, row)
        self._gradients = []

    def _all(self) -> Iterator[tuple[list[Tensor], int]]:
        """The tensors of each parameter, and the row of its numbers."""
        for slot, gradient, states, row in zip(
            self.slots, self._gradients, self._states, self._rows, strict=True
        ):
            weights, dw = local(slot.parameter), local_gradient(gradient, slot.parameter)
            yield [_real(x) for x in (weights, dw, *map(local, states))], row

    def _totals_of(self, number: int) -> list[Node]:
        known = (node for node in self.program.measured if node.op is ops.TOTAL)
        return [node for node in known if node.level == number + 1]

    def _evaluated(
        self, nodes: Sequence[Node], tensors: Sequence[Tensor], row: int
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

        return evaluate(nodes, values, torch, rounded, self._totals)

    def _one(self, tensors: Sequence[Tensor], row: int) -> None:
        program = self.program
        measured = [program.scalars[name] for name in program.measured_scalars]
        kept: Mapping[str, Tensor] = dict(zip(program.tensors, tensors, strict=True))
        names = list(program.written)
        found = self._evaluated([*program.written.values(), *measured], tensors, row)
        scalars = dict(zip(program.measured_scalars, found[len(names) :], strict=True))
        if scalars:  # this waits for the device
            known = dict(zip(program.scalars, self.scalars[row], strict=True))
            known |= {name: float(value) for name, value in scalars.items()}
            self.scalars[row] = tuple(known.values())
        # A rule may hand one tensor on as another: none is written before all are known.
        found = found[: len(names)]
        new = [value.clone() if any(value is x for x in tensors) else value for value in found]
        for name, value in zip(names, new, strict=True):
            kept[name].copy_(value)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
