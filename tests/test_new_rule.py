"""Someone adds a rule in one function: it is everywhere, with no other edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NEW_RULE = '''

@rule(initial={"peak": "floor"})
def brand_new(w, dw, peak, count: Scalar, t, *, learning_rate=1e-3, floor=0.1, squared=False):
    """A rule that nobody has seen before."""
    count = count + 1
    size = dw**2 if squared else abs(dw)
    peak = where(size > peak, size, 0.9 * peak)
    w = w - learning_rate * dw / (peak * count**0.5 + floor)
    return w, peak, count
'''


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the project in which one function was added to a file of cards."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    file = folder / "src" / "ruleonce" / "rules" / "adaptive.py"
    text = file.read_text().replace(
        "from ..language.functions import sqrt", "from ..language.functions import sqrt, where"
    )
    text = text.replace(
        "from ..language.rule import rule",
        "from ..language.rule import rule\nfrom ..language.schema import Scalar",
    )
    file.write_text(text + NEW_RULE)
    return folder


def run_in(tree, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_a_card(tree):
    assert "brand_new" in run_in(tree, "-m", "ruleonce", "cards")
    card = run_in(tree, "-m", "ruleonce", "show", "brand_new")
    assert "A rule that nobody has seen before." in card


def test_it_is_in_the_matrix(tree):
    out = run_in(
        tree, "-m", "pytest", "tests/matrix/test_rules.py", "-k", "brand_new", "-q", "-p",
        "no:cacheprovider",
    )  # fmt: skip

    assert "12 passed" in out  # bits: 2 switches x 4 dtypes; downhill x 2 engines; floats; purity


def test_it_is_in_the_race(tree):
    run_in(tree, "-m", "ruleonce", "race", "--rules", "brand_new", "--epochs", "1", "--seeds", "1")

    runs = json.loads((tree / "race.json").read_text())["runs"]
    assert {run["rule"] for run in runs} == {"brand_new"}
