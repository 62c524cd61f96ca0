"""ruleonce.plot.bias_correction: the lines are the lengths of the steps."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt

import ruleonce as ro
from ruleonce import plot, rules
from ruleonce.errors import PlotError


def names_in(axes):
    return sorted(text.get_text() for text in axes.texts)


def test_without_bias_correction_the_first_step_is_3_16_times_too_long():
    axes = plot.bias_correction()

    simplified, full = (line.get_xydata() for line in axes.lines)
    np.testing.assert_array_equal(full[:, 0], range(1, 51))
    np.testing.assert_allclose(full[:, 1], 1, rtol=1e-7)
    assert simplified[0, 1] == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-6)
    assert simplified[:, 1].min() == simplified[0, 1] < simplified[:, 1].max()
    assert any("= 3.16" in name for name in names_in(axes))
    assert {"adam", "adam_simplified"} <= set(names_in(axes))


def test_one_rule_and_gradients_of_ones_own():
    gradients = [[1.0, 2.0, 4.0], [0.5, 3.0, 1.0]]
    axes = plot.bias_correction(rules.sgd, gradients=gradients)

    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 2.0], [2, 1.0]])  # medians
    by_name = [{"a": np.array(g[:1]), "b": np.array(g[1:])} for g in gradients]
    named = plot.bias_correction(rules.sgd, gradients=by_name)
    np.testing.assert_array_equal(named.lines[0].get_xydata(), line.get_xydata())


def test_a_constant_gradient_has_as_many_steps_as_asked_for_and_its_own_axes():
    _, axes = plt.subplots()

    assert plot.bias_correction([rules.adam, rules.rmsprop], steps=7, ax=axes) is axes
    assert [len(line.get_xdata()) for line in axes.lines] == [7, 7]
    assert names_in(axes) == ["adam", "rmsprop"]


@ro.rule
def without_rate(w, dw, *, size=1.0):
    """A step."""
    return w - size * dw


@pytest.mark.parametrize(
    ("chosen", "options", "words"),
    [
        ("adam", {}, "'adam' is no rule"),
        (without_rate, {}, "without_rate has no learning_rate"),
        (rules.adam, {"steps": 0}, "no step to draw"),
        (rules.adam, {"gradients": []}, "no step to draw"),
        (rules.adam, {"ax": "here"}, "ax is str"),
    ],
)
def test_what_cannot_be_drawn_is_told(chosen, options, words):
    with pytest.raises(PlotError, match=words):
        plot.bias_correction(chosen, **options)
    assert not plt.get_fignums()
