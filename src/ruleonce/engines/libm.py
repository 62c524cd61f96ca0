"""The addresses of the C library's functions, under the names that kernels call them by."""

import ctypes
import ctypes.util
import sys
from collections.abc import Iterator

from ..emit.llvm import LIBRARY


def addresses() -> Iterator[tuple[str, int]]:
    """`ruleonce.exp` and its like, with where they are in this process."""
    library = _library()
    for function, _ in LIBRARY.values():
        pointer = ctypes.cast(getattr(library, function), ctypes.c_void_p).value
        assert pointer is not None  # noqa: S101
        yield f"ruleonce.{function}", pointer


def _library() -> ctypes.CDLL:
    if sys.platform == "win32":
        return ctypes.CDLL("ucrtbase")
    return ctypes.CDLL(ctypes.util.find_library("m"))  # None, where the C library has them: itself
