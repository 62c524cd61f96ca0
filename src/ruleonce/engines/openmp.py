"""The OpenMP team of another library as threads for a step.

A second set of threads beside the one that a library has already woken costs twice: its own wake-up
and the processors that the first one is still spinning on. So where PyTorch is loaded, a step runs
inside PyTorch's own team: `GOMP_parallel` of the very libgomp that it loaded, called with a small
compiled function in which each thread asks for its number and takes its pieces. GNU's library and
LLVM's (libomp, Intel's libiomp5) both have these entry points.
"""

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from . import threads
from .memory import address
from .native import Native, compile_ir

_LIBRARIES = ("libgomp", "libomp", "libiomp5")

# What the threads do. `data` is five numbers: the address of the first piece, how many there are,
# the bytes of one, then the addresses of the kernel and of OpenMP's two questions. A team may turn
# out smaller than was asked for, so a thread goes on with every so-manieth piece.
_TEAM = """\
define void @team(ptr %data) {
entry:
  %count.from = getelementptr i64, ptr %data, i64 1
  %size.from = getelementptr i64, ptr %data, i64 2
  %kernel.from = getelementptr i64, ptr %data, i64 3
  %number.from = getelementptr i64, ptr %data, i64 4
  %threads.from = getelementptr i64, ptr %data, i64 5
  %pieces = load ptr, ptr %data
  %count = load i64, ptr %count.from
  %size = load i64, ptr %size.from
  %kernel = load ptr, ptr %kernel.from
  %number.asked = load ptr, ptr %number.from
  %threads.asked = load ptr, ptr %threads.from
  %number.32 = call i32 %number.asked()
  %threads.32 = call i32 %threads.asked()
  %number = sext i32 %number.32 to i64
  %threads = sext i32 %threads.32 to i64
  br label %loop
loop:
  %piece = phi i64 [ %number, %entry ], [ %next, %body ]
  %some = icmp slt i64 %piece, %count
  br i1 %some, label %body, label %done
body:
  %offset = mul i64 %piece, %size
  %at = getelementptr i8, ptr %pieces, i64 %offset
  call void %kernel(ptr %at)
  %next = add i64 %piece, %threads
  br label %loop
done:
  ret void
}
"""


class OpenMPTask:
    """A parallel region, to be entered any number of times."""

    def __init__(self, team: "OpenMPTeam", native: Native, pieces: Sequence[int]) -> None:
        size = pieces[1] - pieces[0] if len(pieces) > 1 else 0
        kernel = ctypes.cast(native.call, ctypes.c_void_p).value
        self._data = np.array([pieces[0], len(pieces), size, kernel, *team.questions], np.int64)
        self.arguments = ([team.function], [address(self._data)], [len(pieces)], [0])
        self.parallel = team.parallel
        self._on_the_pool = threads.POOL.task(native, pieces)

    def __call__(self) -> "OpenMPJob | threads.Job":
        """Get ready to enter it."""
        return self._on_the_pool() if _forked else OpenMPJob(self)


class OpenMPJob:
    """A parallel region that is entered once. That is noted by a function of C, so that running it
    again after Ctrl-C does nothing twice.
    """

    def __init__(self, task: OpenMPTask) -> None:
        self._task = task
        self._done: list[None] = []

    def run(self) -> None:
        """Return when every piece is done."""
        if not self._done:
            self._done.extend(map(self._task.parallel, *self._task.arguments))


class OpenMPTeam:
    """The team of an OpenMP library that is loaded already."""

    worth = 1 << 16

    def __init__(self, library: ctypes.CDLL) -> None:
        self._native = compile_ir(_TEAM, "team")
        self.function = ctypes.cast(self._native.call, ctypes.c_void_p).value or 0
        self.parallel = library.GOMP_parallel
        self.parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        self.parallel.restype = None
        self.questions = tuple(
            ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            for name in ("omp_get_thread_num", "omp_get_num_threads")
        )
        self._largest = library.omp_get_max_threads
        self._largest.restype = ctypes.c_int

    def size(self) -> int:
        """As many threads as the library would use, or as ruleonce.set_threads says."""
        return threads.asked_for() or int(self._largest())

    def task(self, native: Native, pieces: Sequence[int]) -> OpenMPTask:
        """Calls of a kernel, one for each piece, to be done any number of times."""
        return OpenMPTask(self, native, pieces)


@cache
def team_of(package: str) -> OpenMPTeam | None:
    """The team of the OpenMP library that a package has loaded; None if none is found.

    package   the folder of the package: where several such libraries are loaded, its own is taken
    """
    for path in _loaded(Path(package)):
        try:
            return OpenMPTeam(ctypes.CDLL(str(path)))
        except (OSError, AttributeError):  # not that kind of OpenMP
            continue
    return None


def _loaded(package: Path) -> list[Path]:
    """The OpenMP libraries of this process (Linux only), those in the package's folder first."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return []
    found = {Path(line.split(maxsplit=5)[5]) for line in maps.splitlines() if "/" in line}
    libraries = [path for path in found if path.name.startswith(_LIBRARIES)]
    own = [path for path in libraries if package in path.parents]
    # A library of the system's, or of another package: only where there is no doubt which.
    return own or (libraries if len(libraries) == 1 else [])


_forked = False  # the team of the parent has no threads in the child, and libgomp would wait for it


def _after_fork() -> None:
    global _forked  # noqa: PLW0603
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
