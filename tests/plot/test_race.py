"""ruleonce.plot.race: the lines are the losses, from a file or from objects."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot as plt
from typer.testing import CliRunner

from ruleonce import plot
from ruleonce.cli.app import app
from ruleonce.errors import PlotError


def run(rule="adam", learning_rate=1e-3, seed=0, losses=None, scale=1.0):
    losses = losses or [scale / (1 + step) for step in range(100)]
    return {"rule": rule, "learning_rate": learning_rate, "seed": seed, "losses": losses}


def names_in(axes):
    return sorted(text.get_text() for text in axes.texts)


def ends(axes):
    return [line.get_ydata()[-1] for line in axes.lines]


def test_the_file_of_a_race_is_drawn(tmp_path):
    options = ["--rules", "sgd,adam", "--epochs", "1", "--seeds", "2", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, ["race", *options]).exit_code == 0

    axes = plot.race(tmp_path / "race.json")
    assert names_in(axes) == ["adam at 0.001", "sgd at 0.001"]
    assert axes.get_yscale() == "log"
    assert "mean of 2 seeds" in axes.get_title(loc="left").replace("\n", " ")
    runs = json.loads((tmp_path / "race.json").read_text())["runs"]
    first = [r["losses"][0] for r in runs if r["rule"] == "adam" and r["learning_rate"] == 1e-3]
    assert any(line.get_ydata()[0] == pytest.approx(np.mean(first)) for line in axes.lines)


def test_a_mapping_a_list_and_objects_give_the_same_picture():
    runs = [run(), run("sgd", scale=2)]
    pictures = [{"runs": runs}, runs, [SimpleNamespace(**each) for each in runs]]
    drawn = [[line.get_xydata().tolist() for line in plot.race(x).lines] for x in pictures]

    assert drawn[0] == drawn[1] == drawn[2]
    np.testing.assert_array_equal(drawn[0][0][0], [1, 1.0])


def test_each_rule_is_shown_at_the_rate_where_it_ended_lowest():
    runs = [run(), run(learning_rate=1e-2, scale=0.1), run(learning_rate=1.0, losses=[1e9] * 100)]
    axes = plot.race([*runs, run("sgd", None, scale=3)])

    assert names_in(axes) == ["adam at 0.01", "sgd"]
    best = plot.race(runs[1:2])
    assert ends(best)[0] in ends(axes)


def test_a_run_that_diverged_is_never_the_best():
    losses = [1.0, *[None] * 99]
    axes = plot.race([run(), run(learning_rate=1e-2, losses=losses)])

    assert names_in(axes) == ["adam at 0.001"]
    assert names_in(plot.race([run(losses=losses), run("sgd")])) == [
        "adam at 0.001: diverged", "sgd at 0.001",
    ]  # fmt: skip


def test_one_learning_rate_may_be_asked_for():
    runs = [run(), run(learning_rate=1e-2, scale=0.1), run("sgd", 1e-2), run("mine", None)]
    axes = plot.race(runs, learning_rate=1e-3)

    assert names_in(axes) == ["adam", "mine"]
    assert "rate 0.001" in axes.get_title(loc="left")
    with pytest.raises(PlotError, match=r"learning rate 5; there are 0.01, 0.001\."):
        plot.race(runs, learning_rate=5)


def test_it_draws_into_the_axes_that_it_is_given():
    _, axes = plt.subplots()
    assert plot.race([run()], ax=axes) is axes


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([], "no losses"),
        ({"trials": []}, "no losses"),
        ([{"rule": "adam"}], "learning_rate"),
        ([3], "not the results of a race"),
        (7, "not the results of a race"),
        ([run(losses=[1.0] * 3), run(losses=[1.0] * 4)], "different lengths"),
        ([run() | {"losses": []}], "no losses"),
        ([run() | {"losses": ["high"]}], "not the results"),
        ("nowhere.json", "nowhere.json cannot be read"),
    ],
)
def test_what_is_no_race_is_told(results, words):
    with pytest.raises(PlotError, match=words):
        plot.race(results)
    assert not plt.get_fignums()


def test_a_file_that_is_no_json_is_told(tmp_path):
    (tmp_path / "race.json").write_text("no")
    with pytest.raises(PlotError, match=r"cannot be read as the race\.json"):
        plot.race(str(tmp_path / "race.json"))


def test_a_loss_of_zero_is_drawn():
    assert math.isfinite(plot.race([run(losses=[1.0] * 50 + [0.0] * 50)]).get_ylim()[0])
