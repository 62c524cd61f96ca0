"""How far two computations may differ, in one place.

Everything but these is demanded bit for bit. A unit in the last place (ulp) is counted by steps
from one floating-point number to the next, so the count is right among denormals and up to inf.
"""

import numpy as np

# The C library computes these for the kernels, in float64 and, for float32, rounded once. NumPy has
# vectorized versions of its own, good to 4 ulp (NumPy's SIMD documentation; its tests hold exp, log
# to 3 and tanh, arctan2, cbrt, power to 4). The two differ by at most what both may be off.
ULP = {"exp": 4, "log": 4, "tanh": 4, "arctan2": 4, "cbrt": 4, "power": 4}

_INTEGERS = {2: np.int16, 4: np.int32, 8: np.int64}


def ulps_apart(x, y):
    """The number of steps between two arrays of one dtype; 0 where both are nan, else huge."""
    places = []
    for values in (x, y):
        bits = values.view(_INTEGERS[values.itemsize]).astype(object)
        lowest = int(np.iinfo(_INTEGERS[values.itemsize]).min)
        places.append(np.where(bits < 0, lowest - bits, bits))  # -0.0 is 0
    apart = np.abs(places[0] - places[1]).astype(float)
    one_nan = np.isnan(x) != np.isnan(y)
    both_nan = np.isnan(x) & np.isnan(y)
    return np.where(both_nan, 0.0, np.where(one_nan, np.inf, apart))


# One step of a whole rule that uses such a function: a few of them, each amplified a little. Where
# it takes a weight through 0, what is left is small and its ulp too: then THROUGH_ZERO units of the
# largest element are allowed.
STEP_ULP = 64
THROUGH_ZERO = 4


def assert_close_step(got, expected, what, coarse=0):
    """Two results of one step from equal state, within STEP_ULP; numbers of the host are equal.

    coarse   the last place of what they are stored in, if it is above that of their dtype
    """
    if np.ndim(got) == 0:
        assert got == expected, what
    else:
        far = ulps_apart(got, expected) > STEP_ULP + coarse
        largest = np.max(np.abs(expected[np.isfinite(expected)]), initial=0)
        unit = float(largest) - float(np.nextafter(largest, np.zeros_like(largest)))
        apart = np.abs(got[far].astype(np.float64) - expected[far].astype(np.float64))
        assert np.all(apart <= THROUGH_ZERO * unit), what


# A rule that uses sums: NumPy and the kernels add up float64 in different orders, so a norm may be
# a few units of float64 off, and a step made of it as many of its own. Where such a step takes a
# weight through 0 these are many units of what is left, so they are counted at the largest element
# of the tensor. Measured over all rules: at most 3.
SUM_ULP = 16

# A sum of a million positive numbers, relative: 16 units of float64's rounding. 3 to 11 were
# measured, by how many elements the processor takes at a time; one by one it would be 1700.
LONG_SUM = 16 * 2.0**-53

# The numbers that a rule makes of totals, where products of both signs have been added up.
TOTAL_RELATIVE = 1e-12


def assert_close_sums(got, expected, what, coarse=0):
    """Two results of one step of a rule with sums, from equal state; `coarse` as above."""
    if np.ndim(got) == 0 and not isinstance(got, np.ndarray):
        np.testing.assert_allclose(got, expected, rtol=TOTAL_RELATIVE, atol=0, err_msg=what)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite], err_msg=what)
    largest = np.max(np.abs(expected[finite]), initial=0)
    unit = float(largest) - float(np.nextafter(largest, np.zeros_like(largest)))
    np.testing.assert_allclose(
        got.astype(np.float64),
        expected.astype(np.float64),
        rtol=0,
        atol=(SUM_ULP + coarse) * unit,
        err_msg=what,
    )


# A number that lies near the middle of two codes may be stored as the one or the other.
CODES = 1


def assert_close_codes(got, expected, what):
    """Two results that are stored as whole numbers, where what is stored may differ a little."""
    apart = np.abs(got.astype(np.int64) - expected.astype(np.int64))
    assert np.max(apart, initial=0) <= CODES, what


# JavaScript against Python, both in float64, relative. The host's numbers differ by the last bit of
# `**`, of which 1 - beta**t loses a few more; a rule then makes 50 steps of them.
HOST = 1e-14
JAVASCRIPT = 1e-12
