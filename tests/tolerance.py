"""How far two computations may differ, in one place.

Everything but these is demanded bit for bit. A unit in the last place (ulp) is counted by steps
from one floating-point number to the next, so the count is right among denormals and up to inf.
"""

import numpy as np

# The C library computes these for the kernels, in float64 and, for float32, rounded once. NumPy has
# vectorized versions of its own, good to 4 ulp (NumPy's SIMD documentation; its tests hold exp, log
# to 3 and tanh, cbrt, power to 4). What differs between the two is at most what both may be off.
ULP = {"exp": 4, "log": 4, "tanh": 4, "cbrt": 4, "power": 4}

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


# One step of a whole rule that uses such a function: a few of them, each amplified a little.
STEP_ULP = 64


def assert_close_step(got, expected, what):
    """Two results of one step from equal state, within STEP_ULP; numbers of the host are equal."""
    if np.ndim(got) == 0:
        assert got == expected, what
    else:
        assert np.max(ulps_apart(got, expected), initial=0.0) <= STEP_ULP, what
