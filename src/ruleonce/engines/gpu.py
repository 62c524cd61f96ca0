"""The gpu engine: one Triton launch a step for all tensors of equal formats.

It works on tensors of PyTorch, by their addresses. Without a GPU the same source is run by Triton's
interpreter, on tensors in the memory of the processor: slow, and the way to test it everywhere.

Nothing here waits for the device.
"""

import struct
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any  # options of Triton's launcher

import numpy as np
import torch

from ..emit import triton as emitter
from ..errors import EngineError
from ..formats import Format, computed_in
from ..language.program import Program
from . import UNFORKABLE
from .batch import Batch, Inputs, no_numbers
from .gpu_table import Table, is_capturing, keep, upload
from .host import host_function
from .triton_source import Kernels, interpreting, load

# Elements a block, and warps: measured on an H100.
_BLOCK = 1024
_WARPS = 4

# No multiplication is contracted with an addition: the bits are those of the rule.
_STEP: Mapping[str, Any] = {"BLOCK": _BLOCK, "num_warps": _WARPS, "enable_fp_fusion": False}
_NUMBERS: Mapping[str, Any] = {"num_warps": 1, "enable_fp_fusion": False}


class GpuCall:
    """A kernel over a batch, on one device.

    scalars   row -> the new scalar state, after `prepare`
    """

    def __init__(self, batch: Batch, device: torch.device) -> None:
        program = batch.program
        self._program = program
        self._device = device
        self._kernels: Kernels = load(
            source(program, tuple(batch.formats.items())),
            emitter.kernel_name(program),
            interpreted=device.type == "cpu",
        )
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        self._rows = sorted(set(batch.rows))
        shape = (max(batch.rows, default=0) + 1, max(1, len(program.host)))
        self._host_numbers = torch.zeros(shape, dtype=torch.float64)
        self._buffers = [memoryview(row) for row in self._host_numbers.numpy()]
        self._numbers_are_new = False
        self._inputs: torch.Tensor | None = None
        self._has_numbers_kernel = device.type == "cpu"
        with self._guard():
            self._table = Table(batch, device)
            self._blocks = _block_map(batch.lengths).to(device)
            self._numbers = self._host_numbers.to(device)
            # The block map stands for the table: it is compiled for their types.
            self._compile(self._kernels.step, (self._blocks, self._blocks, self._numbers), _STEP)
        self._grid = (len(self._blocks),)
        self.scalars: dict[int, tuple[float, ...]] = {}

    @property
    def uploads(self) -> int:
        """How often the table was copied to the device."""
        return self._table.uploads

    def place(self, tensor: int, addresses: Sequence[int]) -> None:
        """Say where a tensor of the program lies: one address a parameter."""
        self._table.place(tensor, addresses)

    def prepare(self, inputs: Inputs) -> None:
        """Evaluate the host part for each row.

        Raises EngineError while a CUDA graph is captured: it would do the same step for ever.
        """
        if is_capturing(self._device):
            raise EngineError(
                f"{self._program.name}: a step is being captured in a CUDA graph, but its numbers, "
                "such as 1 - beta**t, are computed on the host: every replay would use those of "
                "this step. Make the optimizer with capturable=True."
            )
        for row in self._rows:
            try:
                self.scalars[row] = self._host(self._pack, self._buffers[row], *inputs[row])
            except (ArithmeticError, ValueError, TypeError, struct.error) as error:
                raise no_numbers(self._program, inputs[row], error) from error
        self._numbers_are_new = True
        self._inputs = None

    def prepare_on_device(self, inputs: torch.Tensor) -> None:
        """Have the host part evaluated on the device, when `run` is called.

        inputs   float64, [rows, len(Program.step_inputs)]; the new scalar state is written there
        """
        if not self._has_numbers_kernel:
            with self._guard():
                self._compile(self._kernels.numbers, (inputs, self._numbers), _NUMBERS)
            self._has_numbers_kernel = True
        self._table.expect_captures()
        self._inputs = inputs
        self._numbers_are_new = False

    def run(self) -> None:
        """Launch the step on the device's current stream."""
        with self._guard():
            table = self._table.on_device()
            if self._inputs is not None:
                self._kernels.numbers[(len(self._inputs),)](self._inputs, self._numbers, **_NUMBERS)
                if is_capturing(self._device):
                    keep(self._inputs, self._numbers, self._blocks)
            elif self._numbers_are_new:
                upload(self._host_numbers, self._numbers)
                self._numbers_are_new = False
            if self._grid[0]:
                self._launch(table)

    def _launch(self, table: torch.Tensor) -> None:
        self._kernels.step[self._grid](table, self._blocks, self._numbers, **_STEP)

    def _guard(self) -> AbstractContextManager[object]:
        return interpreting() if self._device.type == "cpu" else torch.cuda.device(self._device)

    def _compile(
        self, kernel: Any, arguments: tuple[torch.Tensor, ...], options: Mapping[str, Any]
    ) -> None:
        """Compile a kernel for the device now: it takes long and may fail, so not in a step."""
        if self._device.type == "cuda":
            with UNFORKABLE:
                kernel.warmup(*arguments, grid=(1,), **options)


def _block_map(lengths: Sequence[int]) -> torch.Tensor:
    """For each program of the launch: the row of its tensor and its block in it."""
    counts = -(-np.array(lengths, np.int64) // _BLOCK)
    rows = np.repeat(np.arange(len(counts)), counts)
    firsts = np.repeat(np.cumsum(counts) - counts, counts)
    return torch.from_numpy((rows << 32) + np.arange(len(rows)) - firsts)


@lru_cache(maxsize=256)
def source(program: Program, formats: tuple[tuple[str, Format], ...]) -> str:
    """The Triton source of a program for tensors of these formats."""
    return emitter.emit(program, dict(formats), computed_in(form for _, form in formats))


def call(batch: Batch, device: torch.device) -> GpuCall:
    """Get ready for steps on tensors of a device that are known by their addresses.

    Raises EngineError for a device that Triton does not know, and during a capture.
    """
    if device.type not in ("cuda", "cpu"):
        raise EngineError(
            f"the gpu engine runs on CUDA and ROCm devices (and, interpreted, on the CPU); the "
            f"parameters are on {device}. engine='tensors' runs on any device."
        )
    if is_capturing(device):
        raise EngineError(
            f"the first step of {batch.program.name} is being captured in a CUDA graph, but its "
            "kernel is not compiled yet. Do a step or two before the capture, without one, as "
            "PyTorch's notes on CUDA graphs ask for."
        )
    return GpuCall(batch, device)
