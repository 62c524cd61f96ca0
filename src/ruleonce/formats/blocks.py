"""Eight or four bits an element, and a scale for each block of elements.

A scale is worth one level. It is at least 1e-37, so that it never underflows and its reciprocal is
finite; in a block of zeros it is 0. A block that holds inf or nan is nan as a whole.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any  # symbols

from ..language.functions import abs, sqrt, where  # noqa: A004
from .floating import FLOAT32, INT4, INT8, UINT4, UINT8, Format
from .functions import bits, block_max, from_bits, number, small_integer, within
from .storage import Part, Storage, per_block

BLOCK = 128  # elements; a scale of 4 bytes for each adds a 32nd of a byte an element

_SMALLEST = 1e-37
_WHOLE = 1.5 * 2.0**23


def _once(make: Callable[[int], Storage]) -> Callable[..., Storage]:
    """The format of each size of blocks is made once: kernels are kept by it."""
    cached = cache(make)

    @wraps(make)
    def of(block: int = BLOCK) -> Storage:
        return cached(block)

    return of


def _scale(largest: Any, levels: float) -> tuple[Any, Any]:
    """The scale of a block, and that which its elements are divided by: it is not 0."""
    odd = largest - largest  # 0; nan for inf and nan
    scale = largest * (1 / levels)
    divisor = where(scale < _SMALLEST, _SMALLEST, scale)
    return where(largest == 0, 0.0, divisor) + odd, divisor


def _level(x: Any, levels: Any) -> Any:
    """The nearest whole number of levels, as the lower bits of one; where x is above 0 at least 1.

    Near 1.5 * 2**23 nothing but whole numbers is: a product is rounded to one as it is added.
    """
    whole, first = levels + _WHOLE, _WHOLE + 1
    return bits(where(x > 0, where(whole > first, whole, first), _WHOLE))


def _parts(codes: Format) -> dict[str, Part]:
    return {"codes": Part(codes), "scale": per_block(FLOAT32)}


@_once
def int8(block: int = BLOCK) -> Storage:
    """Numbers of either sign in 8 bits, finer towards 0.

    A level is a 255th of the largest number in the block, as in uint8_sqrt: so a velocity vanishes
    where its history does, and their quotient stays what it was. From 64 levels on, codes are 191 /
    63 levels apart, and 127 stands for the largest.
    """
    return _finer_towards_0(int8, INT8, 255.0, 64, 191 / 63, block)


@_once
def int4(block: int = BLOCK) -> Storage:
    """Numbers of either sign in 4 bits, finer towards 0.

    A level is a 15th of the largest number in the block, as in uint4_sqrt; codes stand for 0, 1, 2,
    3, 6, 9, 12 and 15 of them.
    """
    return _finer_towards_0(int4, INT4, 15.0, 3, 3.0, block)


def _finer_towards_0(
    made_by: Any, codes: Format, largest: float, knee: int, apart: float, block: int
) -> Storage:
    """Codes are one level apart up to a code, and from there on `apart` levels."""

    def decode(codes, scale):  # type: ignore[no-untyped-def]  # symbols
        x = number(codes)
        return x * (scale * apart) - within(x, knee) * (scale * (apart - 1))

    def encode(x):  # type: ignore[no-untyped-def]
        scale, divisor = _scale(block_max(x), largest)
        inverse, fine = 1.0 / divisor, within(x, divisor * knee)
        levels = x * (inverse * (1 / apart)) + fine * (inverse * (1 - 1 / apart))
        return small_integer(levels), scale

    return Storage(made_by.__name__, decode, encode, _parts(codes), block, (made_by, block))


@_once
def int8_linear(block: int = BLOCK) -> Storage:
    """Numbers of either sign in 255 levels that are equally far apart."""

    def decode(codes, scale):  # type: ignore[no-untyped-def]
        return number(codes) * scale

    def encode(x):  # type: ignore[no-untyped-def]
        scale, divisor = _scale(block_max(x), 127.0)
        return small_integer(x * (1.0 / divisor)), scale

    return Storage("int8_linear", decode, encode, _parts(INT8), block, (int8_linear, block))


@_once
def uint8_sqrt(block: int = BLOCK) -> Storage:
    """Numbers that are never negative, such as squares, by their roots in 255 equal levels.

    Roots have half the range of squares, and what is above 0 has at least level 1: a divisor does
    not become 0.
    """
    return _roots(uint8_sqrt, UINT8, 255.0, block)


@_once
def uint4_sqrt(block: int = BLOCK) -> Storage:
    """Numbers that are never negative, by their roots in 15 equal levels; above 0 at least level 1.

    What is far below the largest of its block is kept as a 225th of it, so where it is divided by,
    steps are too short, never too long.
    """
    return _roots(uint4_sqrt, UINT4, 15.0, block)


def uint8_sqrt_stochastic(block: int = BLOCK, seed: int = 0) -> Storage:
    """The same as uint8_sqrt, rounded by chance: the mean of a root is right above level 1.

    With beta2 = 0.999 a root changes by less than half a level at a step. To the nearest level it
    would never fade; by chance it does, now and then, by a whole level.

    seed   of the random bits, of which 23 are used for each number; see random_bits
    """
    return _uint8_sqrt_stochastic(block, seed)


@cache
def _uint8_sqrt_stochastic(block: int, seed: int) -> Storage:
    nearest, largest = uint8_sqrt(block), 255.0

    def encode(x, random):  # type: ignore[no-untyped-def]
        root = sqrt(x)
        scale, divisor = _scale(block_max(root), largest)
        # Between -1/2 and 1/2, and as far from both as a level is off after its root is taken.
        chance = number(random >> 9) * (2.0**-23 - 2.0**-35) - (0.5 - 2.0**-13)
        levels = root * (1.0 / divisor) + chance
        return _level(root, where(levels < largest, levels, largest)), scale

    made_by = (uint8_sqrt_stochastic, block, seed)
    parts, name = nearest.parts, "uint8_sqrt_stochastic"
    return Storage(name, nearest.decode, encode, parts, block, made_by, seed=seed)


def _roots(made_by: Any, codes: Format, largest: float, block: int) -> Storage:
    def decode(codes, scale):  # type: ignore[no-untyped-def]
        root = number(codes) * scale
        return root * root

    def encode(x):  # type: ignore[no-untyped-def]
        root = sqrt(x)
        scale, divisor = _scale(block_max(root), largest)
        return _level(root, root * (1.0 / divisor)), scale

    return Storage(made_by.__name__, decode, encode, _parts(codes), block, (made_by, block))


@_once
def uint8_linear(block: int = BLOCK) -> Storage:
    """Numbers that are never negative, in 255 equal levels; above 0 at least level 1."""

    def decode(codes, scale):  # type: ignore[no-untyped-def]
        return number(codes) * scale

    def encode(x):  # type: ignore[no-untyped-def]
        scale, divisor = _scale(block_max(x), 255.0)
        return _level(x, x * (1.0 / divisor)), scale

    return Storage("uint8_linear", decode, encode, _parts(UINT8), block, (uint8_linear, block))


def _float8(made_by: Any, mantissa: int, bias: int, largest: float, block: int) -> Storage:
    """Eight bits: sign, exponent, mantissa. In a float32 with its exponent shifted by as much as
    the biases differ, they are the upper bits; so are the numbers below the least exponent.
    """
    cut = 23 - mantissa
    shift = 2.0 ** (127 - bias)

    def decode(codes, scale):  # type: ignore[no-untyped-def]
        size = from_bits((codes & 0x7F) << cut) * shift
        return where(number(codes) < 0, -size, size) * scale

    def encode(x):  # type: ignore[no-untyped-def]
        scale, divisor = _scale(block_max(x), largest)
        levels = x * (1.0 / divisor)
        levels = where(levels == levels, levels, 0.0)  # noqa: PLR0124  (what bits nan has is open)
        pattern = bits(abs(levels) * (1 / shift))
        half = (1 << (cut - 1)) - 1
        upper = (pattern + (((pattern >> cut) & 1) + half)) >> cut
        return upper | ((bits(levels) >> 24) & 0x80), scale

    name = made_by.__name__
    return Storage(name, decode, encode, _parts(INT8), block, (made_by, block))


@_once
def float8_e4m3(block: int = BLOCK) -> Storage:
    """Four bits of exponent, three of mantissa, scaled so that the largest number is 448."""
    return _float8(float8_e4m3, 3, 7, 448.0, block)


@_once
def float8_e5m2(block: int = BLOCK) -> Storage:
    """Five bits of exponent, two of mantissa, scaled so that the largest number is 57344."""
    return _float8(float8_e5m2, 2, 15, 57344.0, block)
