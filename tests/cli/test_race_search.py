"""`ruleonce race --search`: what is drawn, what is found, what is written."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from ruleonce import rules
from ruleonce.cli.app import app
from ruleonce.cli.race import training
from ruleonce.cli.race.search import FORGOTTEN, RATES, Space, Trial, at_edge
from ruleonce.cli.race.search_command import best_table
from ruleonce.cli.race.search_picture import search_picture

PNG = b"\x89PNG\r\n\x1a\n"
QUICK = ("--epochs", "1")


@pytest.fixture
def search(tmp_path):
    """Run `ruleonce race --search`; the result has `trials`, from search.json."""

    def search(count, *options):
        out = tmp_path / "out"
        arguments = ["race", "--search", str(count), "--out", str(out), *map(str, options)]
        result = CliRunner().invoke(app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        file = out / "search.json"
        result.out = out
        result.trials = json.loads(file.read_text())["trials"] if file.exists() else None
        return result

    return search


def trial(rule="adam", learning_rate=1e-3, momentum=0.9, test_loss=0.5):
    return Trial(rule, learning_rate, momentum, test_loss, 0.9)


def test_a_search_leaves_a_table_a_picture_and_numbers(search):
    result = search(6, "--rules", "sgd,momentum", *QUICK)

    assert result.exit_code == 0
    assert sorted(path.name for path in result.out.iterdir()) == ["search.json", "search.png"]
    assert (result.out / "search.png").read_bytes().startswith(PNG)
    assert [t["rule"] for t in result.trials] == ["sgd"] * 6 + ["momentum"] * 6
    fields = "rule learning_rate momentum test_loss test_accuracy"
    assert all(list(t) == fields.split() for t in result.trials)
    assert {t["momentum"] for t in result.trials[:6]} == {None}
    best = min((t for t in result.trials[6:] if t["test_loss"]), key=lambda t: t["test_loss"])
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("momentum "))
    for number in (best["learning_rate"], best["momentum"], best["test_loss"]):
        assert f" {number:.3g} " in row
    assert "12 runs of 22 steps" in result.stderr


def test_numbers_are_drawn_in_log_space_over_the_range_of_the_notes(search, monkeypatch):
    """Of a number that is uniform in log space, a third lies in each third of its decades."""
    done = training.train(entry_of("sgd"), small_data(), seed=0, epochs=1)
    monkeypatch.setattr(training, "train", lambda *_, **__: done)
    trials = search(600, "--rules", "momentum").trials

    rates = np.log10([t["learning_rate"] for t in trials])
    forgotten = np.log10([1 - t["momentum"] for t in trials])
    for values, (low, high) in ((rates, RATES), (forgotten, FORGOTTEN)):
        thirds = np.histogram(values, 3, (math.log10(low), math.log10(high)))[0]
        assert thirds.sum() == 600
        np.testing.assert_allclose(thirds, 200, atol=50)
    assert abs(np.corrcoef(rates, forgotten)[0, 1]) < 0.15


def test_the_seed_decides_what_is_drawn(search):
    options = ("--rules", "adam", *QUICK)
    first, again = search(3, *options).trials, search(3, *options).trials
    other = search(3, *options, "--seed", "1").trials

    assert first == again
    assert {t["learning_rate"] for t in first}.isdisjoint(t["learning_rate"] for t in other)


def test_a_trial_is_the_mean_of_its_seeds(search, monkeypatch):
    """Two seeds together draw what the first one draws alone, and their losses are averaged."""
    options = ("--rules", "adam", *QUICK)
    told = []
    real = training.train

    def noted(entry, data, *, seed, **rest):
        run = real(entry, data, seed=seed, **rest)
        told.append((seed, run.test_loss))
        return run

    monkeypatch.setattr(training, "train", noted)
    (both,) = search(1, *options, "--seeds", "2").trials

    assert [seed for seed, _ in told] == [0, 1]
    assert both["test_loss"] == pytest.approx(np.mean([loss for _, loss in told]), rel=1e-5)


def test_what_diverges_is_a_result_and_never_the_best(search, monkeypatch):
    real = training.train

    def train(entry, *arguments, **rest):
        run = real(entry, *arguments, **rest)
        return run if entry.learning_rate < 1e-2 else diverged(run)

    def diverged(run):
        return type(run)(**{**vars(run), "test_loss": math.nan})

    monkeypatch.setattr(training, "train", train)
    result = search(8, "--rules", "adam", *QUICK)

    losses = {t["learning_rate"]: t["test_loss"] for t in result.trials}
    assert all((loss is None) == (rate >= 1e-2) for rate, loss in losses.items())
    assert None in losses.values()
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("adam "))
    assert "inf" not in row


def test_ctrl_c_leaves_what_was_finished(search, monkeypatch):
    real, begun = training.train, []

    def interrupted(*arguments, **rest):
        begun.append(0)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **rest)

    monkeypatch.setattr(training, "train", interrupted)
    result = search(5, "--rules", "sgd", *QUICK)

    assert result.exit_code == 130
    assert len(result.trials) == 2
    assert "Stopped after 2 of 5 trials" in result.stderr
    assert (result.out / "search.png").exists()


def rule_file(tmp_path, hyperparameter, decorator="@rule"):
    file = tmp_path / "mine.py"
    name = hyperparameter.partition("=")[0]
    file.write_text(
        f"from ruleonce import rule\n{decorator}\ndef mine(w, dw, *, {hyperparameter}):\n"
        f"    return w - {name} * dw\n"
    )
    return file


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--learning-rates", "1e-3"), "leave --learning-rates out, or --search"),
        (("--rules", "adm"), "did you mean 'adam'?"),
        (("--target", "kind"), "Add --data my.csv"),
    ],
)
def test_mistakes_are_told_before_the_search(search, monkeypatch, options, said):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("it trained"))
    result = search(2, *options)

    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert result.trials is None


def test_a_rule_with_nothing_to_search_is_refused(search, tmp_path):
    result = search(2, "--rules", "sgd", "--rule-file", rule_file(tmp_path, "size=0.1"), *QUICK)

    assert result.exit_code == 1
    assert "mine has neither a learning rate nor a momentum" in result.stderr


def test_what_is_drawn_stays_in_the_range_of_a_rule(search, tmp_path):
    decorator = '@rule(ranges={"learning_rate": (0.01, 0.02)})'
    file = rule_file(tmp_path, "learning_rate=0.015", decorator)
    result = search(20, "--rules", "sgd", "--rule-file", file, *QUICK)

    drawn = [t["learning_rate"] for t in result.trials if t["rule"] == "mine"]
    assert len(drawn) == 20
    assert all(0.01 <= rate < 0.02 for rate in drawn)


def test_a_best_value_at_the_edge_of_its_range_is_said_to_be_there():
    space = Space.of("adam", rules.adam)

    assert at_edge(trial(), space) == ""
    assert at_edge(trial(learning_rate=1.5e-6), space) == "learning rate"
    assert at_edge(trial(learning_rate=9.0), space) == "learning rate"
    assert at_edge(trial(momentum=0.9985), space) == "momentum"
    assert at_edge(trial(momentum=0.0), space) == ""  # there is nothing below it
    assert at_edge(trial(learning_rate=9.0, momentum=0.9985), space) == "learning rate and momentum"
    columns = best_table([trial(learning_rate=9.0)], [space]).columns
    assert list(columns[-1].cells) == ["learning rate"]


def test_the_picture_has_a_panel_a_rule_with_log_axes():
    rng = np.random.default_rng(0)
    found = [
        trial(rule, 10 ** rng.uniform(-6, 1), momentum, 10 ** rng.uniform(-1, 2))
        for rule, momenta in (("adam", (0.0, 0.9, 0.99)), ("sgd", (None, None)))
        for momentum in momenta
    ]
    figure = search_picture([*found, trial("sgd", 5.0, None, math.inf)], "digits")
    adam, sgd = (axes for axes in figure.axes if axes.get_title())

    assert [adam.get_title(), sgd.get_title()] == ["adam", "sgd"]
    for axes in (adam, sgd):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert axes.get_xlabel() == "learning rate"
    assert adam.get_ylabel() == "momentum"
    assert sgd.get_ylabel() == "test loss"
    (points,) = adam.collections
    offsets = points.get_offsets()
    np.testing.assert_allclose(offsets[:, 0], [t.learning_rate for t in found[:3]])
    np.testing.assert_allclose(offsets[:, 1], [1.0, 0.1, 0.01], rtol=1e-12)
    best = min(found[:3], key=lambda t: t.test_loss)
    rings = [line for line in adam.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in rings] == [[best.learning_rate]]
    crosses = [line for line in sgd.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[5.0]]


def test_a_search_where_everything_diverged_has_a_picture():
    figure = search_picture([trial(test_loss=math.inf)], "x")

    assert [axes.get_title() for axes in figure.axes][:1] == ["adam"]


def test_without_optuna_the_error_says_what_installs_it(tmp_path):
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "from ruleonce.cli import main\nmain()"
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, "race", "--search", "2", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "optuna" in done.stderr
    assert "pip install 'ruleonce[search]'" in done.stderr
    assert not (tmp_path / "out").exists()


def small_data():
    from ruleonce.cli.race.data import dataset
    from ruleonce.cli.race.files import Samples

    return dataset(Samples("x", np.arange(20.0)[:, None], np.arange(20) % 2))


def entry_of(name):
    from ruleonce.cli.race.entries import entries

    return entries([name], [1e-3], None)[0]
