"""What formats have beside arithmetic, where NumPy has no such operation itself."""

import ctypes
import ctypes.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruleonce.language import bits

c_library = ctypes.CDLL(ctypes.util.find_library("m"))
c_library.fmaf.restype = ctypes.c_float
c_library.fmaf.argtypes = [ctypes.c_float] * 3

patterns = st.integers(0, 2**32 - 1)
any_float32 = patterns.map(lambda pattern: np.array([pattern], np.uint32).view(np.float32))


def found(x, y, z):
    with np.errstate(all="ignore"):
        return bits.MULTIPLY_ADD.array(np, x, y, z)


def expected(x, y, z):
    return np.float32([c_library.fmaf(*one) for one in zip(x, y, z, strict=True)])


@given(any_float32, any_float32, any_float32)
def test_a_product_and_a_sum_are_rounded_once(x, y, z):
    np.testing.assert_array_equal(found(x, y, z), expected(x, y, z))


@given(st.integers(0, 2**23 - 1), st.integers(0, 2**23 - 1), st.integers(-160, 30))
def test_they_are_where_float64_would_round_to_the_middle_of_two_numbers(x, y, exponent):
    """The sum lies next to the middle, or on it, by less than float64 sees; denormals too."""
    one, other = (np.float32([1 + pattern * 2.0**-23]) for pattern in (x, y))
    product = one.astype(float) * other
    middle = np.spacing(product.astype(np.float32)) / 2 - product
    with np.errstate(under="ignore"):
        rest = np.ldexp(middle, exponent).astype(np.float32)
        scaled = np.ldexp(one, exponent).astype(np.float32)

    for z in (rest, -rest, np.nextafter(rest, np.float32(0)), np.float32([2.0**-149])):
        np.testing.assert_array_equal(found(scaled, other, z), expected(scaled, other, z))


def test_two_roundings_would_give_another_number():
    """1 + 2**-24 + 2**-60: float64 drops the last term, and half way goes to the even 1."""
    x, y, z = np.float32([2.0**-30]), np.float32([2.0**-30]), np.float32([1.0])
    half = np.float32([2.0**-24])

    assert found(x, y, z) == 1
    assert found(np.float32([1 + 2.0**-23]), half, z) == np.float32(1 + 2.0**-23)
    tiny = np.float32([2.0**-24 * (1 + 2.0**-23)])
    assert found(tiny, np.float32([1.0]), z) == np.float32(1 + 2.0**-23)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 0.0, -0.0])
def test_what_is_not_finite_stays_so(value):
    x, one = np.float32([value]), np.float32([1])

    for operands in ((x, one, one), (one, x, one), (one, one, x), (x, x, -x), (x, -one, x)):
        np.testing.assert_array_equal(found(*operands), expected(*operands))


def test_in_float64_the_product_is_rounded_too():
    x = np.array([1 + 2.0**-52])

    assert bits.MULTIPLY_ADD.array(np, x, x, -x * x) == 0
