"""docs/dialect_table.md: what is measured today is what stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ruleonce import rules

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "dialect_table.md"
DISTANCE = re.compile(r"(?<= )\d+(?:\.\d+)?(?:e-\d+)?(?= \|)")  # a cell that is a number


def measured(home):
    """The table as it is measured now, in a process of its own: it takes jax's 64 bits."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "dialects.py"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path, "KERAS_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_versions(text):
    return re.sub(r"((?:torch|optax|jax|keras) )\d[\w.]*", r"\1*", text)


def test_the_table_on_disk_is_what_is_measured(tmp_path):
    """If this fails, `make dialects` writes it anew. The numbers may differ by rounding."""
    both = (TABLE.read_text(), measured(tmp_path))
    words, expected = (DISTANCE.sub("#", without_versions(text)).split("\n") for text in both)

    assert words == expected
    for found, number in zip(*map(DISTANCE.findall, both), strict=True):
        assert float(found) == pytest.approx(float(number), rel=0.15)


def test_every_difference_has_its_words():
    unknown = [line for line in TABLE.read_text().split("\n") if "| ? |" in line]

    assert unknown == [], "say in benchmarks/dialect_words.py what these compute"


def cells(name, library):
    """The row of a library in the section of a name: column -> cell."""
    section = TABLE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.split("\n") if line.startswith("|")]
    header = [cell.strip() for cell in lines[0]]
    (row,) = (line for line in lines if line[0].strip() == library)
    return dict(zip(header, (cell.strip() for cell in row), strict=True))


def test_what_is_known_to_be_equal_is_and_what_is_known_to_differ_does():
    """What the front ends' own tests hold of the formulas, this table must say too."""
    for name in ("sgd", "momentum", "nesterov", "adam", "adamax"):
        row = cells(name, "optax")
        assert row["from the card"] == row["card's numbers"] == "=", name
    for name in ("sgd", "adam", "adamw", "radam", "rprop", "adadelta"):
        assert cells(name, "torch.optim")["from the card"] == "=", name
    rmsprop = cells("rmsprop", "torch.optim")
    assert float(rmsprop["from the card"]) > 1
    assert rmsprop["card's numbers"] == "="
    assert rmsprop["defaults"] == "`lr=0.01, alpha=0.99, eps=1e-8`"
    assert float(cells("amsgrad", "optax")["card's numbers"]) > 0.1
    assert float(cells("adagrad", "optax")["from torch"]) > 0.5


def test_every_name_that_is_held_elsewhere_has_its_section():
    named = set(re.findall(r"^## (\w+)$", TABLE.read_text(), re.MULTILINE))

    assert {"adam", "lion", "amsgrad", "Adafactor", "Muon"} <= named
    assert "heavy_ball" in {rule.name for rule in rules.ALL} - named
