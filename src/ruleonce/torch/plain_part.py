"""Parameters on a device that no engine has kernels for: the rule itself, on tensors."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..engines.batch import Inputs, no_numbers
from ..formats import Format
from ..language.graph import evaluate
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
        self._program = program
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
        scalars = self._program.scalars
        for row in set(self._rows):
            named = dict(zip(self._program.step_inputs, inputs[row], strict=True))
            try:
                found = evaluate((*scalars.values(), *self._program.host), named, torch, float)
                self.scalars[row] = tuple(map(float, found))[: len(scalars)]
            except (ArithmeticError, ValueError, TypeError) as error:
                raise no_numbers(self._program, inputs[row], error) from error
        self._gradients, self._inputs = gradients, inputs

    @torch.no_grad()
    def run(self) -> None:
        """Compute and write, one parameter after another."""
        for slot, gradient, states, row in zip(
            self.slots, self._gradients, self._states, self._rows, strict=True
        ):
            weights, dw = local(slot.parameter), local_gradient(gradient, slot.parameter)
            tensors = [weights, dw, *map(local, states)]
            self._one([_real(x) for x in tensors], row)
        self._gradients = []

    def _one(self, tensors: Sequence[Tensor], row: int) -> None:
        program, device = self._program, tensors[0].device
        values: dict[str, object] = dict(zip(program.step_inputs, self._inputs[row], strict=True))
        for name, tensor in zip(program.tensors, tensors, strict=True):
            values[name] = tensor.to(self._dtype)

        def rounded(value: float | bool) -> Tensor:
            dtype = torch.bool if isinstance(value, bool) else self._dtype
            return torch.full((), value, dtype=dtype, device=device)

        kept: Mapping[str, Tensor] = dict(zip(program.tensors, tensors, strict=True))
        names = list(program.written)
        found = evaluate(program.written.values(), values, torch, rounded)
        # A rule may hand one tensor on as another: none is written before all are known.
        new = [value.clone() if any(value is x for x in tensors) else value for value in found]
        for name, value in zip(names, new, strict=True):
            kept[name].copy_(value)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
