"""ruleonce.plot.schedule: the lines are the values."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from ruleonce import plot, schedules
from ruleonce.errors import PlotError

COSINE, LINEAR = schedules.cosine(1e-3, steps=50), schedules.linear(1e-3, steps=20, final=-1e-3)


def names_in(axes):
    return sorted(text.get_text() for text in axes.texts)


def test_one_schedule_is_a_line_of_its_values():
    axes = plot.schedule(COSINE, steps=60)

    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), range(1, 61))
    np.testing.assert_array_equal(line.get_ydata(), [COSINE(t) for t in range(1, 61)])
    assert names_in(axes) == ["cosine"]
    assert axes.get_ylim()[0] == 0


def test_several_have_their_names_and_the_same_name_is_counted():
    def mine(t):
        return 1e-3 / t

    axes = plot.schedule([COSINE, schedules.cosine(1e-3, steps=80), mine, 5e-4], steps=80)
    assert names_in(axes) == ["0.0005", "cosine", "cosine (2)", "mine"]
    assert [line.get_ydata()[-1] for line in axes.lines][1:] == [
        pytest.approx(schedules.cosine(1e-3, steps=80)(80)), 1e-3 / 80, 5e-4,
    ]  # fmt: skip
    named = plot.schedule({"slow": COSINE, "fast": LINEAR}, steps=30)
    assert names_in(named) == ["fast", "slow"]
    assert named.get_ylim()[0] < -1e-3


def test_a_long_schedule_is_drawn_from_its_first_step_to_its_last():
    (line,) = plot.schedule(schedules.linear(1.0, steps=10**6), steps=10**6).lines

    assert len(line.get_xdata()) <= 5000
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, 10**6)


def test_it_draws_into_the_axes_that_it_is_given():
    _, axes = plt.subplots()
    assert plot.schedule(COSINE, ax=axes) is axes


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ("cosine", {}, "'cosine' is no schedule"),
        ([], {}, "there is no schedule"),
        ([True], {}, "True is no schedule"),
        (lambda t: "high", {}, "gives 'high' at step 1"),
        (COSINE, {"steps": 0}, "steps is 0"),
        (COSINE, {"steps": 1.5}, "steps is 1.5"),
    ],
)
def test_what_cannot_be_drawn_is_told(given, options, words):
    with pytest.raises(PlotError, match=words):
        plot.schedule(given, **options)
    assert not plt.get_fignums()
