"""The cpu engine: one compiled kernel, called once a step for any number of tensors."""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from operator import is_
from typing import Any  # a ctypes buffer

import numpy as np

from ..emit import llvm, python
from ..emit.names import identifier
from ..formats import Format, computed_in
from ..language.program import Program
from . import Array, Inputs, Work, threads
from .memory import address, is_dense, same_layout
from .native import Native, compile_ir

# Elements. Below the first the GIL is kept: releasing it costs more than the work. Below the second
# the work stays on the calling thread: waking another costs about 50 us.
_RELEASE_GIL = 1 << 14
_SHARE = 1 << 20
_GRAIN = 1 << 10  # threads meet at multiples of this, so they do not write to one cache line

# Bytes. The address of a small gradient is remembered with the array; a large one is not, so that
# its memory is free for the next one.
_REMEMBERED = 1 << 16


class CpuLaunch:
    """Some work, done by a compiled kernel over a table of addresses."""

    def __init__(self, work: Work) -> None:
        program = work.program
        self._work = work
        self._program = program
        self._host = host_function(program)
        self._native = kernel(work)
        self._scalars = len(program.scalars)
        count = len(work.tensors)
        self._numbers = struct.Struct(f"{len(program.host)}d")
        self._host_buffer = np.zeros((max(work.groups, default=0) + 1, max(1, len(program.host))))
        self._used_groups = sorted(set(work.groups))
        self._table = np.zeros((count, 2 + len(program.tensors)), np.int64)
        self._entries = memoryview(self._table).cast("B").cast("q")
        self._width = self._table.shape[1]
        self._at = address(self._table)
        self._last: list[Array | None] = [None] * count
        self._buffers: dict[int, Array] = {}
        self._dense = [_dense_copy(tensors[0]) for tensors in work.tensors]
        self._strided = [
            (tensors[0], dense)
            for tensors, dense in zip(work.tensors, self._dense, strict=True)
            if dense is not tensors[0]
        ]
        self._fill_table()
        lengths = [x.size for x in self._dense]
        self._total = sum(lengths)
        self._whole = (self._at, 0, 0, count - 1, lengths[-1])
        self._pieces: dict[int, list[tuple[int, ...]]] = {}

    @property
    def source(self) -> str:
        """The IR of the kernel."""
        return self._native.source

    def prepare(self, gradients: Sequence[Array], inputs: Inputs) -> dict[int, tuple[float, ...]]:
        """Evaluate the host part, and put the addresses of the gradients into the table."""
        scalars = {group: self._pack(group, inputs[group]) for group in self._used_groups}
        if not all(map(is_, gradients, self._last)):
            for index, gradient in enumerate(gradients):
                if gradient is not self._last[index]:
                    self._place(index, gradient)
        for weights, dense in self._strided:
            np.copyto(dense, weights)
        return scalars

    def run(self) -> None:
        """Call the kernel."""
        if self._total < _RELEASE_GIL:
            self._native.call_held(*self._whole)
        elif self._total < _SHARE or threads.threads() == 1:
            self._native.call(*self._whole)
        else:
            threads.run(self._native.call, self._split(threads.threads()))
        for weights, dense in self._strided:
            np.copyto(weights, dense)

    def _pack(self, group: int, inputs: tuple[float, ...]) -> tuple[float, ...]:
        try:
            values = self._host(*inputs)
            self._numbers.pack_into(self._host_buffer[group], 0, *values[self._scalars :])
            return tuple(map(float, values[: self._scalars]))
        except (ArithmeticError, ValueError, TypeError, struct.error) as error:
            raise self._work.no_numbers(inputs, error) from error

    def _place(self, index: int, gradient: Array) -> None:
        """Put the address of a gradient into the table, or that of a copy that the kernel can read:
        one in the order of its weights, that no write of this step touches.
        """
        at, size = 0, gradient.nbytes
        if same_layout(gradient, self._dense[index]):
            at = address(gradient)
            fits = at % gradient.itemsize == 0 and gradient.dtype.isnative
            if fits and not self._work.regions.touch(at, size):
                self._entries[index * self._width + 3] = at
                self._last[index] = gradient if size <= _REMEMBERED else None
                return
        name = self._program.tensors[1]
        if index not in self._buffers:
            dtype = self._work.formats[name].dtype
            self._buffers[index] = np.empty_like(self._dense[index], dtype=dtype)
        np.copyto(self._buffers[index], gradient)
        self._entries[index * self._width + 3] = address(self._buffers[index])
        self._last[index] = None

    def _fill_table(self) -> None:
        row_size = self._host_buffer.strides[0]
        numbers = address(self._host_buffer)
        rows = zip(self._work.tensors, self._dense, self._work.groups, strict=True)
        for index, (tensors, dense, group) in enumerate(rows):
            self._table[index, 0] = dense.size
            self._table[index, 1] = numbers + row_size * group
            self._table[index, 2] = address(dense)
            self._table[index, 4:] = [address(state) for state in tensors[1:]]

    def _split(self, parts: int) -> list[tuple[int, ...]]:
        """The work in `parts` runs of nearly equal length."""
        if parts not in self._pieces:
            ends = list(accumulate(x.size for x in self._dense))
            step = -(-self._total // (parts * _GRAIN)) * _GRAIN
            cuts = [*range(0, self._total, step), self._total]
            self._pieces[parts] = [
                (self._at, *_first(ends, begin), *_last(ends, end))
                for begin, end in zip(cuts[:-1], cuts[1:], strict=True)
            ]
        return self._pieces[parts]


def _first(ends: list[int], element: int) -> tuple[int, int]:
    """The row that holds an element of the whole, and its place there."""
    row = int(np.searchsorted(ends, element, side="right"))
    return row, element - (ends[row - 1] if row else 0)


def _last(ends: list[int], element: int) -> tuple[int, int]:
    """The row that ends at or holds the end of a run, and where the run ends there."""
    row = int(np.searchsorted(ends, element, side="left"))
    return row, element - (ends[row - 1] if row else 0)


def _dense_copy(weights: Array) -> Array:
    """The weights, or an array of their shape that the kernel works on in their place."""
    if is_dense(weights):
        return weights
    return np.empty(weights.shape, weights.dtype.newbyteorder("="))


@lru_cache(maxsize=256)
def host_function(program: Program) -> Any:
    """The host part of a program, ready to call."""
    return python.load(python.emit(program))


def kernel(work: Work) -> Native:
    """The compiled kernel for some work; made once for equal programs and formats."""
    source = emitted(work.program, tuple(work.formats.items()))
    return compile_ir(source, identifier(work.program.name))


@lru_cache(maxsize=256)
def emitted(program: Program, formats: tuple[tuple[str, Format], ...]) -> str:
    """The IR of a program for tensors of these formats."""
    return llvm.emit(program, dict(formats), computed_in(form for _, form in formats))


def launch(work: Work) -> CpuLaunch:
    """Get ready to do some work."""
    return CpuLaunch(work)
