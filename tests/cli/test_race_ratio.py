"""The ratio of the update to the weights, as a run records it."""

import math

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.cli.race.data import digits
from ruleonce.cli.race.entries import Entry
from ruleonce.cli.race.training import (
    CHECK_EVERY,
    batches,
    checked_steps,
    start,
    steps_of,
    train,
    update_ratio,
)


def test_the_ratio_is_of_all_parameters_as_if_they_were_one():
    """Worked out by hand: the update is (3, 4), the weights are (6, 8, 0)."""
    before = {"W": np.array([[6.0, 8.0]]), "b": np.zeros(1)}
    after = {"W": np.array([[9.0, 8.0]]), "b": np.array([4.0])}

    assert update_ratio(before, after) == pytest.approx(0.5)


def test_the_ratio_is_that_of_a_report():
    rng = np.random.default_rng(0)
    weights = {"W": rng.standard_normal((5, 3)), "b": rng.standard_normal(3)}
    before = {name: w.copy() for name, w in weights.items()}
    optimizer = ro.Optimizer(ro.adam, weights, learning_rate=0.1)
    report = optimizer.step({name: w + 1 for name, w in before.items()}, report=True)

    assert update_ratio(before, weights) == pytest.approx(report.whole.ratio, rel=1e-12)


def test_the_ratio_of_weights_of_zero_is_no_number_and_no_error():
    with np.errstate(all="ignore"):
        assert math.isnan(update_ratio({"b": np.zeros(2)}, {"b": np.zeros(2)}))
        assert update_ratio({"b": np.zeros(2)}, {"b": np.ones(2)}) == math.inf


def test_small_float32_numbers_do_not_vanish_in_their_squares():
    before = {"w": np.full(3, 1e-30, np.float32)}
    after = {"w": np.full(3, 2e-30, np.float32)}

    assert update_ratio(before, after) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(
    ("count", "expected"), [(5, [5]), (10, [10]), (25, [10, 20, 25]), (30, [10, 20, 30])]
)
def test_every_tenth_step_is_looked_at_and_the_last(count, expected):
    assert CHECK_EVERY == 10
    assert checked_steps(count) == expected


def test_a_run_records_the_ratio_of_the_steps_that_it_looks_at():
    """sign(dw) times the learning rate: every weight whose gradient is not 0 moves by as much."""

    @ro.rule
    def by_the_sign(w, dw, *, learning_rate=1e-3):
        """Only the direction counts."""
        return w - learning_rate * ro.sign(dw + 1e6)

    data = digits()
    entry = Entry("by_the_sign", by_the_sign, 1e-3)
    run = train(entry, data, seed=0, epochs=1)

    count = len(list(batches(data, 0, 1)))
    assert count == steps_of(data, 1) == 22
    weights = start(data, 0)
    expected = []
    for step in checked_steps(count):
        old = {name: w.astype(float) - (step - 1) * 1e-3 for name, w in weights.items()}
        size = math.sqrt(sum(np.sum(w**2) for w in old.values()))
        elements = sum(w.size for w in old.values())
        expected.append(1e-3 * math.sqrt(elements) / size)
    np.testing.assert_allclose(run.ratios, expected, rtol=1e-4)
