"""The numbers of a step where they live on the device: nothing is read back, and a CUDA graph that
was captured once goes on counting.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..engines.gpu_table import is_capturing, keep, upload
from ..errors import EngineError

Number = float | Tensor


class DeviceNumbers:
    """The inputs of a step, float64: a row for each set of parameters that share their numbers.

    tensor   [rows, len(Program.step_inputs)]; the last column is t. Scalar state stands in its
             columns, and the kernel that computes the numbers writes it there.
    """

    def __init__(
        self, rows: Sequence[tuple[Sequence[float], float]], numbers: int, device: torch.device
    ) -> None:
        start = [[*[0.0] * numbers, *scalars, t] for scalars, t in rows]
        self.tensor = torch.tensor(start, dtype=torch.float64, device=device)
        self._numbers = numbers
        self._known: list[tuple[float | None, ...]] = [() for _ in rows]
        self._t = self.tensor[:, -1]
        self._one = torch.ones((), dtype=torch.float64, device=device)
        self._counted = self.tensor[:, numbers:]
        self._before = self._counted.clone()

    def update(self, row: int, values: Sequence[Number]) -> None:
        """Take over the hyperparameters of a row: numbers where they changed, tensors always."""
        known = tuple(None if isinstance(value, Tensor) else float(value) for value in values)
        if known != self._known[row]:
            if is_capturing(self.tensor.device):
                raise EngineError(
                    "a number of the step has changed since the last step before this CUDA graph "
                    f"is captured: it is {known}, it was {self._known[row]}. A graph would keep it "
                    "for ever. Set it before the warm-up, or give it as a tensor on the device."
                )
            floats = torch.tensor([0.0 if x is None else x for x in known], dtype=torch.float64)
            upload(floats, self.tensor[row, : self._numbers])
            self._known[row] = known
        for place, value in enumerate(values):
            if isinstance(value, Tensor):
                self.tensor[row, place].copy_(value.reshape(()), non_blocking=True)

    def count(self) -> None:
        """One step more."""
        if is_capturing(self.tensor.device):
            keep(self._one, self._before)
        self._t.add_(self._one)

    def begin(self) -> None:
        """One step more, which may yet be given up."""
        self._before.copy_(self._counted)
        self.count()

    def give_up(self) -> None:
        """The step that was begun is not taken: count and scalar state are what they were."""
        self._counted.copy_(self._before)

    def uncount(self, found_inf: Tensor) -> None:
        """No step more, where `found_inf` is 1."""
        self._t.sub_(found_inf.reshape(()))

    def counted(self, row: int) -> tuple[int, tuple[float, ...]]:
        """The step count and the scalar state of a row: this waits for the device."""
        *scalars, t = self._counted[row].tolist()
        return int(t), tuple(scalars)

    def scalar(self, row: int, place: int) -> Tensor:
        """One scalar state of a row, on the device."""
        return self.tensor[row, self._numbers + place]
