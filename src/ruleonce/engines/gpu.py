"""The gpu engine: one Triton launch a step for all tensors of equal formats.

It works on tensors of PyTorch, by their addresses. Without a GPU the same source is run by Triton's
interpreter, on tensors in the memory of the processor: slow, and the way to test it everywhere.

Nothing here waits for the device. What goes there is copied from pinned memory that PyTorch's own
allocator does not give to anybody else until the copy is done, so it is never rewritten under way.
"""

import struct
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any  # Triton's launcher

import numpy as np
import torch

from ..emit import triton as emitter
from ..errors import EngineError
from ..formats import Format, computed_in
from ..language.program import Program
from .batch import Batch, Inputs, no_numbers
from .host import host_function
from .triton_source import Kernels, load

# Elements a block, and warps: measured on an H100.
_BLOCK = 1024
_WARPS = 4
_ALIGNED = 16  # bytes, of the widest load

# No multiplication is contracted with an addition: the bits are those of the rule.
_OPTIONS: Mapping[str, Any] = {"num_warps": _WARPS, "enable_fp_fusion": False}


class GpuCall:
    """A kernel over a batch, on one device.

    scalars   row -> the new scalar state, after `prepare`
    """

    def __init__(self, batch: Batch, device: torch.device) -> None:
        program = batch.program
        self._program = program
        self._device = device
        self._interpreted = device.type == "cpu"
        self._kernels: Kernels = load(
            source(program, tuple(batch.formats.items())),
            emitter.kernel_name(program),
            interpreted=self._interpreted,
        )
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        self._rows = sorted(set(batch.rows))
        count = max(batch.rows, default=0) + 1
        self._width = max(1, len(program.host))
        self._host_numbers = torch.zeros((count, self._width), dtype=torch.float64)
        self._buffers = [memoryview(row) for row in self._host_numbers.numpy()]
        width = emitter.FIRST + len(program.tensors)
        self._host_table = torch.zeros((len(batch.lengths), width), dtype=torch.int64)
        self._host_table[:, emitter.LENGTH] = torch.tensor(batch.lengths, dtype=torch.int64)
        self._host_table[:, emitter.NUMBERS] = torch.tensor(batch.rows, dtype=torch.int64)
        self._addresses: dict[int, list[int]] = {}
        with self._guard():
            self._blocks = _block_map(batch.lengths).to(device)
            self._table = self._host_table.to(device)
            self._numbers = self._host_numbers.to(device)
        self._table_is_new = True
        self._numbers_are_new = False
        self._inputs: torch.Tensor | None = None
        self.uploads = 0  # of the table: for the test that it is not copied again without need
        self.scalars: dict[int, tuple[float, ...]] = {}

    def place(self, tensor: int, addresses: Sequence[int]) -> None:
        """Say where a tensor of the program lies: one address a parameter."""
        found = list(addresses)
        if self._addresses.get(tensor) != found:
            self._addresses[tensor] = found
            column = torch.tensor(found, dtype=torch.int64)
            self._host_table[:, emitter.FIRST + tensor] = column
            self._table_is_new = True

    def prepare(self, inputs: Inputs) -> None:
        """Evaluate the host part for each row."""
        for row in self._rows:
            try:
                self.scalars[row] = self._host(self._pack, self._buffers[row], *inputs[row])
            except (ArithmeticError, ValueError, TypeError, struct.error) as error:
                raise no_numbers(self._program, inputs[row], error) from error
        self._numbers_are_new = True
        self._inputs = None

    def prepare_on_device(self, inputs: torch.Tensor) -> None:
        """Have the host part evaluated on the device.

        inputs   float64, [rows, len(Program.step_inputs)]; the new scalar state is written there
        """
        self._inputs = inputs
        self._numbers_are_new = False

    def run(self) -> None:
        """Launch the step on the device's current stream."""
        with self._guard():
            if self._table_is_new:
                addresses = self._host_table[:, emitter.FIRST :]
                is_aligned = (addresses % _ALIGNED == 0).all(dim=1)
                self._host_table[:, emitter.ALIGNED] = is_aligned.to(torch.int64)
                self._upload(self._host_table, self._table)
                self._table_is_new = False
                self.uploads += 1
            if self._numbers_are_new:
                self._upload(self._host_numbers, self._numbers)
                self._numbers_are_new = False
            if self._inputs is not None:
                rows = (len(self._inputs),)
                self._kernels.numbers[rows](self._inputs, self._numbers, **_OPTIONS)
            if len(self._blocks):
                self._launch()

    def _launch(self) -> None:
        launcher: Any = self._kernels.step[(len(self._blocks),)]
        launcher(self._table, self._blocks, self._numbers, BLOCK=_BLOCK, **_OPTIONS)

    def _upload(self, host: torch.Tensor, device: torch.Tensor) -> None:
        if self._device.type == "cuda":
            device.copy_(host.pin_memory(), non_blocking=True)
        else:
            device.copy_(host)

    def _guard(self) -> AbstractContextManager[object]:
        if self._device.type == "cuda":
            return torch.cuda.device(self._device)
        return np.errstate(all="ignore")  # a GPU says nothing of an overflow either


def _block_map(lengths: Sequence[int]) -> torch.Tensor:
    """For each program of the launch: the row of its tensor and its block in it."""
    entries = [
        torch.arange(-(-length // _BLOCK), dtype=torch.int64) + (row << 32)
        for row, length in enumerate(lengths)
    ]
    return torch.cat(entries) if entries else torch.zeros(0, dtype=torch.int64)


@lru_cache(maxsize=256)
def source(program: Program, formats: tuple[tuple[str, Format], ...]) -> str:
    """The Triton source of a program for tensors of these formats."""
    return emitter.emit(program, dict(formats), computed_in(form for _, form in formats))


def call(batch: Batch, device: torch.device) -> GpuCall:
    """Get ready for steps on tensors of a device that are known by their addresses.

    Raises EngineError for a device that Triton does not know.
    """
    if device.type not in ("cuda", "cpu"):
        raise EngineError(
            f"the gpu engine runs on CUDA and ROCm devices (and, interpreted, on the CPU); the "
            f"parameters are on {device}. engine='tensors' runs on any device."
        )
    return GpuCall(batch, device)
