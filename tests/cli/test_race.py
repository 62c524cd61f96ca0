"""`ruleonce race` from end to end: its files, its mistakes, Ctrl-C, the reader's rule and data."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ruleonce.cli.app import app
from ruleonce.cli.race import training
from ruleonce.cli.race.data import dataset, digits
from ruleonce.cli.race.entries import DEFAULT_RULES, entries
from ruleonce.cli.race.files import Samples

SOURCE = Path(__file__).parents[2] / "src"
PNG = b"\x89PNG\r\n\x1a\n"
QUICK = ("--epochs", "2", "--seeds", "1")
MY_RULE = '''
from ruleonce import rule, sign

@rule
def my_rule(w, dw, *, {}):
    """Only the direction counts."""
    return w - {} * sign(dw)
'''


@pytest.fixture
def race(tmp_path):
    """Run `ruleonce race`; the result has stdout, stderr, exit_code and `runs`, from race.json."""

    def race(*options):
        out = tmp_path / "out"
        result = CliRunner().invoke(app, ["race", "--out", str(out), *map(str, options)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        file = out / "race.json"
        result.out = out
        result.runs = json.loads(file.read_text())["runs"] if file.exists() else None
        return result

    return race


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def refused(result):
    """What stderr says, as one line."""
    assert result.exit_code == 1
    assert result.runs is None
    return " ".join(result.stderr.split())


def test_a_race_leaves_a_table_pictures_and_numbers(race):
    result = race("--rules", "sgd,adam", "--learning-rates", "1e-3,1e-2", *QUICK, "--seeds", "2")

    assert result.exit_code == 0
    for name in ("race.png", "update_ratio.png", "bias_correction.png"):
        assert (result.out / name).read_bytes().startswith(PNG)
        assert name in result.stdout
    assert sorted(p.name for p in result.out.iterdir()) == [
        "bias_correction.png",
        "race.json",
        "race.png",
        "update_ratio.png",
    ]
    found = [(r["rule"], r["learning_rate"], r["seed"]) for r in result.runs]
    expected = [
        (rule, rate, seed) for seed in (0, 1) for rule in ("sgd", "adam") for rate in (1e-3, 1e-2)
    ]
    assert found == expected
    fields = (
        "rule learning_rate seed final_train_loss test_loss test_accuracy steps_to_95 optimizer_ms "
        "losses ratios"
    )
    for run in result.runs:
        assert list(run) == fields.split()
        assert len(run["losses"]) == 44
        assert len(run["ratios"]) == 5  # of the steps 10, 20, 30, 40 and 44
        assert run["optimizer_ms"] > 0
    assert re.search(r"^adam +0\.001 .*±", result.stdout, re.MULTILINE)
    assert "1438 rows to train on" in result.stderr


def test_every_rule_races_at_the_rates_of_the_card(race):
    """A rule that is added to ruleonce.rules enters by itself."""
    result = race("--epochs", "1", "--seeds", "1")

    assert [name for name in DEFAULT_RULES for _ in range(3)] == [r["rule"] for r in result.runs]
    assert {1e-3, 5e-4, 1e-4} == {r["learning_rate"] for r in result.runs}
    assert len({r["losses"][0] for r in result.runs}) == 1  # the same weights, the same batch
    assert len({r["losses"][-1] for r in result.runs}) > len(DEFAULT_RULES)


def test_adam_reaches_95_percent(race):
    """The default race, but for its length."""
    result = race("--rules", "adam", "--learning-rates", "1e-3", "--epochs", "40", "--seeds", "1")

    (run,) = result.runs
    assert run["test_accuracy"] >= 0.955
    assert run["steps_to_95"] % training.CHECK_EVERY == 0
    assert run["steps_to_95"] < 400
    assert run["final_train_loss"] < 0.02
    assert run["losses"][-1] < 0.1 * run["losses"][0]


def test_the_same_seed_gives_the_same_losses(race):
    options = ("--rules", "adam", "--rules", "momentum", "--learning-rates", "0.01", *QUICK)
    first, again = race(*options).runs, race(*options).runs
    other = race(*options, "--seed", "7").runs

    for run in (*first, *again):
        del run["optimizer_ms"]
    assert first == again
    assert {r["seed"] for r in other} == {7}
    assert first[0]["losses"][0] != other[0]["losses"][0]


def test_each_format_is_an_entry(race):
    formats = ["float32", "8bit", "bfloat16", "bfloat16_stochastic", "bfloat16+8", "bfloat16+16"]
    result = race(
        *("--rules", "adam", "--learning-rates", "1e-3", "--epochs", "5", "--seeds", "1"),
        *("--formats", ",".join(formats)),
    )
    runs = {run["rule"].removeprefix("adam, "): run for run in result.runs}
    losses = {name: run["losses"] for name, run in runs.items()}

    assert list(runs) == formats
    assert "adam, bfloat16+8" in result.stdout
    # The network sees weights that are rounded, to nearest in two of the four.
    assert losses["8bit"][0] == losses["float32"][0] != losses["bfloat16"][0]
    assert losses["bfloat16+16"][0] == losses["bfloat16"][0]
    assert len({tuple(of_one) for of_one in losses.values()}) == len(formats)
    final = {name: run["final_train_loss"] for name, run in runs.items()}
    for name in ("8bit", "bfloat16_stochastic", "bfloat16+8", "bfloat16+16"):
        assert final[name] == pytest.approx(final["float32"], rel=0.02), name
    assert final["bfloat16"] > 1.05 * final["float32"]


def test_formats_that_there_are_not(race):
    said = refused(race("--formats", "8bits", *QUICK))
    assert "--formats has '8bits'" in said
    assert "did you mean" in said.lower()
    assert "leave --formats out" in refused(race("--formats", "8bit", "--search", "1"))


def test_a_run_that_diverges_is_a_result(race):
    result = race("--rules", "sgd", "--learning-rates", "1e30", *QUICK)

    assert result.exit_code == 0
    assert result.runs[0]["final_train_loss"] is None
    assert result.runs[0]["losses"][-1] is None
    assert "diverged" in result.stdout


def test_steps_to_95_is_the_first_check_at_the_goal(monkeypatch):
    """Accuracy falls again later; the first time counts, and the last check."""
    answers = iter([0.5, 0.95, 0.3, 0.96, 0.7])
    monkeypatch.setattr(training, "accuracy", lambda *_: next(answers))
    told = []
    (entry,) = entries(["adam"], [1e-3], None)
    run = training.train(
        entry, digits(), seed=0, epochs=2, progress=lambda step, loss: told.append((step, loss))
    )

    assert [step for step, _ in told] == [10, 20, 30, 40, 44]
    assert run.steps_to_95 == 20
    assert run.test_accuracy == 0.7
    assert [loss for _, loss in told] == [run.losses[step - 1] for step, _ in told]


def test_the_seed_decides_the_weights_and_the_batches():
    data = digits()
    first, again, other = (
        (training.start(data, seed), list(training.batches(data, seed, 2))) for seed in (3, 3, 4)
    )

    np.testing.assert_array_equal(first[0]["W1"], again[0]["W1"])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.any(first[0]["W1"] != other[0]["W1"])
    assert np.any(first[1][0] != other[1][0])
    epoch = np.concatenate(first[1][: len(first[1]) // 2])
    assert len(np.unique(epoch)) == len(epoch) == 22 * 64


def test_less_data_than_a_batch_is_one_batch():
    data = dataset(Samples("x", np.arange(20.0)[:, None], np.arange(20) % 2))
    (rows,) = training.batches(data, 0, 1)

    assert sorted(rows) == list(range(16))
    assert training.steps_of(data, 5) == 5


def test_my_csv(race, write):
    lines = (f"{i % 5},{i * i % 7},{'yes' if i % 5 > 2 else 'no'}\n" for i in range(60))
    path = write("my.csv", "a,b,answer\n" + "".join(lines))
    result = race("--data", path, "--target", "answer", "--learning-rates", "0.01", *QUICK)

    assert result.exit_code == 0
    assert len(result.runs) == len(DEFAULT_RULES)
    assert "my.csv: 48 rows to train on, 12 to test with" in result.stderr
    assert "2 inputs" in result.stderr


def test_my_npz(race, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    np.savez(tmp_path / "my.npz", X=np.eye(4)[labels] + 0.1 * rng.random((200, 4)), y=labels)
    result = race(
        "--data", tmp_path / "my.npz", "--rules", "adam", "--learning-rates", "0.01", *QUICK
    )

    assert result.exit_code == 0
    assert result.runs[0]["losses"][-1] < result.runs[0]["losses"][0]


def test_my_rule_enters_beside_all_others(race, write):
    path = write("my_rule.py", MY_RULE.format("learning_rate=1e-3", "learning_rate"))
    result = race("--rule-file", path, "--learning-rates", "0.01", "--epochs", "1", "--seeds", "1")

    assert [*DEFAULT_RULES, "my_rule"] == [r["rule"] for r in result.runs]
    assert result.runs[-1]["losses"][-1] < result.runs[-1]["losses"][0]


def test_my_rule_enters_whatever_is_chosen(race, write):
    path = write("my_rule.py", MY_RULE.format("learning_rate=1e-3", "learning_rate"))
    result = race("--rule-file", path, "--rules", "sgd", "--learning-rates", "0.01", *QUICK)

    assert [r["rule"] for r in result.runs] == ["sgd", "my_rule"]


def test_my_rule_without_a_learning_rate_runs_once(race, write):
    path = write("my_rule.py", MY_RULE.format("size=0.01", "size"))
    result = race("--rule-file", path, "--rules", "sgd,my_rule", *QUICK)

    found = [(r["rule"], r["learning_rate"]) for r in result.runs]
    assert found == [("sgd", 1e-3), ("sgd", 5e-4), ("sgd", 1e-4), ("my_rule", None)]
    assert re.search(r"^my_rule +own ", result.stdout, re.MULTILINE)


def test_my_rule_may_be_called_as_one_of_ours(race, write):
    text = MY_RULE.format("learning_rate=1e-3", "learning_rate").replace("my_rule", "adam")
    path = write("my_rule.py", text)
    result = race("--rule-file", path, "--rules", "adam", "--learning-rates", "0.01", *QUICK)

    assert [r["rule"] for r in result.runs] == ["adam", "adam (my_rule.py)"]
    assert result.runs[0]["losses"] != result.runs[1]["losses"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rules", "adam,adm"], "no rule 'adm'; did you mean 'adam'?"),
        (["--learning-rates", "1e-3,fast"], "--learning-rates has 'fast'"),
        (["--learning-rates", "0"], "a number above 0"),
        (["--learning-rates", "nan"], "a number above 0"),
        (["--target", "kind"], "Add --data my.csv"),
        (["--data", "nothing.csv", "--target", "y"], "nothing.csv does not exist"),
        (["--rule-file", "nothing.py"], "nothing.py does not exist"),
    ],
)
def test_mistakes_are_told_before_the_race(race, monkeypatch, tmp_path, options, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("it raced"))

    assert said in refused(race(*options))


def test_a_learning_rate_out_of_a_rules_range_is_told_before_the_race(race, write, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("it raced"))
    text = MY_RULE.format("learning_rate=1e-3", "learning_rate")
    text = text.replace("@rule", '@rule(ranges={"learning_rate": (0, 0.5)})')
    said = refused(
        race("--rule-file", write("my_rule.py", text), "--learning-rates", "0.9", *QUICK)
    )

    assert "my_rule: learning_rate is 0.9; it must be" in said


def test_out_that_is_a_file_is_told_before_the_race(race, write):
    result = race("--out", write("taken", ""), *QUICK)

    assert "--out" in refused(result)
    assert "name another" in refused(result)


def test_a_rule_that_fails_midway_leaves_what_was_finished(race, write):
    """Its learning rate is divided by 0 at the fifth step."""
    text = MY_RULE.format("learning_rate=1e-3", "learning_rate / (5 - t)")
    text = text.replace("dw, *", "dw, t, *")
    path = write("my_rule.py", text)
    result = race("--rule-file", path, "--rules", "sgd", "--learning-rates", "0.01", *QUICK)

    assert result.exit_code == 1
    assert "my_rule" in result.stderr
    assert "Stopped after 1 of 2 runs" in result.stderr
    assert [r["rule"] for r in result.runs] == ["sgd"]


def test_ctrl_c_leaves_what_was_finished(race, monkeypatch):
    real, begun = training.train, []

    def interrupted(entry, *args, progress, **kwargs):
        begun.append(entry.label)
        if len(begun) == 3:
            progress(10, 1.0)
            raise KeyboardInterrupt
        return real(entry, *args, progress=progress, **kwargs)

    monkeypatch.setattr(training, "train", interrupted)
    result = race("--learning-rates", "0.01", *QUICK)

    assert result.exit_code == 130
    assert [r["rule"] for r in result.runs] == begun[:2]
    assert "Stopped after 2 of 7 runs" in result.stderr
    assert re.search(rf"^{begun[1]} +0\.01 ", result.stdout, re.MULTILINE)
    assert begun[2] not in result.stdout
    assert (result.out / "race.png").read_bytes().startswith(PNG)


def test_ctrl_c_before_the_first_result_writes_nothing(race, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    result = race(*QUICK)

    assert result.exit_code == 130
    assert list(result.out.iterdir()) == []


# The signal itself, in a process of its own: at the 20th step of the third run.
SIGNALLED = """
import os, signal
# What is started in the background of a script ignores Ctrl-C, and so would this.
signal.signal(signal.SIGINT, signal.default_int_handler)
from ruleonce.cli import main
from ruleonce.cli.race import training

real, begun = training.train, []

def train(*args, progress, **kwargs):
    begun.append(0)
    def told(step, loss):
        progress(step, loss)
        if len(begun) == 3 and step == 20:
            os.kill(os.getpid(), signal.SIGINT)
    return real(*args, progress=told, **kwargs)

training.train = train
main()
"""


def python(code, *arguments):
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send: NOT tested")
def test_the_signal_of_ctrl_c_leaves_what_was_finished(tmp_path):
    done = python(SIGNALLED, "race", "--out", tmp_path, *QUICK, "--learning-rates", "0.01")

    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert len(json.loads((tmp_path / "race.json").read_text())["runs"]) == 2
    assert "momentum" in done.stdout


WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
from ruleonce.cli import main
main()
"""


@pytest.mark.parametrize("library", ["typer", "matplotlib", "sklearn"])
def test_a_missing_library_is_named_with_what_installs_it(library, tmp_path):
    done = python(WITHOUT.format(library), "race", "--out", tmp_path / "out", *QUICK)

    assert done.returncode == 1
    assert "pip install 'ruleonce[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_does_not_wait_for_the_libraries_of_the_race():
    code = "import sys; sys.argv[1:] = ['race', '--help']\nfrom ruleonce.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    done = python(code + "print(*{'matplotlib', 'sklearn'} & set(sys.modules))")

    assert "--learning-rates" in done.stdout
    assert done.stdout.splitlines()[-1] == ""
