"""The table of addresses of a batch, on the host and on the device.

It is copied to the device when an address has changed, from pinned memory that is new each time:
PyTorch's allocator gives it to nobody else until the copy is done, so it is never rewritten under
way, and nothing waits.

A CUDA graph is another matter: what is captured is done again at every replay, and nobody says when
the last one was. So a graph never shares memory with what comes after it, and what it reads is kept
for as long as the process lives.
"""

from collections.abc import Sequence

import numpy as np
import torch

from ..emit.triton import ALIGNED, FIRST, LENGTH, NUMBERS
from ..errors import EngineError
from .batch import Batch

ALIGNMENT = 16  # bytes, of the widest load

# What captured graphs read.
_KEPT: list[torch.Tensor] = []

# Graphs with new addresses that can be captured one after another. Pinned memory cannot be had
# during a capture, so that of their tables is there before.
_CAPTURES = 8


def is_capturing(device: torch.device) -> bool:
    """Whether work on the device is being captured in a CUDA graph, not done."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def upload(host: torch.Tensor, there: torch.Tensor) -> None:
    """Copy to the device without waiting, from pinned memory that is new each time."""
    there.copy_(host.pin_memory() if there.is_cuda else host, non_blocking=True)


def keep(*tensors: torch.Tensor) -> None:
    """Never give back the memory of what a captured graph reads."""
    _KEPT.extend(tensors)


class Table:
    """A row for each parameter of a batch, as emit.triton describes it.

    uploads   how often it was copied to the device
    """

    def __init__(self, batch: Batch, device: torch.device) -> None:
        shape = (len(batch.lengths), FIRST + len(batch.program.tensors))
        self._shape = shape
        self._device = device
        self._host = torch.zeros(shape, dtype=torch.int64)
        self._rows = self._host.numpy()
        self._rows[:, LENGTH] = batch.lengths
        # Numbers of blocks are few: nothing is said of where they lie.
        of_blocks = batch.program.of_blocks
        self._hinted = [
            FIRST + place for place, x in enumerate(batch.program.tensors) if x not in of_blocks
        ]
        is_measured = len(batch.program.passes) > 1  # then each tensor has numbers of its own
        self._rows[:, NUMBERS] = range(len(batch.rows)) if is_measured else batch.rows
        self._addresses: list[list[int]] = [[]] * len(batch.program.tensors)
        self._is_new = True
        self._there = self._empty()
        self._is_captured = False
        self._spare: list[torch.Tensor] = []
        self.uploads = 0

    def place(self, tensor: int, addresses: Sequence[int]) -> None:
        """Say where a tensor of the program lies: one address a parameter."""
        found = list(addresses)
        if found != self._addresses[tensor]:
            self._addresses[tensor] = found
            self._rows[:, FIRST + tensor] = found
            self._is_new = True

    def on_device(self) -> torch.Tensor:
        """The table as it is now, for a kernel on the current stream.

        Raises EngineError during a capture for which there is no memory.
        """
        if self._is_new:
            self._rows[:, ALIGNED] = np.all(self._rows[:, self._hinted] % ALIGNMENT == 0, axis=1)
        if is_capturing(self._device):
            return self._captured()
        if self._is_new:
            if self._is_captured:  # a graph reads the old addresses
                self._there, self._is_captured = self._empty(), False
            upload(self._host, self._there)
            self._is_new = False
            self.uploads += 1
        return self._there

    def expect_captures(self) -> None:
        """Get the memory that captures need; for a time when nothing is captured."""
        if not self._spare and self._device.type == "cuda" and not is_capturing(self._device):
            all_ = torch.empty((_CAPTURES, *self._shape), dtype=torch.int64, pin_memory=True)
            self._spare = list(all_)

    def _captured(self) -> torch.Tensor:
        if not self._is_new:
            self._is_captured = True
            keep(self._there)
            return self._there
        # The gradients of a captured backward pass lie in memory of the graph: this is the common
        # case. Each replay copies the table again, from where it is kept.
        if not self._spare:
            raise EngineError(
                "a step is being captured in a CUDA graph, and its gradients lie elsewhere than in "
                "the step before. Do a step or two before each capture, without one, as PyTorch's "
                "notes on CUDA graphs ask for."
            )
        host, there = self._spare.pop(), self._empty()
        host.copy_(self._host)
        there.copy_(host, non_blocking=True)
        keep(host, there)
        return there

    def _empty(self) -> torch.Tensor:
        return torch.empty(self._shape, dtype=torch.int64, device=self._device)
