"""Weights of 16 bits that models compute with, and beside them the bits that rounding took away."""

from functools import cache

from ..language.functions import where
from .floating import BFLOAT16, INT8, INT16
from .functions import bits, from_bits
from .storage import Part, Storage

_NAN = 0x7FC00000


@cache
def bfloat16_8() -> Storage:
    """bfloat16 and 8 more bits: the upper 24 of the 32 bits of a float32.

    The bfloat16 is the nearest, away from 0 where two are as near. The error is the difference of
    the bit patterns.
    """

    def decode(weights, error):  # type: ignore[no-untyped-def]  # symbols
        return from_bits(bits(weights) + (error << 8))

    def encode(x):  # type: ignore[no-untyped-def]
        pattern = where(x == x, bits(x), _NAN)  # noqa: PLR0124  (not for nan)
        whole = (pattern + 0x80) >> 8
        upper = (whole + 0x80) >> 8
        return from_bits(upper << 16), whole - (upper << 8)

    parts = {"weights": Part(BFLOAT16), "error": Part(INT8)}
    return Storage("bfloat16+8", decode, encode, parts, made_by=(bfloat16_8,))


@cache
def bfloat16_16() -> Storage:
    """bfloat16 and 16 more bits: a float32, bit for bit.

    The bfloat16 is the nearest, away from 0 where two are as near.
    """

    def decode(weights, error):  # type: ignore[no-untyped-def]
        return from_bits(bits(weights) + error)

    def encode(x):  # type: ignore[no-untyped-def]
        pattern = where(x == x, bits(x), _NAN)  # noqa: PLR0124
        upper = ((pattern + 0x8000) >> 16) << 16
        return from_bits(upper), pattern - upper

    parts = {"weights": Part(BFLOAT16), "error": Part(INT16)}
    return Storage("bfloat16+16", decode, encode, parts, made_by=(bfloat16_16,))
