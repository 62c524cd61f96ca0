"""The check of gradients, on functions whose derivatives are known."""

import math

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import HyperparameterError, StructureError

SMOOTH = {
    "exp": (lambda x: float(np.exp(x).sum()), np.exp),
    "sin": (lambda x: float(np.sin(3 * x).sum()), lambda x: 3 * np.cos(3 * x)),
    "log": (lambda x: float(np.log(x**2 + 1).sum()), lambda x: 2 * x / (x**2 + 1)),
    "far": (lambda x: float((x**2).sum()), lambda x: 2 * x),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_right_gradient_is_right_to_seven_digits_and_a_wrong_one_is_not(name):
    fun, gradient = SMOOTH[name]
    x = np.random.default_rng(0).normal(size=(2, 3)) * (1e8 if name == "far" else 1.0)
    wrong = gradient(x)
    wrong[1, 2] *= 1.001
    good = ro.check_gradient(fun, gradient, x)
    bad = ro.check_gradient(fun, lambda x: wrong, x)

    assert good.is_right
    assert good.relative_error < 1e-7
    assert good.advice == "The gradient is right."
    assert not bad.is_right
    assert bad.relative_error == pytest.approx(1e-3 / 1.001, rel=1e-2)
    assert bad.worst == (1, 2)
    assert "most likely wrong" in bad.advice
    assert "at [1, 2]" in str(bad)
    np.testing.assert_allclose(good.numeric, good.given, rtol=1e-7)


def test_x_is_not_changed_and_arguments_are_handed_on():
    x = np.array([1.0, 2.0])
    seen = set()

    def fun(x, a, b):
        seen.add((a, b))
        return a * float(x @ x)

    found = ro.check_gradient(fun, lambda x, a, b: 2 * a * x, x, args=(3.0, "b"))

    assert found.is_right
    assert seen == {(3.0, "b")}
    assert x.tolist() == [1.0, 2.0]


def test_a_function_of_both_is_checked():
    assert ro.check_gradient(lambda x: (float(x @ x), 2 * x), True, np.ones(3)).is_right
    assert not ro.check_gradient(lambda x: (float(x @ x), x), True, np.ones(3)).is_right


def test_rounding_is_no_error_where_the_slope_is_nothing():
    """At a minimum of a large value the differences are rounding, and the relative error 1."""
    found = ro.check_gradient(lambda x: 1e3 + float(np.cos(x[0])), lambda x: -np.sin(x), [0.0])
    # The slope, 4e-9, is less than the values can tell over such a step.
    noisy = ro.check_gradient(lambda x: 1e6 + float(x[0]) ** 4, lambda x: 4 * x**3, [1e-3])

    assert found.relative_error == noisy.relative_error == 0.0


@pytest.mark.parametrize("at", [0.0, 3e-6, -3e-6], ids=["there", "beyond", "before"])
def test_a_kink_is_named_as_one(at):
    """Also one that lies between the points of the differences, beside x."""

    def fun(x):
        return max(float(x[0]) - at, 0.0)

    found = ro.check_gradient(fun, lambda x: np.array([float(x[0] > at)]), [0.0])

    assert not found.is_right
    assert "kink" in found.advice
    assert ro.check_gradient(fun, lambda x: np.zeros(1), [-0.1]).is_right


def test_a_wrong_gradient_near_a_minimum_is_not_taken_for_a_kink():
    """There the slopes on both sides differ much, as they do at a kink."""
    found = ro.check_gradient(lambda x: float(x @ x), lambda x: x, [1e-6])

    assert found.relative_error == pytest.approx(0.5, rel=1e-3)
    assert "most likely wrong" in found.advice


def test_few_digits_of_float32_are_named_as_the_reason():
    def fun(x):
        return float(np.exp(np.float32(x[0])))

    single = ro.check_gradient(fun, np.exp, [1.0])
    wrong = ro.check_gradient(fun, lambda x: 2 * np.exp(x), [1.0])

    assert not single.is_right
    assert "float32" in single.advice
    assert "float32" not in wrong.advice  # the rounding is not as large as that


def test_what_is_not_finite_is_said():
    with np.errstate(invalid="ignore"):
        found = ro.check_gradient(lambda x: float(np.log(x[0])), lambda x: 1 / x, [-1.0])

    assert found.relative_error == math.inf
    assert "not finite" in found.advice


def test_nothing_and_a_single_number_are_checked():
    nothing = ro.check_gradient(lambda x: 0.0, lambda x: x, [])
    single = ro.check_gradient(lambda x: float(x**3), lambda x: 3 * x**2, 2.0)

    assert nothing.is_right
    assert "nothing" in str(nothing)
    assert single.is_right
    assert single.worst == ()
    assert "12 given" in str(single)


def test_a_smaller_step_may_be_asked_for():
    def fun(x):
        return float(np.sin(1e4 * x[0]))

    def gradient(x):
        return 1e4 * np.cos(1e4 * x)

    assert not ro.check_gradient(fun, gradient, [0.1]).is_right
    assert ro.check_gradient(fun, gradient, [0.1], step=1e-8).relative_error < 1e-6
    with pytest.raises(HyperparameterError, match="step is 0"):
        ro.check_gradient(fun, gradient, [0.1], step=0.0)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(StructureError, match=r"gradient has shape \(3,\), and x has \(2,\)"):
        ro.check_gradient(lambda x: 0.0, lambda x: np.ones(3), np.ones(2))
