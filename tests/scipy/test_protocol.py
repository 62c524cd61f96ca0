"""scipy.optimize.minimize with a rule as its method: each sharp edge of that protocol."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize
from bowl import CENTRE, SCALES, Bowl
from scipy.optimize import OptimizeResult, OptimizeWarning, rosen, rosen_der

import ruleonce.scipy
from ruleonce import schedules
from ruleonce.errors import TensorTypeError


def run(fun, x0=(3.0, 3.0, 3.0), options=None, **more):
    options = {"learning_rate": 0.1, "maxiter": 3000} | (options or {})
    return scipy.optimize.minimize(fun, x0, method=ruleonce.scipy.adam, options=options, **more)


@pytest.fixture
def bowl():
    return Bowl()


def test_adam_finds_the_valley_of_rosenbrock():
    found = scipy.optimize.minimize(
        rosen,
        [-1.2, 1.0],
        jac=rosen_der,
        method=ruleonce.scipy.adam,
        options={"learning_rate": 0.02, "maxiter": 10_000},
    )

    assert isinstance(found, OptimizeResult)
    assert found.success
    assert found.status == 0
    np.testing.assert_allclose(found.x, [1.0, 1.0], atol=1e-4)
    assert np.max(np.abs(found.jac)) <= 1e-5


def test_a_result_has_what_those_of_scipys_own_methods_have(bowl):
    own = scipy.optimize.minimize(Bowl(), [3.0] * 3, jac=Bowl().gradient, method="CG")
    found = run(bowl, jac=bowl.gradient)

    assert set(own) <= set(found)
    assert {name: type(found[name]) for name in ("nit", "nfev", "njev", "status")} == {
        name: type(own[name]) for name in ("nit", "nfev", "njev", "status")
    }
    assert found.message == own.message
    assert str(found)


def test_a_function_of_three_things_hands_on_each(bowl):
    """fun, args and jac=True, by SciPy's own split into two that share a memory."""
    seen = set()

    def both(x, a, b):
        seen.add((a, b))
        return bowl.both(x)

    found = run(both, args=(3, "b"), jac=True, options={"maxiter": 3})

    assert seen == {(3, "b")}
    assert found.nfev == found.njev == bowl.values == bowl.gradients == 4


@pytest.mark.parametrize(
    "callback",
    [None, lambda x: None, lambda intermediate_result: None],
    ids=["none", "point", "result"],
)
def test_a_function_of_both_is_asked_once_a_step(bowl, callback):
    found = run(bowl.both, jac=True, callback=callback)

    assert found.success
    assert found.fun == Bowl()(found.x)
    assert found.nfev == found.njev == bowl.values == bowl.gradients == found.nit + 1


@pytest.mark.parametrize("jac", [None, "2-point", "3-point", "cs", False])
def test_differences_are_taken_where_there_is_no_gradient(jac):
    """SciPy hands the names of differences to its own methods alone; here they are None."""
    values = 0

    def fun(x):
        nonlocal values
        values += 1
        return (SCALES * (x - CENTRE) ** 2).sum() / 2

    found = run(fun, jac=jac, options={"gtol": 1e-4})

    np.testing.assert_allclose(found.x, CENTRE, atol=1e-2)
    assert found.nfev == values
    assert found.njev == found.nit + 1


def test_arguments_reach_the_function_and_its_gradient():
    seen = set()

    def fun(x, a, b):
        seen.add(("fun", a, b))
        return float(x @ x)

    def gradient(x, a, b):
        seen.add(("gradient", a, b))
        return 2 * x

    run(fun, args=(3, "b"), jac=gradient, options={"maxiter": 3})
    run(lambda x, a: float(x @ x) * a, args=3, jac=lambda x, a: 2 * x * a, options={"maxiter": 3})

    assert seen == {("fun", 3, "b"), ("gradient", 3, "b")}


def test_the_callers_array_is_not_changed_and_float32_stays(bowl):
    x0 = np.array([3.0, 3.0, 3.0], np.float32)
    found = run(bowl, x0, jac=bowl.gradient, options={"maxiter": 5})

    assert np.array_equal(x0, [3.0, 3.0, 3.0])
    assert found.x.dtype == found.jac.dtype == np.float32
    assert not np.array_equal(found.x, x0)


def test_complex_numbers_are_refused_before_anything_is_asked(bowl):
    with pytest.raises(TensorTypeError, match=r"x0 is complex.*x0\.view\(float\)"):
        run(bowl, np.ones(3, complex), jac=bowl.gradient)

    assert bowl.gradients == bowl.values == 0


def test_tol_is_the_tolerance_of_the_gradient(bowl):
    loose = run(bowl, jac=bowl.gradient, tol=1e-1)
    strict = run(bowl, jac=bowl.gradient, tol=1e-1, options={"gtol": 1e-6})

    assert np.max(np.abs(loose.jac)) <= 1e-1
    assert np.max(np.abs(strict.jac)) <= 1e-6
    assert loose.nit < strict.nit


@pytest.mark.parametrize(
    "bounds",
    [
        [(None, 0.5), (-1.0, None), (None, None)],
        scipy.optimize.Bounds([-np.inf, -1.0, -np.inf], [0.5, np.inf, np.inf]),
    ],
    ids=["pairs", "Bounds"],
)
def test_bounds_hold_at_every_point_and_a_run_may_end_on_one(bounds):
    asked = []

    def gradient(x):
        asked.append(x)
        return SCALES * (x - CENTRE)

    found = run(Bowl(), jac=gradient, bounds=bounds)
    own = scipy.optimize.minimize(Bowl(), [0.0] * 3, jac=gradient, bounds=bounds)

    assert own.success
    assert found.success
    np.testing.assert_allclose(found.x, own.x, atol=1e-3)
    assert np.count_nonzero(found.x == own.x) == 2  # those at a bound
    assert all(x[0] <= 0.5 and x[1] >= -1.0 for x in asked)
    np.testing.assert_array_equal(asked[0], [0.5, 3.0, 3.0])  # the start, put between them


def test_constraints_hessians_and_unknown_options_are_warned_of(bowl):
    """In SciPy's words, and from the line that called minimize."""
    for more, kind, message in (
        ({"constraints": {"type": "eq", "fun": sum}}, RuntimeWarning, "cannot handle constraints"),
        ({"hess": lambda x: 0}, RuntimeWarning, r"does not use Hessian information \(hess\)"),
        ({"hessp": lambda x, p: 0}, RuntimeWarning, r"Hessian-vector product information"),
        ({"options": {"lerning_rate": 1.0}}, OptimizeWarning, "did you mean 'learning_rate'"),
        ({"options": {"one": 1, "two": 2}}, OptimizeWarning, "^Unknown solver options: one, two"),
    ):
        with pytest.warns(kind, match=message) as seen:
            found = run(bowl, jac=bowl.gradient, **more)
        assert [warning.filename for warning in seen] == [__file__]
        assert found.success


@pytest.mark.parametrize("constraints", [(), [], None])
def test_no_constraints_are_nothing_to_warn_of(bowl, constraints):
    assert run(bowl, jac=bowl.gradient, constraints=constraints).success


def test_a_callback_gets_a_copy_of_the_point(bowl):
    points = []
    found = run(bowl, jac=bowl.gradient, callback=points.append, options={"maxiter": 4})

    assert len(points) == found.nit == 4
    assert len({tuple(x) for x in points}) == 4
    np.testing.assert_array_equal(points[-1], found.x)


def test_a_callback_of_results_gets_the_value_too(bowl):
    seen = []

    def callback(*, intermediate_result):
        assert isinstance(intermediate_result, OptimizeResult)
        assert intermediate_result.fun == Bowl()(intermediate_result.x)
        intermediate_result.x[:] = np.nan  # its own
        seen.append((intermediate_result.fun, intermediate_result.nit))

    found = run(bowl, jac=bowl.gradient, callback=callback, options={"maxiter": 5})

    assert [nit for _, nit in seen] == [1, 2, 3, 4, 5]
    assert all(later < sooner for (sooner, _), (later, _) in pairwise(seen))
    assert found.fun == seen[-1][0]
    assert found.nfev == bowl.values == 5  # the last one is that of the answer too


def test_stop_iteration_ends_the_run_as_scipys_own_do(bowl):
    def callback(x):
        if len(steps) == 3:
            raise StopIteration
        steps.append(x)

    steps = []
    own = scipy.optimize.minimize(
        Bowl(), [3.0] * 3, jac=Bowl().gradient, method="BFGS", callback=lambda x: next(iter(()))
    )
    found = run(bowl, jac=bowl.gradient, callback=callback)

    assert (found.status, found.success, found.nit) == (99, False, 4)
    assert (found.status, found.success, found.message) == (own.status, own.success, own.message)
    np.testing.assert_array_equal(found.jac, Bowl().gradient(found.x))


def test_what_a_callback_returns_does_not_end_the_run(bowl):
    found = run(bowl, jac=bowl.gradient, callback=lambda x: True, options={"maxiter": 3})

    assert found.nit == 3


def test_stop_iteration_of_the_objective_is_not_the_callbacks(bowl):
    def broken(x):
        if not asked:
            asked.append(x)
            raise StopIteration
        return 0.0

    asked = []
    with pytest.raises(StopIteration):
        run(broken, jac=bowl.gradient, callback=lambda intermediate_result: None)


def test_the_points_on_the_way_are_returned_if_wanted(bowl):
    found = run(bowl, jac=bowl.gradient, options={"maxiter": 6, "return_all": True})

    assert len(found.allvecs) == 7
    np.testing.assert_array_equal(found.allvecs[0], [3.0, 3.0, 3.0])
    np.testing.assert_array_equal(found.allvecs[-1], found.x)
    assert len({tuple(x) for x in found.allvecs}) == 7


def test_maxiter_ends_a_run_without_success_as_scipys_own_do(bowl):
    own = scipy.optimize.minimize(
        rosen, [3.0] * 3, jac=rosen_der, method="BFGS", options={"maxiter": 2}
    )
    found = run(bowl, jac=bowl.gradient, options={"maxiter": 2})

    assert (found.nit, found.status, found.success) == (own.nit, own.status, own.success)
    assert (found.nit, found.message) == (2, own.message)


def test_disp_prints_what_scipys_own_print(bowl, capsys):
    run(bowl, jac=bowl.gradient, options={"maxiter": 7, "disp": True})
    ours = capsys.readouterr().out.splitlines()
    run(bowl, jac=bowl.gradient, options={"maxiter": 7})
    silence = capsys.readouterr().out
    scipy.optimize.minimize(
        Bowl(), [1.0] * 3, jac=Bowl().gradient, method="BFGS", options={"disp": True}
    )
    theirs = capsys.readouterr().out.splitlines()

    assert ours[2].strip() == "Iterations: 7"
    assert [x.partition(":")[0] for x in ours[1:]] == [x.partition(":")[0] for x in theirs[1:]]
    assert silence == ""


def test_hyperparameters_may_be_schedules(bowl):
    rate = schedules.cosine(0.5, steps=300)
    found = run(bowl, jac=bowl.gradient, options={"learning_rate": rate, "maxiter": 300})
    fixed = run(bowl, jac=bowl.gradient, options={"learning_rate": 0.5, "maxiter": 300})

    np.testing.assert_allclose(found.x, CENTRE, atol=1e-3)
    assert not np.array_equal(found.x, fixed.x)


def test_shgo_takes_nothing_but_names(bowl):
    """Where this fails, SciPy has learned it, and the documentation can say so."""
    local = {"method": ruleonce.scipy.adam}
    with pytest.raises(AttributeError, match="lower"):
        scipy.optimize.shgo(bowl, [(-3.0, 3.0)] * 3, minimizer_kwargs=local)
