"""A step that is repeated is the step."""

import numpy as np
import pytest

import ruleonce as ro
from ruleonce import schedules


def walks(rule, size, engine="auto", **options):
    """Where twins come to, one by `step` and one by what it gave to repeat, and their counts."""
    found = []
    for repeats in (False, True):
        rng = np.random.default_rng(0)
        gradient = rng.normal(size=size)
        optimizer = ro.Optimizer(rule, rng.normal(size=size), engine=engine, **options)
        optimizer.step(gradient)
        again = (
            optimizer.repeater(gradient) if repeats else lambda o=optimizer, g=gradient: o.step(g)
        )
        for _ in range(9):
            gradient[...] = rng.normal(size=size)
            again()
        found.append((optimizer.params, optimizer.t, optimizer.state))
    return found


def assert_equal(first, second):
    assert first[1] == second[1] == 10
    np.testing.assert_array_equal(first[0], second[0])
    for name, values in first[2].items():
        np.testing.assert_array_equal(values, second[2][name])


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_it_does_what_step_does(rule):
    assert_equal(*walks(rule, 70))


def test_a_schedule_goes_on():
    assert_equal(*walks(ro.rules.adam, 70, learning_rate=schedules.cosine(0.1, steps=8)))


@pytest.mark.parametrize("size", [0, 1, 2_000_000])
def test_any_size_can_be_repeated(size):
    """A large gradient is not remembered, so as not to keep its memory."""
    assert_equal(*walks(ro.rules.momentum, size))


def test_the_reference_engine_repeats_too():
    assert_equal(*walks(ro.rules.adam, 70, engine="reference"))


def test_what_asks_for_more_than_a_step_is_asked_each_time():
    gradient = np.ones(3)
    optimizer = ro.Adam(np.zeros(3), on_nonfinite="skip")
    optimizer.step(gradient)
    again = optimizer.repeater(gradient)
    gradient[1] = np.inf
    again()

    assert optimizer.t == 1


def test_a_number_that_cannot_be_changes_nothing():
    def broken(t):
        if t > 1:
            raise ArithmeticError
        return 0.1

    gradient, weights = np.ones(3), np.zeros(3)
    optimizer = ro.Adam(weights, learning_rate=broken)
    optimizer.step(gradient)
    before = weights.copy()
    with pytest.raises(ArithmeticError):
        optimizer.repeater(gradient)()

    assert optimizer.t == 1
    np.testing.assert_array_equal(weights, before)
