"""Where arrays lie in memory."""

import ctypes
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Literal  # Any: arrays of any dtype

import numpy as np

Array = np.ndarray[Any, Any]

# Bytes. A gradient of at most this size is remembered with its address, since it may well come back
# at the next step. A larger one is not, so that its memory is free for the next.
REMEMBERED = 1 << 16

_char = ctypes.c_char
_addressof = ctypes.addressof


def address(array: Array) -> int:
    """The address of the first element.

    The buffer protocol tells it in a third of the time of `array.ctypes.data`, but only for a
    writable, C-contiguous array of a dtype that it knows.
    """
    try:
        return _addressof(_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):
        return int(array.ctypes.data)


def is_dense(array: Array) -> bool:
    """Whether the elements fill one block of memory, in C or Fortran order, as the processor has
    them: aligned, with its own byte order.
    """
    flags = array.flags
    return (flags.c_contiguous or flags.f_contiguous) and flags.aligned and array.dtype.isnative


def order_of(weights: Array) -> Literal["C", "F"]:
    """The order that the state of these weights lies in: theirs, where they are in one block."""
    return "F" if is_dense(weights) and not weights.flags.c_contiguous else "C"


def same_layout(array: Array, other: Array) -> bool:
    """Whether two dense arrays of one shape hold their elements in the same order."""
    a, b = array.flags, other.flags
    return bool((a.c_contiguous and b.c_contiguous) or (a.f_contiguous and b.f_contiguous))


class Regions:
    """Blocks of memory, to be asked whether another block touches them.

    An array that is not contiguous counts from its first byte to its last. Blocks that overlap, as
    those of interleaved slices do, are one.

    starts, ends   their addresses, sorted
    """

    def __init__(self, arrays: Iterable[Array]) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        for start, end in sorted(np.lib.array_utils.byte_bounds(x) for x in arrays if x.size):
            if self.ends and start < self.ends[-1]:
                self.ends[-1] = max(end, self.ends[-1])
            else:
                self.starts.append(start)
                self.ends.append(end)

    def touch(self, start: int, size: int) -> bool:
        """Whether any of `size` bytes from `start` lies in a block."""
        after = bisect_left(self.starts, start + size)
        return after > 0 and self.ends[after - 1] > start and size > 0


def overlapping(arrays: list[Array]) -> tuple[int, int] | None:
    """Two of the arrays that share an element, by their places in the list, or None.

    Slices that interleave without sharing an element (x[::2], x[1::2]) do not overlap.
    """
    bounds = sorted((*np.lib.array_utils.byte_bounds(x), i) for i, x in enumerate(arrays) if x.size)
    open_until: list[tuple[int, int]] = []  # (end, place) of the arrays that may reach further
    for start, end, place in bounds:
        open_until = [(e, i) for e, i in open_until if e > start]
        for _, other in open_until:
            if np.shares_memory(arrays[place], arrays[other]):
                return min(place, other), max(place, other)
        open_until.append((end, place))
    return None


def overlaps_itself(array: Array) -> bool:
    """Whether two elements are one place in memory, as in a broadcast array or a sliding window."""
    if array.flags.contiguous or array.size < 2:
        return False
    steps = sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1)
    reach = array.itemsize  # bytes that the dimensions so far span
    for stride, count in steps:
        if stride < reach:
            break
        reach += stride * (count - 1)
    else:
        return False
    places = np.zeros(1, np.int64)  # rare: such strides may still miss each other
    for stride, count in steps:
        places = np.add.outer(places, np.arange(count) * stride).reshape(-1)
    places.sort()
    return bool(np.any(np.diff(places) < array.itemsize))
