"""A small pool of threads for large work: compiled calls that release the GIL.

Waking a thread costs about 50 us, so small work never comes here. The pool survives `fork` (the
child makes its own), and any number of threads may use it at once.
"""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import repeat
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..errors import EngineError

if TYPE_CHECKING:
    from .native import Native  # it imports llvmlite, and this does not need it

Call = Callable[[int], None]


def _available() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _from_environment() -> int:
    text = os.environ.get("RULEONCE_THREADS", "").strip()
    if not text:
        return _available()
    if not text.isdecimal() or int(text) < 1:
        raise EngineError(
            f"the environment variable RULEONCE_THREADS is {text!r}; it must be a whole number "
            "from 1 up, or not be set."
        )
    return int(text)


class Job:
    """One call for each of some pieces of work, the first of them on the thread that asks.

    What was done is noted in lists, by functions of C that Python does not interrupt between a call
    and its note. So where Ctrl-C ends `run`, running it again does what is left, and nothing twice.
    """

    def __init__(self, call: Call, pieces: Sequence[int]) -> None:
        self._call = call
        self._mine, self._others = pieces[:1], pieces[1:]
        if not _pool.grow(len(self._others)):
            self._mine, self._others = pieces, []
        self._given: list[None] = []
        self._done_here: list[None] = []
        self._done_there: list[None] = []
        self._news: SimpleQueue[None] = SimpleQueue()

    def run(self) -> None:
        """Return when every piece is done."""
        if not self._given:
            self._given.extend(map(_pool.pieces.put, zip(repeat(self), self._others)))
        if not self._done_here:
            self._done_here.extend(map(self._call, self._mine))
        while len(self._done_there) < len(self._others):
            with suppress(Empty):
                self._news.get(timeout=1.0)

    def do(self, piece: int) -> None:
        """Do one of the other pieces, on this thread."""
        self._call(piece)
        self._done_there.append(None)
        self._news.put(None)


class _Pool:
    """Threads that wait for pieces of work; made when they are first needed."""

    def __init__(self) -> None:
        self.pieces: SimpleQueue[tuple[Job, int]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0

    def grow(self, wanted: int) -> bool:
        """Have `wanted` threads, or as many as the system gives; False if it gives none."""
        if self._threads < wanted:
            with self._lock, suppress(RuntimeError):
                while self._threads < wanted:
                    threading.Thread(target=self._work, name="ruleonce", daemon=True).start()
                    self._threads += 1
        return self._threads > 0

    def _work(self) -> None:
        while True:
            job, piece = self.pieces.get()
            job.do(piece)
            del job  # or it would be kept until the next


_count: int | None = None
_is_set = False
_pool = _Pool()


def _after_fork() -> None:
    global _pool  # noqa: PLW0603  (the threads of the parent do not exist in the child)
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def set_threads(count: int) -> None:
    """Use `count` threads for large work, from the next step on.

    Without it the environment variable RULEONCE_THREADS says how many, or else there are as many as
    the process may use processors. The result of a step does not depend on it, bit for bit.

    Raises EngineError unless `count` is a whole number from 1 up.
    """
    global _count, _is_set
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise EngineError(f"set_threads({count!r}): it takes a whole number from 1 up.")
    _count, _is_set = count, True


def threads() -> int:
    """How many threads large work uses."""
    global _count  # noqa: PLW0603
    if _count is None:
        _count = _from_environment()
    return _count


def asked_for() -> int | None:
    """How many threads the user has asked for, by `set_threads` or by the environment."""
    return threads() if _is_set or os.environ.get("RULEONCE_THREADS", "").strip() else None


class PoolTeam:
    """The pool as a team; see engines.compiled. Waking it costs about 50 us."""

    worth = 1 << 19

    def size(self) -> int:
        """How many threads there are."""
        return threads()

    def task(self, native: "Native", pieces: Sequence[int]) -> Callable[[], Job]:
        """Calls of a kernel, one for each piece, to be done any number of times."""
        return lambda: Job(native.call, pieces)


POOL = PoolTeam()
