"""What a plan asks for where gradients come from elsewhere, and weights go there."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from .slots import Slot


class Carrier(Protocol):
    """Brings gradients to the parameters of an optimizer, and sends the new weights on."""

    def chunk_of(self, parameter: Tensor) -> int:
        """Parameters of different chunks are updated one chunk after the other."""

    def bring(self, slots: Sequence[Slot]) -> None:
        """Wait until the gradients of these are there."""

    def send(self, slots: Sequence[Slot]) -> None:
        """Their new weights are there."""


class _Nowhere:
    """Gradients and weights are where they belong."""

    def chunk_of(self, parameter: Tensor) -> int:  # noqa: ARG002
        return 0

    def bring(self, slots: Sequence[Slot]) -> None:
        pass

    def send(self, slots: Sequence[Slot]) -> None:
        pass


NOWHERE: Carrier = _Nowhere()
