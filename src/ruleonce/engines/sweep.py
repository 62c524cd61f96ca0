"""A compiled kernel over the rows of a table: on one thread, or shared by a team."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Literal, Protocol

import numpy as np

from . import Array
from .memory import address
from .native import Native

# Elements. Below it the GIL is kept: releasing it costs more than the work.
_RELEASE_GIL = 1 << 14
_GRAIN = 1 << 10  # threads meet at multiples of this, so they do not write to one cache line


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


class Sweep:
    """One pass over all elements, to be done any number of times.

    block   where threads share a tensor, they meet at multiples of this, counted from its first
            element; 0 if they may meet anywhere
    """

    def __init__(
        self, native: Native, table: Array, lengths: Sequence[int], team: Team, block: int = 0
    ) -> None:
        self._native = native
        self._table = table
        self._ends = list(accumulate(lengths))
        self._total = sum(lengths)
        self._block = block
        self._jobs: dict[int, Array] = {}
        self._tasks: dict[int, Callable[[], Job]] = {}
        self._whole = self._split(1)[0]
        self._is_tiny = self._total < _RELEASE_GIL
        self._is_shared = self._total >= team.worth
        self._team = team
        self._is_ready = False
        self._job: Job | None = None
        self._call_held = native.call_held

    def prepare(self) -> None:
        """Get ready to be run once."""
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
            if self._block:
                cuts = sorted({*map(self._at_block, cuts[:-1]), self._total})
            table = address(self._table)
            jobs = [
                (table, *self._place_of(begin, "right"), *self._place_of(end, "left"))
                for begin, end in pairwise(cuts)
            ]
            self._jobs[parts] = np.array(jobs or [(table, 0, 0, 0, 0)], np.int64)
        jobs_at, size = address(self._jobs[parts]), self._jobs[parts].strides[0]
        return [jobs_at + size * job for job in range(len(self._jobs[parts]))]

    def _at_block(self, element: int) -> int:
        """The element of the whole at which the block of this one begins."""
        return element - self._place_of(element, "right")[1] % self._block

    def _place_of(self, element: int, side: Literal["left", "right"]) -> tuple[int, int]:
        """The row that an element of the whole lies in, and its place there.

        The end of a run is a place too, and where a row ends the next one begins: `left` is the end
        of the one, `right` the begin of the other.
        """
        row = int(np.searchsorted(self._ends, element, side=side))
        return row, element - (self._ends[row - 1] if row else 0)
