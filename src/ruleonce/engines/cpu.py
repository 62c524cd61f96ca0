"""The cpu engine: compiled kernels over NumPy arrays, with copies where a layout needs them."""

import ctypes
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from . import FORGOTTEN, Array, Work, threads
from .batch import Batch, Inputs
from .compiled import CpuCall
from .memory import REMEMBERED, address, is_dense, same_layout
from .sweep import Team

_GRADIENT = 1  # its place among the tensors of a program

_char = ctypes.c_char
_addressof = ctypes.addressof


class CpuLaunch:
    """Some work, done by a compiled kernel."""

    def __init__(self, work: Work) -> None:
        program = work.program
        self._work = work
        self._dense = [_dense_copy(tensors[0]) for tensors in work.tensors]
        self._strided = [
            (tensors[0], dense)
            for tensors, dense in zip(work.tensors, self._dense, strict=True)
            if dense is not tensors[0]
        ]
        self._call = call = CpuCall(
            Batch(program, work.formats, [x.size for x in self._dense], work.groups)
        )
        call.place(0, [address(x) for x in self._dense])
        for place in range(1, len(work.tensors[0]) if work.tensors else 1):
            call.place(1 + place, [address(tensors[place]) for tensors in work.tensors])
        self._entries = call.entries
        self._gradient_format = work.formats[program.tensors[_GRADIENT]]
        self._misaligned = self._gradient_format.itemsize - 1
        # For each gradient: whether it is read in C order, its bytes, and its place in the table.
        self._expected = [
            (
                x.flags.c_contiguous,
                x.size * self._gradient_format.itemsize,
                call.entry(row, _GRADIENT),
            )
            for row, x in enumerate(self._dense)
        ]
        self._starts, self._ends = work.regions.starts, work.regions.ends
        self.last: list[object] = [FORGOTTEN] * len(work.tensors)
        self.scalars = call.scalars
        self.program, self.passes = program, call.passes
        self._copies: dict[int, Array] = {}

    @property
    def source(self) -> str:
        """The IR of the kernel."""
        return self._call.source

    def prepare(self, gradients: Sequence[Array] | None, inputs: Inputs) -> None:
        """Evaluate the host part, and put the addresses of the gradients into the table."""
        self._call.prepare(inputs)
        if gradients is not None:
            self._place(gradients)
        for weights, dense in self._strided:
            np.copyto(dense, weights)

    def measure(self, number: int) -> Array:
        """Do a pass, which only reads, and give what these tensors add to each total."""
        return self._call.measure(number)

    def learn(self, number: int, totals: Array) -> None:
        """Take the totals of all tensors after a pass."""
        self._call.learn(number, totals)

    def sums(self, number: int) -> Array:
        """The sums that a pass has made, [tensors, sums]."""
        return self._call.sums(number)

    def run(self) -> None:
        """Call the kernel; see CpuCall.run."""
        self._call.run()
        for weights, dense in self._strided:
            np.copyto(weights, dense)

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


def _dense_copy(weights: Array) -> Array:
    """The weights, or an array of their shape that the kernel works on in their place."""
    if is_dense(weights):
        return weights
    return np.empty(weights.shape, weights.dtype.newbyteorder("="))


def call(batch: Batch, team: Team = threads.POOL) -> CpuCall:
    """Get ready for steps on tensors that are known by their addresses."""
    return CpuCall(batch, team)


def launch(work: Work) -> CpuLaunch:
    """Get ready to do some work."""
    return CpuLaunch(work)
