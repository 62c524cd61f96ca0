"""A small pool of threads for large work: compiled calls that release the GIL.

Waking a thread costs about 50 us, so small work never comes here. The pool survives `fork` (the
child makes its own), any number of threads may use it at once, and Ctrl-C waits for the pieces that
are under way, so nothing writes to an array behind the caller's back.
"""

import os
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from ..errors import EngineError

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
            f"the environment variable RULEONCE_THREADS is {text!r}; it must be a whole number from "
            "1 up, or not be set."
        )
    return int(text)


class _Job:
    """Pieces of one call, counted as they finish."""

    def __init__(self, call: Call, count: int) -> None:
        self.call = call
        self._count = count
        self._finished: list[None] = []
        self._news: SimpleQueue[None] = SimpleQueue()

    def do(self, piece: int) -> None:
        try:
            self.call(piece)
        finally:
            self._finished.append(None)
            self._news.put(None)

    def wait(self) -> None:
        """Return when every piece is done, Ctrl-C or not."""
        interrupt: KeyboardInterrupt | None = None
        while len(self._finished) < self._count:
            try:
                self._news.get(timeout=1.0)
            except Empty:
                continue
            except KeyboardInterrupt as raised:
                interrupt = raised
        if interrupt is not None:
            raise interrupt


class _Pool:
    """Threads that wait for pieces of work; made when they are first needed."""

    def __init__(self) -> None:
        self._pieces: SimpleQueue[tuple[_Job, int]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0

    def run(self, call: Call, pieces: Sequence[int]) -> None:
        """`call(piece)` for each, the first on this thread."""
        first, *others = pieces
        self._grow(len(others))
        job = _Job(call, len(others))
        for piece in others:
            self._pieces.put((job, piece))
        try:
            call(first)
        finally:
            job.wait()

    def _grow(self, wanted: int) -> None:
        if self._threads >= wanted:
            return
        with self._lock:
            while self._threads < wanted:
                thread = threading.Thread(target=self._work, name="ruleonce", daemon=True)
                thread.start()
                self._threads += 1

    def _work(self) -> None:
        while True:
            job, piece = self._pieces.get()
            job.do(piece)


_count: int | None = None
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
    global _count  # noqa: PLW0603  (one setting for the process, as torch.set_num_threads)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise EngineError(f"set_threads({count!r}): it takes a whole number from 1 up.")
    _count = count


def threads() -> int:
    """How many threads large work uses."""
    global _count  # noqa: PLW0603
    if _count is None:
        _count = _from_environment()
    return _count


def run(call: Call, pieces: Sequence[int]) -> None:
    """`call(piece)` for each piece, on as many threads as there are pieces."""
    _pool.run(call, pieces)
