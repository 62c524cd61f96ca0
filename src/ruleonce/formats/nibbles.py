"""Whole numbers of 4 bits, two in a byte: the first in the lower half."""

from typing import Any  # NumPy's own type variables for dtypes

import numpy as np

Array = np.ndarray[Any, Any]


def packed(values: Array) -> Array:
    """The bytes of whole numbers in a row; of each the lower 4 bits. An odd last one has 0 above
    it.
    """
    halves = np.zeros(len(values) + len(values) % 2, np.uint8)
    halves[: len(values)] = values & 15
    both: Array = halves[::2] | halves[1::2] << 4
    return both


def unpacked(both: Array, length: int, *, signed: bool) -> Array:
    """So many whole numbers of bytes, in a row."""
    halves = np.empty(2 * len(both), np.int32)
    halves[::2], halves[1::2] = both & 15, both >> 4
    return ((halves ^ 8) - 8 if signed else halves)[:length]
