"""A compiled kernel, called once a step for any number of tensors, on one thread or on a team."""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Literal, Protocol

import numpy as np

from ..emit import llvm
from ..emit.names import identifier
from ..formats import Format, computed_in
from ..language.program import Program
from . import Array, threads
from .batch import Batch, Inputs, no_numbers
from .host import host_function
from .memory import address
from .native import Native, compile_ir, fused

# Elements. Below it the GIL is kept: releasing it costs more than the work.
_RELEASE_GIL = 1 << 14
_GRAIN = 1 << 10  # threads meet at multiples of this, so they do not write to one cache line

_LENGTH, _NUMBERS, _FIRST = 0, 1, 2  # columns of the table; see emit.llvm


class Team(Protocol):
    """Threads that share a step.

    worth   from how many elements on a step is shared
    """

    worth: int

    def size(self) -> int:
        """How many they are, the one that asks among them."""

    def task(self, native: Native, pieces: Sequence[int]) -> Callable[[], "Job"]:
        """Calls of a kernel, one for each piece, to be done any number of times."""


class Job(Protocol):
    """Work that threads share."""

    def run(self) -> None:
        """Return when it is done; run again after Ctrl-C, it does what is left."""


class CpuCall:
    """A kernel over a table of addresses: a row for each parameter, as emit.llvm describes it.

    entries   the table, row after row, for those who place addresses one by one
    width     of a row
    scalars   row -> the new values of the rule's scalar state, after `prepare`
    """

    def __init__(self, batch: Batch, team: Team = threads.POOL) -> None:
        program = batch.program
        self._program = program
        self._native = kernel(program, tuple(batch.formats.items()))
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        numbers = np.zeros((max(batch.rows, default=0) + 1, max(1, len(program.host))))
        self._buffers = [(row, memoryview(numbers[row])) for row in sorted(set(batch.rows))]
        self.width = _FIRST + len(program.tensors)
        self._table = np.zeros((len(batch.lengths), self.width), np.int64)
        self._table[:, _LENGTH] = batch.lengths
        self._table[:, _NUMBERS] = address(numbers) + numbers.strides[0] * np.array(batch.rows, int)
        self.entries = memoryview(self._table.reshape(-1))
        self._numbers = numbers  # owns what the table points to
        self._lengths = batch.lengths
        self._total = sum(batch.lengths)
        self._jobs: dict[int, Array] = {}
        self._tasks: dict[int, Callable[[], Job]] = {}
        self._whole = self._split(1)[0]
        self._is_tiny = self._total < _RELEASE_GIL
        self._is_shared = self._total >= team.worth
        self._team = team
        self._is_ready = False
        self._job: Job | None = None
        self._call_held = self._native.call_held
        self.scalars: dict[int, tuple[float, ...]] = {}

    @property
    def source(self) -> str:
        """The IR of the kernel."""
        return self._native.source

    def place(self, tensor: int, addresses: Sequence[int]) -> None:
        """Say where a tensor of the program lies: one address a parameter."""
        self._table[:, _FIRST + tensor] = addresses

    def entry(self, row: int, tensor: int) -> int:
        """Where in `entries` the address of a tensor stands."""
        return row * self.width + _FIRST + tensor

    def prepare(self, inputs: Inputs) -> None:
        """Evaluate the host part for each row."""
        for row, buffer in self._buffers:
            try:
                self.scalars[row] = self._host(self._pack, buffer, *inputs[row])
            except (ArithmeticError, ValueError, TypeError, struct.error) as error:
                raise no_numbers(self._program, inputs[row], error) from error
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

    def _shared(self) -> Job | None:
        count = self._team.size()
        if count == 1:
            return None
        if count not in self._tasks:
            self._tasks[count] = self._team.task(self._native, self._split(count))
        return self._tasks[count]()

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


def _place_of(ends: list[int], element: int, side: Literal["left", "right"]) -> tuple[int, int]:
    """The row that an element of the whole lies in, and its place there.

    The end of a run is a place too, and where a row ends the next one begins: `left` is the end of
    the one, `right` the begin of the other.
    """
    row = int(np.searchsorted(ends, element, side=side))
    return row, element - (ends[row - 1] if row else 0)


def kernel(program: Program, formats: tuple[tuple[str, Format], ...]) -> Native:
    """The compiled kernel of a program; made once for equal programs and formats."""
    return compile_ir(emitted(program, formats), identifier(program.name))


@lru_cache(maxsize=256)
def emitted(program: Program, formats: tuple[tuple[str, Format], ...]) -> str:
    """The IR of a program for tensors of these formats."""
    computed = computed_in(form for _, form in formats)
    return llvm.emit(program, dict(formats), computed, fused())
