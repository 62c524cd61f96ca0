"""The cpu engine: one compiled kernel, called once a step for any number of tensors."""

import ctypes
import struct
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from ..emit import llvm, python
from ..emit.names import identifier
from ..formats import Format, computed_in
from ..language.program import Program
from . import FORGOTTEN, Array, Inputs, Work, threads
from .memory import REMEMBERED, address, is_dense, same_layout
from .native import Native, compile_ir

# Elements. Below the first the GIL is kept: releasing it costs more than the work. Below the second
# the work stays on the calling thread: waking another costs about 50 us.
_RELEASE_GIL = 1 << 14
_SHARE = 1 << 19
_GRAIN = 1 << 10  # threads meet at multiples of this, so they do not write to one cache line


_char = ctypes.c_char
_addressof = ctypes.addressof


class CpuLaunch:
    """Some work, done by a compiled kernel over a table of addresses."""

    def __init__(self, work: Work) -> None:
        program = work.program
        self._work = work
        self._native = kernel(work)
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        numbers = np.zeros((max(work.groups) + 1, max(1, len(program.host))))
        self._host_buffers = [(group, memoryview(numbers[group])) for group in set(work.groups)]
        self._dense = [_dense_copy(tensors[0]) for tensors in work.tensors]
        self._strided = [
            (tensors[0], dense)
            for tensors, dense in zip(work.tensors, self._dense, strict=True)
            if dense is not tensors[0]
        ]
        self._table = _table(work, self._dense, numbers)
        width = self._table.shape[1]
        self._entries = memoryview(self._table.reshape(-1))
        self._lengths = [x.size for x in self._dense]
        self._total = sum(self._lengths)
        self._jobs: dict[int, Array] = {}
        self._whole = self._split(1)[0]
        self._is_tiny = self._total < _RELEASE_GIL
        self._is_shared = self._total >= _SHARE
        self._is_ready = False
        self._job: threads.Job | None = None
        self._call_held = self._native.call_held
        self._gradient_format = work.formats[program.tensors[1]]
        self._misaligned = self._gradient_format.itemsize - 1
        # For each gradient: whether it is read in C order, its bytes, and its place in the table.
        self._expected = [
            (x.flags.c_contiguous, x.size * self._gradient_format.itemsize, row * width + 3)
            for row, x in enumerate(self._dense)
        ]
        self._starts, self._ends = work.regions.starts, work.regions.ends
        self.last: list[object] = [FORGOTTEN] * len(work.tensors)
        self.scalars: dict[int, tuple[float, ...]] = {}
        self._copies: dict[int, Array] = {}

    @property
    def source(self) -> str:
        """The IR of the kernel."""
        return self._native.source

    def prepare(self, gradients: Sequence[Array] | None, inputs: Inputs) -> None:
        """Evaluate the host part, and put the addresses of the gradients into the table."""
        for group, buffer in self._host_buffers:
            try:
                self.scalars[group] = self._host(self._pack, buffer, *inputs[group])
            except (ArithmeticError, ValueError, TypeError, struct.error) as error:
                raise self._work.no_numbers(inputs[group], error) from error
        if gradients is not None:
            self._place(gradients)
        for weights, dense in self._strided:
            np.copyto(dense, weights)
        if self._is_shared:
            self._job = self._shared()
        self._is_ready = self._job is None

    def run(self) -> None:
        """Call the kernel. Ctrl-C may end this before or after the call, and then the rest is done
        when this is run again.
        """
        if self._job is not None:
            self._job.run()
            self._job = None
        elif self._is_ready:
            try:
                if self._is_tiny:
                    self._call_held(self._whole)
                else:
                    self._native.call(self._whole)
            finally:
                self._is_ready = False
        for weights, dense in self._strided:
            np.copyto(weights, dense)

    def _shared(self) -> threads.Job | None:
        count = threads.threads()
        return threads.Job(self._native.call, self._split(count)) if count > 1 else None

    def _place(self, gradients: Sequence[Array]) -> None:
        """Put the address of each gradient into the table.

        The loop is for the common case, a writable array in C order, which the buffer protocol
        tells; it is the cost of a step with fresh gradients.
        """
        entries, last, expected = self._entries, self.last, self._expected
        starts, ends, misaligned = self._starts, self._ends, self._misaligned
        index = -1
        for gradient in gradients:
            index += 1
            if gradient is last[index]:
                continue
            in_c_order, size, entry = expected[index]
            try:
                at = _addressof(_char.from_buffer(gradient))
            except (TypeError, ValueError, BufferError):
                self._place_other(index, gradient)
                continue
            after = bisect_left(starts, at + size)
            if not in_c_order or at & misaligned or (after and ends[after - 1] > at):
                self._place_other(index, gradient)
                continue
            entries[entry] = at
            last[index] = gradient if size <= REMEMBERED else FORGOTTEN

    def _place_other(self, index: int, gradient: Array) -> None:
        """The same for any gradient. One that the kernel cannot read is copied: it reads in the
        order of the weights, and no write of this step may touch what it reads.
        """
        at, size = address(gradient), gradient.nbytes
        readable = same_layout(gradient, self._dense[index]) and at % gradient.itemsize == 0
        copied = not readable or self._work.regions.touch(at, size)
        if copied:
            if index not in self._copies:
                dtype = self._gradient_format.dtype
                self._copies[index] = np.empty_like(self._dense[index], dtype=dtype)
            np.copyto(self._copies[index], gradient)
            at = address(self._copies[index])
        self._entries[self._expected[index][2]] = at
        self.last[index] = FORGOTTEN if copied or size > REMEMBERED else gradient

    def _split(self, parts: int) -> list[int]:
        """The addresses of jobs that share the work in `parts` runs of nearly equal length."""
        if parts not in self._jobs:
            grains = max(1, -(-self._total // (parts * _GRAIN)))
            cuts = [*range(0, self._total, grains * _GRAIN), self._total]
            ends = list(accumulate(self._lengths))
            table = address(self._table)
            jobs = [
                (table, *_place_of(ends, begin, "right"), *_place_of(ends, end, "left"))
                for begin, end in pairwise(cuts)
            ]
            self._jobs[parts] = np.array(jobs or [(table, 0, 0, 0, 0)], np.int64)
        jobs_at, size = address(self._jobs[parts]), self._jobs[parts].strides[0]
        return [jobs_at + size * job for job in range(len(self._jobs[parts]))]


def _table(work: Work, dense: Sequence[Array], numbers: Array) -> Array:
    """A row for each parameter, as emit.llvm describes it; the gradients' addresses are still 0."""
    rows = [
        [
            weights.size,
            address(numbers) + numbers.strides[0] * group,
            address(weights),
            0,
            *map(address, tensors[1:]),
        ]
        for tensors, weights, group in zip(work.tensors, dense, work.groups, strict=True)
    ]
    return np.array(rows, np.int64)


def _place_of(ends: list[int], element: int, side: Literal["left", "right"]) -> tuple[int, int]:
    """The row that an element of the whole lies in, and its place there.

    The end of a run is a place too, and where a row ends the next one begins: `left` is the end of
    the one, `right` the begin of the other.
    """
    row = int(np.searchsorted(ends, element, side=side))
    return row, element - (ends[row - 1] if row else 0)


def _dense_copy(weights: Array) -> Array:
    """The weights, or an array of their shape that the kernel works on in their place."""
    if is_dense(weights):
        return weights
    return np.empty(weights.shape, weights.dtype.newbyteorder("="))


@lru_cache(maxsize=256)
def host_function(program: Program) -> python.HostFunction:
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
