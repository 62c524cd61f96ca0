"""ruleonce.plot.path: the lines are the walks, and what cannot be drawn is told."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import ruleonce as ro
from ruleonce import plot, rules, schedules, surfaces
from ruleonce.errors import HyperparameterError, PlotError, UnknownNameError
from ruleonce.plot.walks import best_path, walk


def names_in(axes):
    return [text.get_text() for text in axes.texts]


def lines_of(axes):
    """The points of every line of more than one point, the last one drawn first."""
    return [line.get_xydata() for line in axes.lines[::-1] if line.get_linestyle() == "-"]


def by_hand(rule, surface, steps, state=(), **hyperparameters):
    w = np.array(surface.start)
    points = [w]
    for t in range(1, steps + 1):
        given = (t,) if "t" in rule.schema.positional else ()
        w, *state = rule(w, surface.slope(w), *state, *given, **hyperparameters)
        points.append(w)
    return np.array(points)


def test_the_lines_are_the_walks_of_the_rules():
    chosen = {rules.sgd: (), rules.momentum: (np.zeros(2),), rules.adam: (np.zeros(2),) * 2}
    axes = plot.path(list(chosen), "rosenbrock", learning_rate=1e-3, steps=40)

    assert isinstance(axes, Axes)
    assert axes.get_title() == "Rosenbrock's valley, 40 steps"
    for rule, line in zip(chosen, lines_of(axes), strict=True):
        expected = by_hand(rule, surfaces.rosenbrock, 40, chosen[rule], learning_rate=1e-3)
        np.testing.assert_allclose(line, expected, rtol=1e-9, err_msg=rule.name)
    assert sorted(names_in(axes)) == ["adam at 0.001", "momentum at 0.001", "sgd at 0.001"]
    assert len({line.get_color() for line in axes.lines if len(line.get_xdata()) == 41}) == 3


def test_one_rule_walks_at_the_rate_that_suits_it():
    axes = plot.path(rules.sgd)

    best = best_path(rules.sgd, surfaces.ravine)
    (line,) = lines_of(axes)
    np.testing.assert_array_equal(line, best.points)
    assert names_in(axes) == [f"sgd at {best.rate:g}"]


def test_the_start_and_every_lowest_point_are_marked():
    axes = plot.path(rules.sgd, surfaces.himmelblau, start=(1, 2), learning_rate=1e-3)

    circle, star = ([x for x in axes.lines if x.get_marker() == mark] for mark in "o*")
    assert [x.get_xydata().tolist() for x in circle] == [[[1, 2]]]
    np.testing.assert_array_equal(star[0].get_xydata(), surfaces.himmelblau.lowest)
    np.testing.assert_array_equal(lines_of(axes)[0][0], [1, 2])


def test_it_draws_into_the_axes_that_it_is_given():
    _, (left, right) = plt.subplots(1, 2)

    assert plot.path(rules.sgd, "saddle", learning_rate=0.1, ax=right) is right
    assert not left.lines
    assert len(plt.get_fignums()) == 1


def test_hyperparameters_schedules_and_parameters_of_the_surface_are_taken():
    rate = schedules.cosine(0.02, steps=50)
    axes = plot.path(
        rules.momentum, "ravine", learning_rate=rate, steps=50, beta1=0.5, parameters={"turn": 80}
    )

    w, m = np.array(surfaces.ravine.start), np.zeros(2)
    points = [w]
    for t in range(1, 51):
        slope = surfaces.ravine.slope(w, turn=80)
        w, m = rules.momentum(w, slope, m, learning_rate=rate(t), beta1=0.5)
        points.append(w)
    np.testing.assert_allclose(lines_of(axes)[0], points, rtol=1e-9)
    assert names_in(axes) == ["momentum"]
    wide = plot.path(rules.sgd, "ravine", learning_rate=1e-3, parameters={"condition": 200})
    assert "200 times as steep" in wide.get_title()


def test_the_noise_is_that_of_the_surface_and_of_the_seed():
    def walked(**options):
        return lines_of(plot.path(rules.sgd, "noisy_valley", learning_rate=0.01, **options))[0]

    np.testing.assert_array_equal(walked(), walked(seed=0))
    assert not np.array_equal(walked(), walked(seed=1))
    quiet = by_hand(rules.sgd, surfaces.noisy_valley, 200, learning_rate=0.01)
    np.testing.assert_allclose(walked(noise=0), quiet, rtol=1e-9)


def test_the_noise_has_the_spread_that_is_asked_for():
    found = walk(rules.sgd, surfaces.noisy_valley, 1.0, steps=1, noise=2.0, seed=3).points
    start = np.array(surfaces.noisy_valley.start)
    moved = found[1] - (start - surfaces.noisy_valley.slope(start))
    expected = -2.0 * np.random.default_rng(3).standard_normal(2)
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_a_walk_that_leaves_says_so():
    axes = plot.path([rules.sgd, rules.adam], "ravine", learning_rate=0.2)

    assert sorted(names_in(axes)) == ["adam at 0.2", "sgd: left the map"]
    axes.get_figure().draw_without_rendering()


def test_the_names_lie_within_the_picture():
    axes = plot.path([rules.adam, rules.rmsprop_centered], "rosenbrock", learning_rate=1e-3)
    figure = axes.get_figure()
    figure.draw_without_rendering()

    for text in axes.texts:
        assert text.get_window_extent().x1 <= figure.bbox.x1 + 1


def test_a_rule_of_ones_own_on_a_surface_of_ones_own():
    @ro.rule
    def step(w, dw, *, size=0.1):
        """A step of one size."""
        return w - size * ro.sign(dw)

    @surfaces.surface(
        title="A bowl", caption="a bowl", window=(-1, 1, -1, 1), start=(0.9, 0.5), lowest=((0, 0),)
    )
    def bowl(x, y):
        """A bowl."""
        return x**2 + y**2 - 1

    axes = plot.path(step, bowl, steps=4)
    np.testing.assert_allclose(lines_of(axes)[0][-1], [0.5, 0.1])
    assert names_in(axes) == ["step"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (("adam",), {}, PlotError, "'adam' is no rule"),
        (([],), {}, PlotError, "there is no rule"),
        ((rules.adam, "ravin"), {}, PlotError, "no surface 'ravin'; did you mean 'ravine'"),
        ((rules.adam, 3), {}, PlotError, "surface"),
        ((rules.adam,), {"steps": 0}, PlotError, "steps is 0"),
        ((rules.adam,), {"ax": 3}, PlotError, "ax is int, not the Axes"),
        ((rules.sgd,), {"beta1": 0.5, "learning_rate": 0.1}, HyperparameterError, "beta1"),
        ((rules.sgd,), {"parameters": {"turns": 1}}, UnknownNameError, "no parameter 'turns'"),
    ],
)
def test_what_cannot_be_drawn_is_told(arguments, options, error, words):
    with pytest.raises(error, match=words):
        plot.path(*arguments, **options)
    assert not plt.get_fignums()
