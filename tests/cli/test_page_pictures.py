"""The walks of the pages' pictures, and the pictures."""

import matplotlib.image
import numpy as np
import pytest

import ruleonce as ro
from ruleonce import rules
from ruleonce.cli.pages.command import SURFACES
from ruleonce.cli.pages.picture import COLOUR, PLAIN, page_picture, save
from ruleonce.plot.walks import RATES, best_path, walk
from ruleonce.surfaces import surface as made_surface

RAVINE, VALLEY = SURFACES
(STEEPNESS, _) = (parameter.value for parameter in RAVINE.parameters)


def test_the_ravine_is_as_steep_as_it_says():
    hessian = np.stack([RAVINE.slope(e) for e in np.eye(2)])
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian), [1, STEEPNESS])


def test_plain_descent_takes_the_longest_rate_that_comes_to_rest():
    """On a quadratic the best rate of all is 2 / (1 + steepness), and 2 / steepness never rests."""
    path = best_path(rules.sgd, RAVINE)

    assert path.rate == max(rate for rate in RATES if rate < 2 / (1 + STEEPNESS))
    assert len(path.losses) == RAVINE.steps + 1
    np.testing.assert_allclose(path.points[0], RAVINE.start)
    np.testing.assert_allclose(path.losses, RAVINE.height(path.points))


def test_a_walk_is_the_rule_itself_step_by_step():
    path = walk(rules.momentum, VALLEY, 1e-3)
    w, m = np.array(VALLEY.start), np.zeros(2)
    for point in path.points[1:50]:
        w, m = rules.momentum(w, VALLEY.slope(w), m, learning_rate=1e-3)
        np.testing.assert_allclose(point, w, rtol=1e-9)


def test_a_walk_neither_climbs_above_its_start_nor_leaves_the_window():
    for rule in (rules.adam, rules.lion, rules.heavy_ball):
        for surface in SURFACES:
            path = best_path(rule, surface)
            left, right, bottom, top = surface.window
            assert path.losses.max() <= path.losses[0] * (1 + 1e-9)
            assert path.points[:, 0].min() > left
            assert path.points[:, 0].max() < right
            assert path.points[:, 1].min() > bottom
            assert path.points[:, 1].max() < top


def test_a_walk_that_leaves_the_window_is_not_the_best_one():
    """On a slope without end the longest rate would be, were there no window."""

    @made_surface(
        title="A slope",
        caption="a slope",
        start=(0.0, 0.0),
        lowest=((1.0, 0.0),),
        window=(-1.0, 0.95, -1.0, 1.0),
        steps=10,
    )
    def slope(x, y):
        return 2 - x

    path = best_path(rules.sgd, slope)

    assert path.rate == max(rate for rate in RATES if 10 * rate < 0.95)


def test_momentum_and_adam_get_further_down_the_valley_than_plain_descent():
    plain = best_path(rules.sgd, VALLEY).losses[-1]

    for rule in (rules.momentum, rules.adam):
        assert best_path(rule, VALLEY).losses[-1] < plain / 10


def test_a_rule_without_a_learning_rate_walks_with_its_defaults():
    @ro.rule
    def fixed(w, dw, *, size=0.01):
        """A step."""
        return w - size * dw

    path = best_path(fixed, RAVINE)
    assert path.rate is None
    np.testing.assert_allclose(path.points, walk(rules.sgd, RAVINE, 0.01).points)


def test_a_rule_that_always_climbs_has_a_path_too():
    @ro.rule
    def climbing(w, dw, *, learning_rate=0.01):
        """The wrong way."""
        return w + learning_rate * dw

    path = best_path(climbing, RAVINE)
    assert path.rate == RATES[0]


def test_the_picture_names_both_walks_with_their_rates(tmp_path):
    plain = [("sgd", walk(rules.sgd, surface, 1e-3)) for surface in SURFACES]
    walks = [
        [("adam", walk(rules.adam, surface, 0.1)), beside]
        for surface, beside in zip(SURFACES, plain, strict=True)
    ]
    figure = page_picture(SURFACES, walks)
    maps, curves = figure.axes[:2], figure.axes[2:]

    assert [axes.get_title().partition(",")[0] for axes in maps] == [
        "a ravine",
        "Rosenbrock's valley",
    ]
    for axes in curves:
        assert axes.get_yscale() == "log"
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        first, second = axes.get_legend().get_lines()
        assert (first.get_color(), second.get_color()) == (COLOUR, PLAIN)
        assert names == ["adam at 0.1", "sgd at 0.001"]
    for axes, (surface, ((_, path), _)) in zip(
        maps, zip(SURFACES, walks, strict=True), strict=True
    ):
        drawn = [line.get_xydata() for line in axes.lines]
        assert any(np.array_equal(line, path.points) for line in drawn)
        assert any(np.array_equal(line, surface.lowest) for line in drawn)
    save(tmp_path / "x.png", figure)
    pixels = matplotlib.image.imread(tmp_path / "x.png")
    assert pixels.shape[1] > 800
    assert pixels.std() > 0.01
    assert (tmp_path / "x.png").stat().st_size < 80_000


def test_a_long_name_leaves_the_maps_as_large_as_they_are():
    sizes = []
    for name in ("x", "a_rule_whose_name_is_very_long_indeed"):
        walks = [[(name, walk(rules.sgd, surface, 1e-3))] * 2 for surface in SURFACES]
        figure = page_picture(SURFACES, walks)
        figure.draw_without_rendering()
        sizes.append(figure.axes[0].get_position().width)

    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)


def test_the_same_walks_give_the_same_file(tmp_path):
    walks = [[("sgd", walk(rules.sgd, surface, 1e-3))] for surface in SURFACES]
    for name in ("a.png", "b.png"):
        save(tmp_path / name, page_picture(SURFACES, walks))

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_losses_that_are_no_numbers_are_drawn(tmp_path):
    walks = [[("sgd", walk(rules.sgd, surface, 1e3))] for surface in SURFACES]
    assert not np.isfinite(walks[0][0][1].losses[-1])

    save(tmp_path / "x.png", page_picture(SURFACES, walks))
