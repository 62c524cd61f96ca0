"""minimize without SciPy's front door: counts, what is asked for, and how a run ends."""

import numpy as np
import pytest
from bowl import CENTRE, SCALES, Bowl

import ruleonce as ro
from ruleonce.errors import HyperparameterError, StructureError, TensorError, TensorTypeError


def run(fun, x0=(3.0, 3.0, 3.0), **more):
    return ro.minimize(fun, x0, **({"learning_rate": 0.1, "maxiter": 3000} | more))


@pytest.fixture
def bowl():
    return Bowl()


def test_what_is_counted_is_what_was_asked(bowl):
    found = run(bowl, jac=bowl.gradient)

    assert (found.nfev, found.njev) == (bowl.values, bowl.gradients)
    assert found.njev == found.nit + 1  # the last one says that it is over
    assert found.nfev == 1  # the value of the answer


@pytest.mark.parametrize("maxiter", [1, 7])
def test_value_and_gradient_are_those_of_the_answer_where_the_steps_ran_out(bowl, maxiter):
    found = run(bowl, jac=bowl.gradient, maxiter=maxiter)

    assert found.status == 1
    assert found.fun == Bowl()(found.x)
    np.testing.assert_array_equal(found.jac, Bowl().gradient(found.x))
    assert (found.nfev, found.njev) == (bowl.values, bowl.gradients) == (1, maxiter + 1)


def test_a_run_that_arrives_with_its_last_step_has_converged(bowl):
    needed = run(bowl, jac=bowl.gradient).nit
    exact = run(bowl, jac=bowl.gradient, maxiter=needed)
    short = run(bowl, jac=bowl.gradient, maxiter=needed - 1)

    assert (exact.nit, exact.status, exact.njev) == (needed, 0, needed + 1)
    assert (short.nit, short.status) == (needed - 1, 1)


def test_the_gradient_is_small_enough_exactly_where_its_largest_element_is():
    """Sums of squares are only a first look."""
    for largest, status in ((1e-3, 0), (np.nextafter(1e-3, 1), 1)):
        for size in (1, 1000):
            slope = np.full(size, largest)
            found = ro.minimize(
                lambda x: 0.0, np.zeros(size), jac=lambda x, s=slope: s, gtol=1e-3, maxiter=1
            )
            assert found.status == status


def test_the_objective_may_keep_what_it_is_given(bowl):
    """One that compares x with the last one it saw would take an array that changes for the same;
    and one that writes to x must not change the run.
    """
    kept = []

    def keeping(function):
        def kept_too(x):
            kept.append(x)
            return function(x)

        return kept_too

    def spoiling(function):
        def spoiled(x):
            found = function(x)
            x[:] = np.nan
            return found

        return spoiled

    plain = run(bowl, jac=bowl.gradient, maxiter=4, ftol=0.0)
    for change in (keeping, spoiling):
        apart = run(change(bowl), jac=change(bowl.gradient), maxiter=4, ftol=0.0)
        both = run(change(bowl.both), jac=True, maxiter=4)

        np.testing.assert_array_equal(apart.x, plain.x)
        np.testing.assert_array_equal(both.x, plain.x)
    assert len(kept) == 15
    assert len({id(x) for x in kept}) == 15
    assert len({tuple(x) for x in kept}) == 5


def test_one_array_of_gradients_may_be_returned_again_and_again(bowl):
    own = np.empty(3)

    def gradient(x):
        own[:] = bowl.gradient(x)
        return own

    found = run(bowl, jac=gradient, maxiter=10)

    np.testing.assert_array_equal(found.x, run(bowl, jac=bowl.gradient, maxiter=10).x)
    assert found.jac is not own


@pytest.mark.parametrize("jac", ["callable", True, "3-point", "2-point", "cs"])
def test_an_array_of_any_shape_is_minimized_over(jac):
    def fun(x):
        return ((x - 1) ** 2).sum()

    def both(x):
        return fun(x), 2 * (x - 1)

    found = run(
        both if jac is True else fun,
        np.zeros((2, 1, 3)),
        jac=(lambda x: 2 * (x - 1)) if jac == "callable" else jac,
        gtol=1e-4,
    )

    assert found.success
    np.testing.assert_allclose(found.x, np.ones((2, 1, 3)), atol=1e-3)


def test_a_single_number_and_no_number_are_minimized_over():
    single = run(lambda x: float((x - 2) ** 2), 0.0, jac=lambda x: 2 * (x - 2))
    none = run(lambda x: 7.0, [], jac=lambda x: x)

    assert single.x.shape == ()
    assert abs(single.x - 2) < 1e-4
    assert (none.success, none.nit, none.fun) == (True, 0, 7.0)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_large_numbers_of_a_small_dtype_are_no_failure(dtype):
    """Their squares overflow, they do not."""
    largest = float(np.finfo(dtype).max)
    found = ro.minimize(
        lambda x: 0.0,
        np.full(3, largest / 64, dtype),
        jac=lambda x: np.full(3, largest / 2, dtype),
        rule=ro.rules.lion,
        maxiter=3,
        learning_rate=largest / 1024,
    )

    assert (found.nit, found.status, found.x.dtype) == (3, 1, dtype)
    assert np.isfinite(found.x).all()


def test_a_gradient_beyond_the_dtype_of_x_is_not_finite():
    found = ro.minimize(lambda x: 0.0, np.ones(2, np.float32), jac=lambda x: np.full(2, 1e300))

    assert (found.status, found.nit) == (3, 0)
    np.testing.assert_array_equal(found.x, [1.0, 1.0])


def test_a_value_that_no_longer_falls_ends_a_run(bowl):
    found = run(bowl, jac=bowl.gradient, ftol=1e-3, patience=5, gtol=0.0)

    assert found.success
    assert found.nit < 1000
    assert found.nfev == bowl.values == found.nit + 1


def test_patience_is_the_number_of_steps_without_a_fall():
    values = iter([5.0, 4.0, 4.0, 3.9999, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0])
    found = ro.minimize(
        lambda x: next(values), [0.0], jac=lambda x: np.ones(1), ftol=1e-2, patience=3
    )

    assert (found.success, found.nit, found.fun) == (True, 7, 3.0)


@pytest.mark.parametrize("where", ["gradient", "value", "step"])
def test_what_is_not_finite_ends_a_run_at_the_last_point_that_is(where):
    def gradient(x):
        if where == "gradient" and x[0] < 2.5:
            return np.full(3, np.nan)
        return SCALES * (x - CENTRE)

    def fun(x):
        return np.nan if where == "value" and x[0] < 2.5 else 1.0

    rule = ro.rules.sgd if where == "step" else ro.rules.adam
    more = {"learning_rate": 1e308, "gtol": 0.0} if where == "step" else {"ftol": 1e-9}
    found = run(fun, jac=gradient, rule=rule, return_all=True, **more)

    assert (found.success, found.status) == (False, 3)
    assert found.message == "NaN result encountered."
    assert np.isfinite(found.x).all()
    np.testing.assert_array_equal(found.x, found.allvecs[-1])
    assert len(found.allvecs) == found.nit + 1


@pytest.mark.parametrize("start", [np.nan, np.inf])
def test_a_start_that_is_not_finite_is_no_success(bowl, start):
    found = run(bowl, [start, 1.0, 1.0], jac=bowl.gradient)

    assert (found.success, found.status, found.nit) == (False, 3, 0)


def test_a_gradient_that_is_not_finite_is_not_stepped_with():
    """The sign of an infinite one would be a step like any other."""
    found = run(
        lambda x: 0.0, jac=lambda x: np.array([np.inf, 1.0, 1.0]), rule=ro.rules.lion, maxiter=5
    )

    assert (found.status, found.nit, found.state["t"]) == (3, 0, 0)
    np.testing.assert_array_equal(found.state["m"], np.zeros(3))
    np.testing.assert_array_equal(found.x, [3.0, 3.0, 3.0])


def test_a_flat_place_without_a_value_is_no_success():
    found = run(lambda x: np.nan, jac=lambda x: np.zeros(3))

    assert (found.success, found.status) == (False, 3)


def test_what_a_function_returns_is_looked_at(bowl):
    with pytest.raises(StructureError, match=r"gradient has shape \(2,\), and x has \(3,\)"):
        run(bowl, jac=lambda x: np.ones(2))
    with pytest.raises(TensorTypeError, match="complex128"):
        run(bowl, jac=lambda x: np.ones(3, complex))
    with pytest.raises(StructureError, match=r"returned an array of shape \(3,\)"):
        run(lambda x: x, jac=bowl.gradient, maxiter=1)
    with pytest.raises(StructureError, match="one real number"):
        run(lambda x: 1j, jac=bowl.gradient, maxiter=1)
    with pytest.raises(StructureError, match="must return two things"):
        run(bowl, jac=True)
    with pytest.raises(StructureError, match="jac is '4-point'"):
        run(bowl, jac="4-point")
    found = run(lambda x: np.ones((1, 1)), jac=lambda x: [[1, 2, 3]], maxiter=1)

    assert found.fun == 1.0
    np.testing.assert_array_equal(found.jac, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxiter", 0),
        ("maxiter", 2.5),
        ("patience", True),
        ("average", 1.5),
        ("gtol", -1.0),
        ("ftol", np.nan),
        ("learning_rate", -1.0),
    ],
)
def test_numbers_that_cannot_be_are_refused_before_anything_is_asked(bowl, name, value):
    with pytest.raises(HyperparameterError, match=name):
        run(bowl, jac=bowl.gradient, **{name: value})

    assert bowl.gradients == bowl.values == 0


def test_what_is_no_array_of_numbers_is_refused(bowl):
    with pytest.raises(TensorTypeError, match="must be an array of numbers"):
        run(bowl, ["a", "b"])


def test_a_run_in_two_parts_is_the_run_in_one_also_with_scalar_state(bowl):
    for rule in (ro.rules.adam, ro.rules.nadam):
        more = {"rule": rule, "jac": bowl.gradient, "gtol": 0.0}
        whole = run(bowl, **more, maxiter=40)
        half = run(bowl, **more, maxiter=15)
        kept = {name: np.copy(value) for name, value in half.state.items()}
        rest = run(bowl, half.x, **more, maxiter=25, state=half.state)

        np.testing.assert_array_equal(rest.x, whole.x)
        assert rest.state["t"] == 40
        assert all(np.array_equal(kept[name], half.state[name]) for name in kept)
    assert ro.rules.nadam.scalars  # what the second one is for


def test_a_state_that_does_not_fit_is_refused_before_anything_is_asked(bowl):
    state = run(bowl, jac=bowl.gradient, maxiter=2).state
    asked = bowl.gradients
    with pytest.raises(TensorError, match="is of the rule 'adam'"):
        run(bowl, jac=bowl.gradient, rule=ro.rules.momentum, state=state)
    with pytest.raises(TensorError, match=r"shape \(3,\), and this x0 needs \(2,\)"):
        run(bowl, np.ones(2), jac=bowl.gradient, state=state)
    for wrong in ({"rule": "adam"}, {"rule": "adam", "t": 3}, [1, 2], "state"):
        with pytest.raises(TensorError, match="that of an earlier result"):
            run(bowl, jac=bowl.gradient, state=wrong)

    assert bowl.gradients == asked


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_any_engine_takes_the_same_steps(bowl, engine):
    found = run(bowl, jac=bowl.gradient, engine=engine, maxiter=20)

    np.testing.assert_array_equal(found.x, run(bowl, jac=bowl.gradient, maxiter=20).x)


def test_a_result_prints_and_names_what_it_has(bowl):
    found = run(bowl, jac=bowl.gradient, maxiter=1)

    assert "message: 'Maximum number of iterations" in repr(found)
    assert {"x", "fun", "state"} <= set(dir(found))
    with pytest.raises(AttributeError, match="allvecs"):
        found.allvecs  # noqa: B018


def test_state_in_8_bits_minimizes_and_goes_on_where_it_was():
    start = np.linspace(-1, 1, 5000)
    options = {"rule": ro.rules.adam, "jac": True, "learning_rate": 0.05, "formats": "8bit"}

    def bowl(x):
        return float(x @ x), 2 * x

    whole = ro.minimize(bowl, start, maxiter=40, gtol=0.0, **options)
    first = ro.minimize(bowl, start, maxiter=20, gtol=0.0, **options)
    second = ro.minimize(bowl, first.x, maxiter=20, gtol=0.0, state=first.state, **options)

    assert whole.fun < 0.1 * bowl(start)[0]
    np.testing.assert_array_equal(second.x, whole.x)
