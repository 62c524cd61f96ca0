"""Rounding by chance: up or down, with the probability that makes the mean right.

Rounding to nearest loses a change of less than half a step, at every step of training again. By
chance it is made now and then, in full.
"""

from functools import cache

from ..language.functions import where
from .floating import BFLOAT16
from .functions import bits, from_bits
from .storage import Part, Storage

_NAN = 0x7FC00000


def bfloat16_stochastic(seed: int = 0) -> Storage:
    """bfloat16, rounded by chance: a float32 goes up with the probability of what is cut off, in
    units of the last place. What is a bfloat16 already stays as it is, and so do inf and nan; what
    lies above the largest bfloat16 becomes it, or inf.

    seed   of the random bits, of which 16 are used for each number; see random_bits
    """
    return _bfloat16_stochastic(seed)


@cache
def _bfloat16_stochastic(seed: int) -> Storage:
    def decode(value):  # type: ignore[no-untyped-def]  # symbols
        return value

    def encode(x, random):  # type: ignore[no-untyped-def]
        pattern = where(x == x, bits(x), _NAN)  # noqa: PLR0124  (not for nan)
        return from_bits(((pattern + (random & 0xFFFF)) >> 16) << 16)

    made_by = (bfloat16_stochastic, seed)
    parts = {"value": Part(BFLOAT16)}
    return Storage("bfloat16_stochastic", decode, encode, parts, made_by=made_by, seed=seed)
