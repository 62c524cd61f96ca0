"""The sums of a pass on a device: those of the blocks, and of them those of the tensors."""

from collections.abc import Mapping
from typing import Any  # options of Triton's launcher

import numpy as np
import torch

from ..language.program import Pass
from .batch import Batch
from .triton_source import Kernels

BLOCK = 1024  # elements that a program of a launch does: measured on an H100

_OPTIONS: Mapping[str, Any] = {"BLOCK": 256, "num_warps": 1, "enable_fp_fusion": False}


class Sums:
    """Where the passes of a call leave what they add up.

    partial   float64 [blocks, Program.sum_count]: the sums of each block, written by the passes
    """

    def __init__(self, batch: Batch, kernels: Kernels, device: torch.device) -> None:
        counts = -(-np.array(batch.lengths, np.int64) // BLOCK)
        spans = np.stack([np.cumsum(counts) - counts, counts], axis=1)
        self._spans = torch.from_numpy(spans).to(device)
        self._kernel = kernels.sums
        count = batch.program.sum_count
        self.partial = torch.zeros((int(counts.sum()), count), dtype=torch.float64, device=device)
        self._sums = self.partial.new_zeros((len(batch.lengths), count))

    @property
    def all(self) -> tuple[torch.Tensor, ...]:
        """All of its memory."""
        return self.partial, self._spans, self._sums

    def of(self, one: Pass) -> torch.Tensor:
        """The sums of a pass, [tensors, sums]; the pass has been launched."""
        tensors, count = self._sums.shape
        if tensors and one.sums:
            self._kernel[(tensors, len(one.sums))](
                self.partial, self._spans, self._sums, FIRST=one.first_sum, COUNT=count, **_OPTIONS
            )
        return self._sums[:, one.first_sum : one.first_sum + len(one.sums)]
