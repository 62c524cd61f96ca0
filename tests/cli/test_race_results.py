"""What comes of a race: race.json, the table, the pictures."""

import json
import math

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from ruleonce import rules
from ruleonce.cli.race.bias_correction import (
    bias_correction_picture,
    first_gradients,
)
from ruleonce.cli.race.data import dataset
from ruleonce.cli.race.files import Samples
from ruleonce.cli.race.picture import race_picture, ratio_picture
from ruleonce.cli.race.results import appearing, save, write_json
from ruleonce.cli.race.table import table
from ruleonce.cli.race.training import Run
from ruleonce.plot.curves import smooth
from ruleonce.plot.first_steps import step_sizes
from ruleonce.plot.ink import COLOURS, DASHES, Ink, _apart


def run(rule="adam", learning_rate=1e-3, seed=0, **values):
    defaults = {
        "final_train_loss": 0.5,
        "test_loss": 0.6,
        "test_accuracy": 0.9,
        "steps_to_95": None,
        "optimizer_ms": 12.0,
        "losses": tuple(1 / step for step in range(1, 101)),
        "ratios": tuple(1e-3 / step for step in range(1, 11)),
    }
    return Run(rule, learning_rate, seed, **(defaults | values))


def as_text(runs):
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(table(runs))
    return capture.get()


def cells(text, rule, rate):
    """The cells of a row, by the rule and the rate that it starts with."""
    name = ""
    for line in text.splitlines():
        name = line.split()[0] if line[:1].strip() else name
        if name == rule and f" {rate} " in line:
            return " ".join(line.partition(f" {rate} ")[2].split())
    raise AssertionError(text)


def test_json_holds_exactly_the_promised_fields(tmp_path):
    write_json(
        tmp_path / "race.json",
        [run(steps_to_95=40, losses=(2.302585092, 0.5), ratios=(0.000123456789,))],
    )

    expected = {
        "rule": "adam",
        "learning_rate": 1e-3,
        "seed": 0,
        "final_train_loss": 0.5,
        "test_loss": 0.6,
        "test_accuracy": 0.9,
        "steps_to_95": 40,
        "optimizer_ms": 12.0,
        "losses": [2.30259, 0.5],
        "ratios": [0.000123457],
    }
    assert json.loads((tmp_path / "race.json").read_text()) == {"runs": [expected]}


def test_json_has_null_for_what_is_no_number(tmp_path):
    """`NaN` is no JSON, and JavaScript's parser refuses it."""
    runs = [
        run(
            learning_rate=None,
            final_train_loss=math.nan,
            test_loss=math.inf,
            losses=(1.0, math.inf, math.nan),
            ratios=(math.nan,),
        ),
    ]
    write_json(tmp_path / "race.json", runs)

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "race.json").read_text()
    (found,) = json.loads(text, parse_constant=refuse)["runs"]
    assert found["losses"] == [1.0, None, None]
    assert found["ratios"] == [None]
    assert found["final_train_loss"] is found["test_loss"] is None
    assert found["steps_to_95"] is found["learning_rate"] is None


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "race.json"
    path.write_text("old")

    def interrupted():
        with appearing(path) as new:
            new.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert path.read_text() == "old"
    assert [path] == list(tmp_path.iterdir())


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path):
    """Written into the old file, it would be half there for a moment."""
    path, old = tmp_path / "race.json", tmp_path / "old"
    path.write_text("old")
    old.hardlink_to(path)
    write_json(path, [run()])

    assert old.read_text() == "old"
    assert "adam" in path.read_text()


def test_the_table_has_mean_and_spread_over_the_seeds():
    runs = [
        run(seed=0, final_train_loss=0.1, test_accuracy=0.90, steps_to_95=100, optimizer_ms=10),
        run(seed=1, final_train_loss=0.3, test_accuracy=0.94, steps_to_95=300, optimizer_ms=14),
        run("sgd", seed=0, final_train_loss=0.5, optimizer_ms=50, test_accuracy=0.5),
        run("sgd", seed=1, final_train_loss=0.5, optimizer_ms=50, test_accuracy=0.5),
    ]
    text = as_text(runs)

    assert cells(text, "adam", "0.001") == "0.200 ± 0.141* 92.0 ± 2.8* 200 ± 141* 12.0 ± 2.8*"
    assert cells(text, "sgd", "0.001") == "0.500 ± 0.000 50.0 ± 0.0 never 50.0 ± 0.0"
    assert "over 2 seeds" in text
    assert "all 100 steps" in text


def test_a_part_of_the_seeds_wins_nothing():
    """The mean of those that arrived would make the rule look fast that rarely arrives."""
    runs = [
        run("sgd", seed=0, steps_to_95=10),
        run("sgd", seed=1, final_train_loss=math.nan),
        run("adam", seed=0, steps_to_95=90),
        run("adam", seed=1, steps_to_95=90),
    ]
    text = as_text(runs)

    assert cells(text, "sgd", "0.001").startswith("0.500 (1/2) 90.0 ± 0.0* 10 (1/2)")
    assert "90 ± 0*" in cells(text, "adam", "0.001")


def test_the_table_says_what_diverged_and_what_has_no_learning_rate():
    text = as_text([run("sgd", final_train_loss=math.inf), run("mine", learning_rate=None)])

    assert cells(text, "sgd", "0.001").startswith("diverged")
    assert cells(text, "mine", "own") == "0.500* 90.0* never 12.0*"


def test_the_table_fits_a_terminal_of_80_columns():
    runs = [
        run(
            "adam_simplified", rate, seed, final_train_loss=1.2345e-4 * (1 + seed), steps_to_95=1234
        )
        for seed in range(3)
        for rate in (1e-3, 1e-4)
    ]
    wide = as_text(runs)

    assert max(len(line.rstrip()) for line in wide.splitlines()) <= 80


def axes_of(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def names_in(axes):
    return [text.get_text() for text in axes.texts]


def test_a_panel_for_each_learning_rate_and_a_name_for_each_line(tmp_path):
    runs = [run(rule, rate, s) for rule in ("sgd", "adam") for rate in (1e-3, 1e-4) for s in (0, 1)]
    figure = race_picture(runs, "digits")

    assert [a.get_title() for a in axes_of(figure)] == [
        "learning rate 0.001",
        "learning rate 0.0001",
    ]
    for axes in axes_of(figure):
        assert sorted(names_in(axes)) == ["adam", "sgd"]
        assert axes.get_yscale() == "log"
        assert len({line.get_color() for line in axes.lines}) == 2
    assert "2 seeds" in figure.get_suptitle()
    save(tmp_path / "race.png", figure)
    pixels = matplotlib.image.imread(tmp_path / "race.png")
    assert pixels.shape[1] > 1000
    assert pixels.std() > 0.01


def test_a_rule_without_a_learning_rate_stands_in_every_panel():
    runs = [run("sgd", 1e-3), run("sgd", 1e-4), run("mine", None)]

    assert [sorted(names_in(a)) for a in axes_of(race_picture(runs, "x"))] == [["mine", "sgd"]] * 2
    assert [names_in(a) for a in axes_of(race_picture(runs[2:], "x"))] == [["mine"]]


def test_a_run_that_diverged_ends_in_a_cross_and_squeezes_nobody():
    exploding = (2.3, 10.0, 1e30, *[math.nan] * 97)
    figure = race_picture([run("sgd", losses=exploding), run("adam")], "x")
    (axes,) = axes_of(figure)

    assert sorted(names_in(axes)) == ["adam", "sgd: diverged"]
    assert [line.get_marker() for line in axes.lines].count("x") == 1
    assert axes.get_ylim()[1] < 10


def test_the_ratio_has_a_panel_for_each_learning_rate_and_the_mark_of_the_notes():
    runs = [run(rule, rate) for rule in ("sgd", "adam") for rate in (1e-3, 1e-4)]
    figure = ratio_picture(runs, "digits")

    assert len(axes_of(figure)) == 2
    for axes in axes_of(figure):
        assert sorted(names_in(axes)) == ["adam", "sgd"]
        assert axes.get_yscale() == "log"
        marks = [line for line in axes.lines if len(line.get_ydata()) == 2]
        assert [list(line.get_ydata()) for line in marks] == [[1e-3, 1e-3]]
        low, high = axes.get_ylim()
        assert low <= 1e-4
        assert high > 1e-3
        curves = [line for line in axes.lines if line not in marks]
        assert [list(line.get_xdata()) for line in curves] == [list(range(10, 101, 10))] * 2


def test_a_ratio_that_grows_without_end_squeezes_nobody():
    ratios = (1e-3, 1.0, 1e20, *[math.nan] * 7)
    (axes,) = axes_of(ratio_picture([run("sgd", ratios=ratios), run("adam")], "x"))

    assert sorted(names_in(axes)) == ["adam", "sgd: diverged"]
    assert axes.get_ylim()[1] < 100


def test_a_curve_that_is_never_a_number_has_its_name_all_the_same(tmp_path):
    runs = [run("sgd", ratios=(math.nan,) * 10), run("adam")]
    (axes,) = axes_of(figure := ratio_picture(runs, "x"))

    assert sorted(names_in(axes)) == ["adam", "sgd: diverged"]
    save(tmp_path / "x.png", figure)


def test_curves_start_at_the_first_loss_and_are_means_later():
    losses = np.arange(601.0)
    losses[400] += 11

    found = smooth(losses, np.array([0, 300, 399]))
    np.testing.assert_allclose(found, [0, 300, 400])


def test_curves_end_where_nan_begins():
    losses = np.ones(600)
    losses[500:] = math.nan
    found = smooth(losses, np.arange(600))

    assert np.isfinite(found[:490]).all()
    assert np.isnan(found[500:]).all()


def test_names_keep_apart_and_in_order():
    rng = np.random.default_rng(0)
    for count in range(1, 20):
        wanted = np.sort(rng.random(count))[::-1]
        found = _apart(wanted, 0.05)

        assert np.all(-np.diff(found) > 0.05 - 1e-12)
        assert found.max() <= 1 + 1e-12
        assert found.min() >= -1e-12
    np.testing.assert_allclose(_apart(np.array([0.9, 0.5, 0.1]), 0.05), [0.9, 0.5, 0.1])


def test_seven_lines_differ_in_colour_and_dashes_and_many_in_one_of_them():
    assert len({Ink.of(place).colour for place in range(7)}) == len(COLOURS)
    assert len({Ink.of(place).dashes for place in range(7)}) == len(DASHES)
    assert len({Ink.of(place) for place in range(49)}) == 49


def test_without_bias_correction_the_first_step_is_3_16_times_too_long():
    """The number of the card, from the rules themselves: (1 - 0.9) / sqrt(1 - 0.999)."""
    constant = [{"w": np.full(3, -7.0)}] * 50
    simplified, full = (step_sizes(r, constant) for r in (rules.adam_simplified, rules.adam))

    np.testing.assert_allclose(full, 1, rtol=1e-7)
    assert simplified[0] == pytest.approx(0.1 / math.sqrt(0.001), rel=1e-7)
    assert simplified[0] == simplified.min() < simplified.max()


def test_the_picture_of_the_bias_says_so():
    rng = np.random.default_rng(0)
    data = dataset(Samples("mine", rng.standard_normal((60, 4)), np.arange(60) % 3))
    figure = bias_correction_picture(first_gradients(data, 0, 50), "mine")

    assert len(figure.axes) == 2
    assert any("= 3.16" in text for text in names_in(figure.axes[0]))
    for axes in figure.axes:
        assert {"adam", "adam_simplified"} <= set(names_in(axes))
        assert [len(line.get_xdata()) for line in axes.lines] == [50, 50]
        first = [line.get_ydata()[0] for line in axes.lines]
        np.testing.assert_allclose(first, [3.1623, 1], rtol=1e-3)
