"""The learning rate range test, on functions whose limits are known."""

import math

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import HyperparameterError


def parabola(steepness):
    """Descent on it shrinks x up to a rate of 2 / steepness, and is fastest at half of that."""
    return (
        lambda x: steepness * float(x @ x) / 2,
        lambda x: steepness * x,
    )


@pytest.mark.parametrize("steepness", [0.1, 1.0, 100.0])
def test_the_suggestion_is_a_rate_that_descends(steepness):
    fun, gradient = parabola(steepness)
    found = ro.find_learning_rate(
        fun,
        np.ones(3),
        jac=gradient,
        rule=ro.rules.sgd,
        lowest=1e-6,
        highest=1e4,
        steps=200,
        smoothing=1.0,
    )

    assert 0.02 / steepness < found.suggestion < 2 / steepness
    # It is over once the loss has risen above where it began: by no rate that still descends.
    assert 2 / steepness < found.rates[-1] < 200 / steepness
    assert len(found.rates) == len(found.losses) == len(found.smooth) < 200


def test_the_curve_is_that_of_one_walk_with_a_growing_rate():
    fun, gradient = parabola(1.0)
    x0 = np.ones(2)
    found = ro.find_learning_rate(
        fun, x0, jac=gradient, rule=ro.rules.sgd, lowest=0.1, highest=0.4, steps=3, smoothing=1.0
    )

    np.testing.assert_allclose(found.rates, [0.1, 0.2, 0.4])
    np.testing.assert_allclose(found.losses, [1.0, 0.9**2, (0.9 * 0.8) ** 2])
    np.testing.assert_array_equal(found.smooth, found.losses)
    assert found.suggestion == pytest.approx(0.2)  # the loss falls by 0.19, then by 0.29
    np.testing.assert_array_equal(x0, [1.0, 1.0])


def test_the_average_of_a_constant_loss_is_the_loss_from_the_start():
    found = ro.find_learning_rate(lambda x: 3.0, [1.0], jac=lambda x: x, steps=20, smoothing=0.05)

    np.testing.assert_allclose(found.smooth, 3.0)


def test_a_loss_that_never_falls_gives_no_suggestion():
    rising = ro.find_learning_rate(lambda x: -float(x[0]), [1.0], jac=lambda x: np.ones(1))

    assert math.isnan(rising.suggestion)


def test_it_is_over_once_the_loss_has_risen_by_four_times_the_first():
    losses = [1.0, 0.5, 4.4, 4.6, 0.0]
    values = iter(losses)
    found = ro.find_learning_rate(
        lambda x: next(values), [0.0], jac=lambda x: np.ones(1), smoothing=1.0
    )

    assert found.losses.tolist() == losses[:4]


def test_a_loss_below_zero_is_no_end():
    fun, gradient = parabola(1.0)
    above = ro.find_learning_rate(fun, np.ones(3), jac=gradient, highest=0.1)
    below = ro.find_learning_rate(lambda x: fun(x) - 1000, np.ones(3), jac=gradient, highest=0.1)

    assert len(above.rates) == len(below.rates) == 100
    assert below.suggestion == pytest.approx(above.suggestion)


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_with_a_learning_rate_is_tested(rule):
    fun, gradient = parabola(1.0)
    if "learning_rate" not in rule.hyperparameters:
        with pytest.raises(HyperparameterError, match="has no learning_rate"):
            ro.find_learning_rate(fun, np.ones(3), jac=gradient, rule=rule)
        return
    found = ro.find_learning_rate(fun, np.ones(3), jac=gradient, rule=rule, steps=30)

    assert np.isfinite(found.losses).all()
    assert found.losses.min() < found.losses[0]
    assert 1e-6 <= found.suggestion <= 10.0


@pytest.mark.parametrize("value_or_gradient", ["value", "gradient"])
def test_it_is_over_where_something_is_not_finite(value_or_gradient):
    def fun(x):
        return float(x[0]) if x[0] > -10 or value_or_gradient == "gradient" else math.nan

    def gradient(x):
        return np.array([1.0 if x[0] > -10 or value_or_gradient == "value" else math.inf])

    found = ro.find_learning_rate(
        fun, [0.0], jac=gradient, rule=ro.rules.sgd, lowest=1.0, highest=1000.0, steps=4
    )

    assert found.losses.tolist() == [0.0, -1.0]  # the next x is -11
    np.testing.assert_allclose(found.rates, [1.0, 10.0])


def test_each_step_takes_a_batch_and_values_and_gradients_see_the_same():
    seen = []

    def both(x, batch, power):
        seen.append(batch)
        return float(batch) * power, np.ones(2)

    found = ro.find_learning_rate(both, np.zeros(2), jac=True, args=2.0, batches=iter([3, 2, 1]))

    assert seen == [3, 2, 1]
    assert found.losses.tolist() == [6.0, 4.0, 2.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"lowest": 0.0},
        {"lowest": 2.0, "highest": 1.0},
        {"highest": math.inf},
        {"steps": 1},
        {"smoothing": 0.0},
        {"learning_rate": 0.1},
        {"beta1": 2.0},
    ],
    ids=str,
)
def test_a_range_that_is_none_is_refused_before_anything_is_asked(wrong):
    def untouched(x):
        raise AssertionError

    with pytest.raises(HyperparameterError):
        ro.find_learning_rate(untouched, [1.0], jac=untouched, **wrong)
