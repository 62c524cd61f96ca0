"""The functions that formats are written with, beside those of the language of rules."""

from typing import Any  # numbers, symbols, arrays: what comes in decides what goes out

from ..language import bits as _bits
from ..language.functions import apply

__all__ = (
    "bits",
    "block_max",
    "from_bits",
    "integer",
    "number",
    "round",
    "small_integer",
    "within",
)


def block_max(x: Any) -> Any:
    """The largest magnitude in a block: one number for each block; nan if one is there."""
    return apply(_bits.BLOCK_MAX, x)


def round(x: Any) -> Any:  # noqa: A001  (Python's own cannot take a traced number)
    """The nearest whole number, as a number; the even one of two that are as near."""
    return apply(_bits.ROUND, x)


def integer(x: Any) -> Any:
    """The nearest whole number, to be shifted and stored; 0 for nan. Between -2**31 and 2**31."""
    return apply(_bits.INTEGER, x)


def small_integer(x: Any) -> Any:
    """The same between -2**21 and 2**21, which takes a GPU fewer instructions."""
    return apply(_bits.SMALL_INTEGER, x)


def number(x: Any) -> Any:
    """A whole number as a number."""
    return apply(_bits.NUMBER, x)


def bits(x: Any) -> Any:
    """The 32 bits of a number in float32, as a whole number."""
    return apply(_bits.BITS, x)


def from_bits(x: Any) -> Any:
    """The number in float32 that these 32 bits are."""
    return apply(_bits.FROM_BITS, x)


def within(x: Any, most: Any) -> Any:
    """The number, or `most` with its sign where it is further from 0. What becomes of nan is left
    open; `most` is not negative.
    """
    return apply(_bits.WITHIN, x, most)
