"""Numbers of which each parameter has its own, though they change together: the step count, and the
scalar state of a rule.

PyTorch keeps them as one tensor a parameter. To add 1 to each of a thousand takes longer than the
step itself, so here they are views of one tensor, which is changed as a whole.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class Column:
    """One number for each of some parameters.

    tensor   all of them; `view(place)` is the one of a parameter
    """

    def __init__(self, values: Sequence[float], dtype: torch.dtype, device: torch.device) -> None:
        self.tensor = torch.tensor(values, dtype=dtype, device=device)
        self._one = torch.ones_like(self.tensor[:1])  # adding a Python number takes longer
        self._version = self.tensor._version

    def view(self, place: int) -> Tensor:
        """The number of one parameter, of no dimensions."""
        return self.tensor[place]

    @property
    def is_touched(self) -> bool:
        """Whether someone else has written to it, or to one of its views."""
        return self.tensor._version != self._version

    def mask(self, places: Sequence[int]) -> Tensor | None:
        """1 at these places, 0 elsewhere; None if they are all of them."""
        if len(places) == len(self.tensor):
            return None
        mask = torch.zeros_like(self.tensor)
        mask[list(places)] = 1
        return mask

    def count(self, mask: Tensor | None) -> None:
        """Add 1 to the numbers of the mask."""
        self.tensor.add_(self._one if mask is None else mask)
        self._version = self.tensor._version

    def uncount(self, found_inf: Tensor, mask: Tensor | None) -> None:
        """Take 1 away again where `found_inf`, a number on the device, is 1."""
        number = found_inf.reshape(())
        self.tensor.sub_(number if mask is None else mask * number)
        self._version = self.tensor._version

    def fill(self, value: float | Tensor, mask: Tensor | None) -> None:
        """Set the numbers of the mask."""
        if mask is None:
            self.tensor.fill_(value)
        else:
            self.tensor.masked_fill_(mask.bool(), value)
        self._version = self.tensor._version
