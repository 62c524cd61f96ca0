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
from ..language.program import Pass, Program
from . import UNFORKABLE
from .batch import Batch, Inputs, Whole, no_numbers
from .gpu_sums import BLOCK, Sums
from .gpu_table import Table, is_capturing, keep, upload
from .host import host_function
from .measured import Measured
from .triton_source import Kernels, interpreting, load

_WARPS = 4  # measured on an H100, as BLOCK was

# No multiplication is contracted with an addition: the bits are those of the rule.
_STEP: Mapping[str, Any] = {"BLOCK": BLOCK, "num_warps": _WARPS, "enable_fp_fusion": False}
_NUMBERS: Mapping[str, Any] = {"num_warps": 1, "enable_fp_fusion": False}


class GpuCall:
    """A kernel over a batch, on one device.

    scalars   row -> the new scalar state, after `prepare`
    """

    def __init__(self, batch: Batch, device: torch.device) -> None:
        program = batch.program
        self.program = program
        self.passes = len(program.passes)
        self._device = device
        self._kernels: Kernels = load(
            source(program, tuple(batch.formats.items())),
            emitter.kernel_name(program),
            interpreted=device.type == "cpu",
            before=tuple(map(emitter.kernel_name, program.passes[:-1])),
        )
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        self._all_rows = list(batch.rows)
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
            self._sums = Sums(batch, self._kernels, device) if program.sum_count else None
            self._measured = self._measure_on(device, batch) if self.passes > 1 else None
            # The block map stands for the table: it is compiled for their types.
            for one, kernel in zip(program.passes, self._kernels.passes, strict=True):
                partial = self._partial(one)
                self._compile(kernel, (self._blocks, self._blocks, self._numbers, *partial), _STEP)
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
                f"{self.program.name}: a step is being captured in a CUDA graph, but its numbers, "
                "such as 1 - beta**t, are computed on the host: every replay would use those of "
                "this step. Make the optimizer with capturable=True."
            )
        for row in self._rows:
            try:
                self.scalars[row] = self._host(self._pack, self._buffers[row], *inputs[row])
            except (ArithmeticError, ValueError, TypeError, struct.error) as error:
                raise no_numbers(self.program, inputs[row], error) from error
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

    def measure(self, number: int, whole: Whole | None = None) -> torch.Tensor:
        """Do a pass, which only reads, and give what these tensors add to each total. All of it is
        on the device.
        """
        assert self._measured is not None  # noqa: S101
        with self._guard(), torch.no_grad():
            if number == 0:
                self._compute_numbers()
                self._measured.begin(self._numbers)
            one = self.program.passes[number]
            if one.sums:
                self._launch(one, self._table.on_device())
            sums = self._sums_of(one)
            sums = sums if whole is None else whole(sums)
            shares: torch.Tensor = self._measured.shares(number, sums)
            return shares

    def learn(self, number: int, totals: torch.Tensor) -> None:
        """Take the totals of all tensors after a pass."""
        assert self._measured is not None  # noqa: S101
        with self._guard(), torch.no_grad():
            self._measured.learn(number, totals)
            if number == self.passes - 2:
                self._keep_scalars(self._measured)

    def run(self) -> None:
        """Launch the step on the device's current stream."""
        with self._guard():
            table = self._table.on_device()
            if self._measured is None:
                self._compute_numbers()
            self._launch(self.program.passes[-1], table)

    def sums(self, number: int) -> torch.Tensor:
        """The sums that a pass has made, [tensors, sums]; the last makes `Program.reports`."""
        with self._guard():
            return self._sums_of(self.program.passes[number])

    def _compute_numbers(self) -> None:
        if self._inputs is not None:
            self._kernels.numbers[(len(self._inputs),)](self._inputs, self._numbers, **_NUMBERS)
            if is_capturing(self._device):
                keep(self._inputs, self._numbers, self._blocks)
                keep(*(self._sums.all if self._sums is not None else ()))
                keep(*(self._measured.all if self._measured is not None else ()))
        elif self._numbers_are_new:
            upload(self._host_numbers, self._numbers)
            self._numbers_are_new = False

    def _launch(self, one: Pass, table: torch.Tensor) -> None:
        if self._grid[0]:
            numbers = self._numbers if self._measured is None else self._measured.numbers
            kernel = self._kernels.passes[one.number]
            kernel[self._grid](table, self._blocks, numbers, *self._partial(one), **_STEP)

    def _partial(self, one: Pass) -> tuple[torch.Tensor, ...]:
        return (self._sums.partial,) if one.sums and self._sums is not None else ()

    def _sums_of(self, one: Pass) -> torch.Tensor:
        if self._sums is None:
            return torch.zeros((len(self._all_rows), 0), dtype=torch.float64, device=self._device)
        return self._sums.of(one)

    def _measure_on(self, device: torch.device, batch: Batch) -> Measured:
        sizes = torch.tensor(list(batch.sizes or batch.lengths), dtype=torch.float64, device=device)
        numbers = sizes.new_zeros((len(sizes), max(1, self.program.number_count)))
        return Measured(
            self.program, torch, sizes, torch.tensor(self._all_rows, device=device), numbers
        )

    def _keep_scalars(self, measured: Measured) -> None:
        """Put what was measured of the scalar state where that of the step is kept."""
        for name in self.program.measured_scalars:
            assert self._inputs is not None  # noqa: S101  (such a rule has its numbers there)
            place = self.program.step_inputs.index(name)
            for row in self._rows:
                self._inputs[row, place].copy_(measured.scalar(name, self._all_rows.index(row)))

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
    counts = -(-np.array(lengths, np.int64) // BLOCK)
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
