"""Weights of 16 bits that models compute with, and beside them the bits that rounding took away.

float16 has five bits of exponent, so numbers of a float16 and more bits are equally far apart below
6.1e-5, its least normal number, and end at 65520, from where on float16 is inf.
"""

from functools import cache
from typing import Any  # symbols

from ..language.functions import abs, where  # noqa: A004
from .floating import BFLOAT16, FLOAT16, INT8, INT16, Format
from .functions import bits, from_bits, integer, number
from .storage import Part, Storage

_NAN = 0x7FC00000
_SIGN = -(1 << 31)  # the bit of it

_NORMAL = 2.0**-14  # the least normal number of float16
_BIASES = 127 - 15  # that of float32, and that of float16


@cache
def bfloat16_8() -> Storage:
    """bfloat16 and 8 more bits: the upper 24 of the 32 bits of a float32.

    The bfloat16 is the nearest, away from 0 where two are as near. The error is the difference of
    the bit patterns, whose lower bits are those of the pattern: no more are stored.
    """

    def decode(weights, error):  # type: ignore[no-untyped-def]  # symbols
        return from_bits(bits(weights) + (error << 8))

    def encode(x):  # type: ignore[no-untyped-def]
        pattern = where(x == x, bits(x), _NAN) + 0x80  # noqa: PLR0124  (not for nan)
        return from_bits(((pattern + 0x8000) >> 16) << 16), pattern >> 8

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
        return from_bits(((pattern + 0x8000) >> 16) << 16), pattern

    parts = {"weights": Part(BFLOAT16), "error": Part(INT16)}
    return Storage("bfloat16+16", decode, encode, parts, made_by=(bfloat16_16,), is_exact=True)


@cache
def float16_8() -> Storage:
    """float16 and 8 more bits: a number of 5 bits of exponent and 18 of mantissa.

    It is right to 2**-19 of itself from 2**-14 on, and below to 2**-33. The float16 is the
    nearest to it, away from 0 where two are as near; from 65519.9375 on both are inf.
    """

    def decode(weights, error):  # type: ignore[no-untyped-def]
        return _with_error(weights, error << 5, number(error) * 2.0**-32)

    def encode(x):  # type: ignore[no-untyped-def]
        size, fits = _that_fits(x, 65519.9375)
        small = bits(size + 2.0**-9) - 0x3B000000  # the last bit of 2**-9 is worth 2**-32
        normal = ((bits(size) + 0x10) >> 5) - (_BIASES << 18)
        return _float16(x, fits, where(size < _NORMAL, small, normal), 8)

    return _of_float16("float16+8", decode, encode, INT8, float16_8)


@cache
def float16_16() -> Storage:
    """float16 and 16 more bits: a number of 5 bits of exponent and 26 of mantissa.

    It is a float32, bit for bit, from 2**-17 to 65520, and below right to 2**-41. The float16 is
    the nearest to it, away from 0 where two are as near; from 65520 on both are inf.
    """

    def decode(weights, error):  # type: ignore[no-untyped-def]
        whole = ((error + 0x8000) >> 3) - 0x1000  # an 8th of the error, with its sign
        return _with_error(weights, whole, number(error) * 2.0**-40)

    def encode(x):  # type: ignore[no-untyped-def]
        size, fits = _that_fits(x, 65520.0)
        small = integer(where(size < _NORMAL, size, 0.0) * 2.0**40)
        normal = (bits(size) - (_BIASES << 23)) << 3
        return _float16(x, fits, where(size < _NORMAL, small, normal), 16)

    return _of_float16("float16+16", decode, encode, INT16, float16_16)


def _of_float16(name: str, decode: Any, encode: Any, error: Format, made_by: Any) -> Storage:
    parts = {"weights": Part(FLOAT16), "error": Part(error)}
    return Storage(name, decode, encode, parts, made_by=(made_by,), is_exact=error is INT16)


def _with_error(weights: Any, of_pattern: Any, of_number: Any) -> Any:
    """The error is one of the pattern of a float32, or below the least normal number (and at it,
    where the error may be negative) of the number itself.
    """
    size = abs(weights)
    normal = from_bits(bits(size) + of_pattern)
    return _with_sign_of(weights, where(size > _NORMAL, normal, size + of_number))


def _that_fits(x: Any, infinite: float) -> tuple[Any, Any]:
    """The magnitude in float32, whatever is computed in, and whether it is below `infinite`; 0 for
    one that is not.
    """
    size = abs(from_bits(bits(x)))
    fits = size < infinite
    return where(fits, size, 0.0), fits


def _float16(x: Any, fits: Any, pattern: Any, count: int) -> tuple[Any, Any]:
    """The float16 and the error, of so many bits.

    pattern   of the magnitude, with 5 bits of exponent; its upper 15 bits, once it is rounded to
              them, are those of the float16
    """
    upper = (pattern + (1 << (count - 1))) >> count
    normal = from_bits((upper << 13) + (_BIASES << 23))
    small = number(upper) * 2.0**-24
    weights = where(fits, where(small < _NORMAL, small, normal), abs(x) * 3e38)  # inf, or nan
    return _with_sign_of(x, weights), pattern - (upper << count)


def _with_sign_of(x: Any, size: Any) -> Any:
    return from_bits(bits(size) | (bits(x) & _SIGN))
