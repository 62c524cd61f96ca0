"""scipy.optimize.minimize with a rule as its method: each sharp edge of that protocol."""

import itertools
import pickle
import warnings

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import OptimizeResult, OptimizeWarning, rosen, rosen_der

import ruleonce as ro
import ruleonce.scipy
from ruleonce import schedules
from ruleonce.errors import RuleError, TensorError, TensorTypeError

SCALES = np.array([1.0, 10.0, 0.1])
CENTRE = np.array([1.0, -2.0, 0.5])


class Bowl:
    """A quadratic around CENTRE that counts how often it is asked."""

    def __init__(self):
        self.values = self.gradients = 0

    def __call__(self, x):
        self.values += 1
        return 0.5 * float(SCALES @ (x - CENTRE) ** 2)

    def gradient(self, x):
        self.gradients += 1
        return SCALES * (x - CENTRE)

    def both(self, x):
        return self(x), self.gradient(x)


def run(fun, x0=(3.0, 3.0, 3.0), rule=ro.rules.adam, options=None, **more):
    options = {"learning_rate": 0.1, "maxiter": 3000} | (options or {})
    method = ruleonce.scipy.method(rule)
    return scipy.optimize.minimize(fun, x0, method=method, options=options, **more)


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


def test_what_is_counted_is_what_was_asked(bowl):
    found = run(bowl, jac=bowl.gradient)

    assert (found.nfev, found.njev) == (bowl.values, bowl.gradients)
    assert found.njev == found.nit + 1  # the last one says that it is over
    assert found.nfev == 1  # the value of the answer


def test_a_function_of_both_is_asked_once_a_step(bowl):
    found = run(bowl.both, jac=True)

    assert found.success
    assert found.fun == Bowl()(found.x)
    assert bowl.values == bowl.gradients <= found.nit + 2


@pytest.mark.parametrize("jac", [None, "2-point", "3-point", "cs", False])
def test_differences_are_taken_where_there_is_no_gradient(jac):
    values = 0

    def fun(x):
        nonlocal values
        values += 1
        return (SCALES * (x - CENTRE) ** 2).sum() / 2

    found = run(fun, jac=jac, options={"gtol": 1e-4})

    np.testing.assert_allclose(found.x, CENTRE, atol=1e-2)
    assert found.nfev == values
    assert found.njev == found.nit + found.success


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
    assert found.x.dtype == np.float32
    assert not np.array_equal(found.x, x0)


def test_complex_numbers_are_refused_before_anything_is_asked(bowl):
    with pytest.raises(TensorTypeError, match="complex"):
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
        asked.append(x.copy())
        return SCALES * (x - CENTRE)

    found = run(Bowl(), jac=gradient, bounds=bounds)

    assert found.success
    np.testing.assert_allclose(found.x, [0.5, -1.0, 0.5], atol=1e-4)
    assert all(x[0] <= 0.5 and x[1] >= -1.0 for x in asked)


def test_bounds_that_cross_and_bounds_of_another_length_are_refused(bowl):
    with pytest.raises(TensorError, match="above its upper bound"):
        run(bowl, jac=bowl.gradient, bounds=[(1.0, 0.0)] * 3)
    with pytest.raises((TensorError, ValueError)):
        run(bowl, jac=bowl.gradient, bounds=[(0.0, 1.0)] * 2)


def test_constraints_and_unknown_options_are_warned_of(bowl):
    with pytest.warns(RuntimeWarning, match="constraints"):
        run(bowl, jac=bowl.gradient, constraints=({"type": "eq", "fun": lambda x: 0},))
    with pytest.warns(OptimizeWarning, match=r"Unknown solver options: lerning_rate.*'learning_"):
        run(bowl, jac=bowl.gradient, options={"lerning_rate": 1.0})


def test_a_callback_gets_a_copy_of_the_point(bowl):
    points = []
    found = run(bowl, jac=bowl.gradient, callback=points.append, options={"maxiter": 4})

    assert len(points) == found.nit == 4
    assert len({tuple(x) for x in points}) == 4
    np.testing.assert_array_equal(points[-1], found.x)


def test_a_callback_of_results_gets_the_value_too(bowl):
    seen = []

    def callback(*, intermediate_result):
        seen.append((intermediate_result.fun, intermediate_result.nit))

    run(bowl, jac=bowl.gradient, callback=callback, options={"maxiter": 5})

    assert [nit for _, nit in seen] == [1, 2, 3, 4, 5]
    assert all(later < sooner for (sooner, _), (later, _) in itertools.pairwise(seen))


def test_stop_iteration_ends_the_run_as_scipys_own_do(bowl):
    def callback(x):
        if len(steps) == 3:
            raise StopIteration
        steps.append(x)

    steps = []
    found = run(bowl, jac=bowl.gradient, callback=callback)

    assert (found.status, found.success, found.nit) == (99, False, 4)
    assert found.message == "`callback` raised `StopIteration`."


def test_the_points_on_the_way_are_returned_if_wanted(bowl):
    found = run(bowl, jac=bowl.gradient, options={"maxiter": 6, "return_all": True})

    assert len(found.allvecs) == 7
    np.testing.assert_array_equal(found.allvecs[0], [3.0, 3.0, 3.0])
    np.testing.assert_array_equal(found.allvecs[-1], found.x)


def test_maxiter_ends_a_run_without_success(bowl):
    found = run(bowl, jac=bowl.gradient, options={"maxiter": 7})

    assert (found.nit, found.status, found.success) == (7, 1, False)
    assert found.message == "Maximum number of iterations has been exceeded."


def test_disp_prints_what_scipys_own_print(bowl, capsys):
    run(bowl, jac=bowl.gradient, options={"maxiter": 7, "disp": True})

    assert "Iterations: 7" in capsys.readouterr().out


def test_a_value_that_no_longer_falls_ends_a_run(bowl):
    found = run(bowl, jac=bowl.gradient, options={"ftol": 1e-3, "patience": 5, "gtol": 0.0})

    assert found.success
    assert found.nit < 1000
    assert found.nfev == bowl.values


def test_a_run_in_two_parts_is_the_run_in_one(bowl):
    whole = run(bowl, jac=bowl.gradient, options={"maxiter": 40, "gtol": 0.0})
    half = run(bowl, jac=bowl.gradient, options={"maxiter": 15, "gtol": 0.0})
    rest = run(
        bowl, half.x, jac=bowl.gradient, options={"maxiter": 25, "gtol": 0.0, "state": half.state}
    )

    np.testing.assert_array_equal(rest.x, whole.x)
    with pytest.raises(TensorError, match="is of 'adam'"):
        run(bowl, half.x, rule=ro.rules.momentum, options={"state": half.state})


@pytest.mark.parametrize("where", ["gradient", "value", "step"])
def test_what_is_not_finite_ends_a_run_at_a_finite_point(where):
    def gradient(x):
        if where == "gradient" and x[0] < 2.5:
            return np.full(3, np.nan)
        return SCALES * (x - CENTRE)

    def fun(x):
        return np.nan if where == "value" and x[0] < 2.5 else 1.0

    options = {"learning_rate": 1e308, "gtol": 0.0} if where == "step" else {"ftol": 1e-9}
    rule = ro.rules.sgd if where == "step" else ro.rules.adam
    with np.errstate(all="ignore"):
        found = run(fun, jac=gradient, rule=rule, options=options)

    assert not found.success
    assert found.status == 3
    assert found.message == "NaN result encountered."
    assert np.isfinite(found.x).all()


def test_hyperparameters_may_be_schedules(bowl):
    rate = schedules.cosine(0.5, steps=300)
    found = run(bowl, jac=bowl.gradient, options={"learning_rate": rate, "maxiter": 300})

    np.testing.assert_allclose(found.x, CENTRE, atol=1e-3)


def test_batches_go_to_the_function_and_its_gradient_one_a_step():
    data = np.random.default_rng(0).normal(2.0, 1.0, (400, 8))
    seen = []

    def gradient(x, batch, power):
        seen.append(batch.shape)
        return (x - batch.mean()) * power

    options = {"batches": iter(data), "learning_rate": 0.05, "maxiter": 1000, "average": 0.2}
    found = scipy.optimize.minimize(
        lambda x, batch, power: float((x - batch.mean()) @ (x - batch.mean())),
        np.zeros(1),
        args=(2.0,),
        jac=gradient,
        method=ruleonce.scipy.sgd,
        options=options,
    )

    assert found.nit == len(seen) == 400
    assert abs(found.x[0] - 2.0) < 0.3


def test_the_mean_of_the_last_points_is_nearer_than_the_last_point():
    rng = np.random.default_rng(1)

    def noisy(x):
        return x + rng.normal(size=5)

    options = {"learning_rate": 0.2, "maxiter": 2000}
    last, mean = (
        scipy.optimize.minimize(
            lambda x: float(x @ x) / 2,
            np.ones(5),
            jac=noisy,
            method=ruleonce.scipy.sgd,
            options=options | {"average": share},
        )
        for share in (0.0, 0.5)
    )

    assert mean.fun < last.fun / 10


def test_it_works_inside_of_scipys_global_searches():
    local = {"method": ruleonce.scipy.adam, "options": {"learning_rate": 0.05, "maxiter": 200}}

    def hills(x):
        return float(x @ x + 3 * np.sin(3 * x).sum())

    lowest = min(hills(np.array([x])) for x in np.linspace(-3.0, 3.0, 20_001))
    hopped = scipy.optimize.basinhopping(
        hills, [2.0], niter=20, stepsize=2.0, minimizer_kwargs=local, seed=0
    )
    annealed = scipy.optimize.dual_annealing(
        hills, [(-3.0, 3.0)], maxiter=10, minimizer_kwargs=local, seed=0
    )

    assert hopped.fun == pytest.approx(lowest, abs=1e-3)
    assert annealed.fun == pytest.approx(lowest, abs=1e-3)


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_is_a_method_under_its_name_and_goes_downhill(rule):
    method = getattr(ruleonce.scipy, rule.name)
    rate = {"learning_rate": 0.01} if "learning_rate" in rule.hyperparameters else {}
    bowl = Bowl()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scipy.optimize.minimize(
            bowl, [3.0, 3.0, 3.0], jac=bowl.gradient, method=method, options={"maxiter": 200} | rate
        )

    assert method == ruleonce.scipy.method(rule)
    assert found.fun < Bowl()(np.full(3, 3.0))
    assert found.state["t"] == found.nit
    assert pickle.loads(pickle.dumps(method)) == method  # noqa: S301  (our own)


def test_a_name_that_there_is_not_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'adamax'"):
        ruleonce.scipy.adamaxx  # noqa: B018
    with pytest.raises(RuleError, match="takes a rule"):
        ruleonce.scipy.method("adam")
