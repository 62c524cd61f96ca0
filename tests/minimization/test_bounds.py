"""Bounds: what they may be, and that they hold to the last bit."""

import numpy as np
import pytest
from bowl import Bowl

import ruleonce as ro
from ruleonce.errors import TensorError


class Box:
    """Shaped as scipy.optimize.Bounds, which need not be installed."""

    def __init__(self, lb, ub):
        self.lb, self.ub = lb, ub


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ([(0.0, 1.0), (1.0, 0.0), (0.0, 1.0)], r"element 1 are 1\.0 and 0\.0"),
        ([(np.inf, np.inf)] * 3, "a number must lie between"),
        (Box(-np.inf, -np.inf), "a number must lie between"),
        (Box(np.nan, 1.0), "element 0 are nan"),
        ([(0.0, 1.0)] * 2, "2 entries, and x0 has 3"),
        ([(0.0, 1.0, 2.0)] * 3, "a pair"),
        (Box([0.0, 0.0], [1.0, 1.0]), r"shape \(2,\), and x0 has \(3,\)"),
    ],
)
def test_bounds_that_cannot_be_are_refused_before_anything_is_asked(bounds, message):
    bowl = Bowl()
    with pytest.raises(TensorError, match=message):
        ro.minimize(bowl, np.ones(3), jac=bowl.gradient, bounds=bounds)

    assert bowl.gradients == bowl.values == 0


def test_a_bound_holds_in_float32_where_its_nearest_number_is_beyond_it():
    asked = []

    def gradient(x):
        asked.append(x)
        return np.array([1.0, -1.0, 1.0], np.float32)

    low, high = 0.7, 0.3  # their nearest numbers in float32 are below, and above
    assert float(np.float32(low)) < low
    assert float(np.float32(high)) > high
    ro.minimize(
        lambda x: 0.0,
        np.array([0.8, 0.2, 5.0], np.float32),
        jac=gradient,
        bounds=[(low, 0.9), (0.1, high), (0.1, 0.1)],
        learning_rate=0.05,
        maxiter=9,
    )

    assert all(low <= float(x[0]) and float(x[1]) <= high for x in asked)
    assert all(x[2] == np.float32(0.1) for x in asked)  # nothing is between: the nearest one
    assert asked[-1][0] < low + 1e-6  # they were met
    assert asked[-1][1] > high - 1e-6


@pytest.mark.parametrize("slope", [3e-5, -3e-5])
def test_far_from_zero_a_small_gradient_is_not_taken_for_none(slope):
    """There x - gradient is x, to rounding; the way to the bound is long all the same."""
    found = ro.minimize(
        lambda x: 0.0,
        np.full(1, 1000.0, np.float32),
        jac=lambda x: np.full(1, slope, np.float32),
        bounds=[(0.0, 2000.0)],
        maxiter=5,
    )

    assert (found.status, found.nit) == (1, 5)


@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_at_a_bound_only_what_leads_outwards_does_not_count(slope):
    at = 0.0 if slope > 0 else 1.0
    ends, goes = (
        ro.minimize(
            lambda x: 0.0, [at], jac=lambda x, s=s: np.full(1, s), bounds=[(0, 1)], maxiter=1
        )
        for s in (slope, -slope)
    )

    assert (ends.status, ends.nit) == (0, 0)
    assert (goes.status, goes.nit) == (1, 1)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
def test_differences_stay_between_the_bounds_and_leave_fixed_elements_alone(jac):
    asked = []

    def fun(x):
        asked.append(x.copy())
        assert x.shape == (1, 3)
        a, b, c = x[0]
        return float(2 * np.sqrt(a) - np.log(a) + (b - 3) ** 2 + (c - 1) ** 2)

    found = ro.minimize(
        fun,
        [[2.0, 5.0, 0.0]],
        jac=jac,
        bounds=[(1e-3, None), (2.0, 2.0), (None, 0.5)],
        learning_rate=0.02,
        gtol=1e-4,
    )

    assert found.success
    np.testing.assert_allclose(found.x, [[1.0, 2.0, 0.5]], atol=1e-2)
    assert all(x[0, 0] >= 1e-3 and x[0, 1] == 2.0 and x[0, 2] <= 0.5 for x in asked)
    assert found.nfev == len(asked)


def test_where_all_is_fixed_a_run_is_over_at_once():
    found = ro.minimize(lambda x: float(x[0]), [3.0], bounds=[(2.0, 2.0)])

    assert (found.success, found.nit, found.nfev, found.x.tolist()) == (True, 0, 1, [2.0])


def test_two_numbers_are_bounds_of_all_elements():
    found = ro.minimize(
        Bowl(), np.zeros(3), jac=Bowl().gradient, bounds=Box(-1.0, 0.25), learning_rate=0.1
    )

    np.testing.assert_array_equal(found.x, [0.25, -1.0, 0.25])
