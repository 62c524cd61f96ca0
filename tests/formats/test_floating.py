"""Storage in 16 bits: rounded once, to nearest even, whatever it is rounded from."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from ruleonce.errors import TensorTypeError
from ruleonce.formats import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    INT4,
    UINT4,
    computed_in,
    format_of,
    loaded,
    stored,
)


def nearest_bfloat16(value):
    """By exact fractions: the two neighbours, the nearer one, the even one on a tie."""
    below = np.float32(value).view(np.uint32) & np.uint32(0xFFFF0000)
    candidates = [(below + np.uint32(step << 16)).view(np.float32) for step in (0, 1)]
    if abs(float(np.float32(below.view(np.float32)))) > abs(value):  # float32 rounded it up
        candidates.insert(0, (below - np.uint32(1 << 16)).view(np.float32))
    exact = Fraction(value)
    return min(
        candidates,
        key=lambda c: (abs(Fraction(float(c)) - exact), (c.view(np.uint32) >> 16) & 1),
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("offset", [0.0, 2.0**-40, -(2.0**-40), 2.0**-9, 3 * 2.0**-9])
def test_float64_is_rounded_to_bfloat16_once(offset, sign):
    """1 + 2**-8 lies half way; a bit below float32's last decides, and float32 would drop it."""
    value = sign * (1 + 2.0**-8 + offset)

    got = stored(np.array([value]), BFLOAT16)

    assert got.dtype == ml_dtypes.bfloat16
    assert float(got[0]) == float(nearest_bfloat16(value))


def test_random_float64_are_rounded_to_bfloat16_once():
    rng = np.random.default_rng(0)
    values = rng.normal(size=500) * 2.0 ** rng.integers(-120, 120, 500)

    got = stored(values, BFLOAT16).astype(np.float32)

    np.testing.assert_array_equal(got, [nearest_bfloat16(x) for x in values])


def test_what_is_not_finite_stays_what_it_is():
    values = np.array([np.inf, -np.inf, np.nan, 1e300, -1e300, 0.0, -0.0])

    with np.errstate(over="ignore"):
        got = stored(values, BFLOAT16).astype(np.float64)

    np.testing.assert_array_equal(got, [np.inf, -np.inf, np.nan, np.inf, -np.inf, 0.0, -0.0])
    assert np.signbit(got[-1])


def test_a_kernel_computes_in_the_widest_of_its_formats_and_at_least_in_float32():
    assert computed_in([FLOAT16, BFLOAT16]) is FLOAT32
    assert computed_in([FLOAT16, FLOAT64]) is FLOAT64
    assert computed_in([FLOAT32]) is FLOAT32


@pytest.mark.parametrize(
    ("dtype", "advice"),
    [("int32", "astype"), ("bool", "astype"), ("complex128", "x.view"), ("float128", "float64")],
)
def test_a_dtype_without_a_format_is_refused_with_advice(dtype, advice):
    with pytest.raises(TensorTypeError, match=f"the thing has dtype {dtype}") as caught:
        format_of(np.dtype(dtype), "the thing")

    assert advice in str(caught.value)


def test_two_numbers_of_4_bits_stand_in_a_byte_the_first_in_the_lower_half():
    codes = np.array([1, -2, 7, -8, 3], np.int32)
    both = stored(codes, INT4)

    np.testing.assert_array_equal(both, np.array([0xE1, 0x87, 0x03], np.uint8))
    np.testing.assert_array_equal(loaded(both, INT4, 5), codes)
    np.testing.assert_array_equal(loaded(both, UINT4, 5), codes & 15)
    np.testing.assert_array_equal(stored(codes & 15, UINT4), both)
    assert stored(codes[:0], UINT4).shape == loaded(both[:0], UINT4, 0).shape == (0,)
