"""docs/rules: the pages are what the rules say today, and all that they lead to is there."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import ruleonce as ro
from ruleonce import rules
from ruleonce.cli.app import app
from ruleonce.cli.pages import command
from ruleonce.cli.pages.calls import MODULES, calls
from ruleonce.cli.pages.command import PLAIN, texts
from ruleonce.cli.pages.dialects import Documents, read, rows_in, rows_naming
from ruleonce.cli.pages.text import moved_bytes, page, state_bytes
from ruleonce.cli.pages.words import allowed, meaning, number, unsaid
from ruleonce.combinators import decoupled_decay

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "rules"
SOURCE = Path(ro.__file__).parent
PNG = b"\x89PNG\r\n\x1a\n"


def made():
    return texts(rules.ALL, DOCS)


def test_the_pages_on_disk_are_what_the_rules_say():
    """If this fails, `make pages` writes them anew."""
    written = {path.name: path.read_text() for path in PAGES.glob("*.md")}

    assert sorted(written) == sorted(made())
    for name, text in made().items():
        assert written[name] == text, f"{name}: run `make pages`"


def test_every_page_has_its_picture_and_no_picture_is_left_over():
    assert {path.stem for path in PAGES.glob("*.png")} == {rule.name for rule in rules.ALL}
    for path in PAGES.glob("*.png"):
        assert path.read_bytes().startswith(PNG)


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_of_a_page_leads_somewhere():
    found = 0
    for name, text in made().items():
        for link in re.findall(r"\]\(([^)]+)\)", text):
            if "://" in link:
                continue
            file, _, anchor = link.partition("#")
            target = (PAGES / file).resolve()
            assert target.exists(), f"{name} leads to {link}"
            assert not anchor or anchor in anchors(target), f"{name} leads to {link}"
            found += 1
    assert found > 4 * len(rules.ALL)


def test_the_list_has_every_rule_once():
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\)", made()["README.md"], re.MULTILINE)

    assert listed == [(rule.name, rule.name) for rule in rules.ALL]


def test_a_page_holds_all_that_there_is_to_say_of_a_rule():
    text = page(rules.adamw, Documents(), PLAIN)

    for words in (
        "# adamw\n",
        "def adamw(",
        "    w = w * (1 - learning_rate * weight_decay)\n",
        r"\frac{m_t}{1 - \beta_{1}^{t}}",
        "| `weight_decay` | `0.01` | how strongly the weights shrink; at least 0 |",
        "| `beta1` | `0.9` | ",
        "- `m`: a tensor like the weights, starts at 0\n",
        "8 bytes of state a parameter in float32. A step reads and writes 28 bytes a parameter.",
        "](https://arxiv.org/abs/1711.05101), Algorithm 2",
        "](adamw.png)",
    ):
        assert words in text
    card = text.partition("```python\n")[2].partition("```")[0]
    assert '"""' not in card
    assert "Source" not in card


def test_a_page_says_where_the_state_starts():
    text = page(rules.asgd, Documents(), PLAIN)

    assert "- `eta`: one number, starts as `learning_rate`\n" in text
    assert "- `mu`: one number, starts at 1\n" in text


def test_each_switch_has_its_formulas():
    text = page(rules.heavy_ball_damped, Documents(), PLAIN)

    assert "With <code>nesterov=True</code>" in text
    assert text.count("```math\n") == 2
    first, second = (part.partition("```")[0] for part in text.split("```math\n")[1:])
    assert first != second


def test_a_rule_without_a_docstring_has_a_page():
    @ro.rule
    def bare(w, dw):
        return w - dw

    text = page(bare, Documents(), PLAIN)
    assert "return w - dw" in text
    assert "None. A step reads and writes 12 bytes a parameter." in text
    assert "## Source" not in text
    assert "with its defaults" in text


def test_a_rule_that_a_combinator_made_has_a_page():
    text = page(decoupled_decay(rules.lion), Documents(), PLAIN)

    assert "lion_decoupled_decay = decoupled_decay(lion)" in text
    assert "`weight_decay`" in text


def test_stars_and_strokes_of_a_docstring_stay_what_they_are():
    @ro.rule
    def starred(w, dw):
        """Between beta**t and beta**t, |dw| and rho_inf; `a_b` is code.

        Twice: beta**t.
        """
        return w - dw

    text = page(starred, Documents(), PLAIN)
    assert r"Between beta\*\*t and beta\*\*t, \|dw\| and rho\_inf; `a_b` is code." in text
    assert r"Twice: beta\*\*t." in text


def test_the_bytes_are_those_of_the_tensors():
    """README counts 28 bytes for Adam: weights and two states in and out, the gradient in."""
    assert (state_bytes(rules.adam), moved_bytes(rules.adam)) == (8, 28)
    assert (state_bytes(rules.sgd), moved_bytes(rules.sgd)) == (0, 12)


def test_a_rule_that_sums_reads_its_tensors_twice():
    @ro.rule
    def by_the_norm(w, dw, *, learning_rate=1e-3):
        """A step of one length."""
        return w - learning_rate * dw / ro.norm(dw)

    assert moved_bytes(by_the_norm) == 4 + 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-8, "1e-8"), (1e-3, "0.001"), (0.999, "0.999"), (50.0, "50"), (1e6, "1000000"),
        (0.123456789, "0.123456789"), (1.5e-7, "1.5e-7"), (True, "True"), (5, "5"), (0.0, "0"),
    ],
)  # fmt: skip
def test_a_default_is_written_as_one_would_type_it(value, text):
    assert number(value) == text
    assert float(text == "True") == value if text == "True" else float(text) == value


def test_a_range_is_said_in_words():
    assert allowed((0.0, 1.0)) == "at least 0, below 1"
    assert allowed((0.0, float("inf"))) == "at least 0"
    assert allowed(None) == ""


def test_what_a_rule_says_of_its_own_number_goes_first():
    @ro.rule
    def talking(w, dw, m, *, beta1=0.9, beta2=0.9, odd=1.0, even=1.0, eps=1e-8):
        """A rule. beta1 is what is left
        of it; beta2 counts the days. even odder: eps isn't this.
        """
        return w - dw + beta1 * beta2 * odd * even * eps * m, m

    assert meaning(talking, "beta1") == "what is left of it"
    assert meaning(talking, "beta2") == "counts the days"
    assert meaning(talking, "eps") == "keeps a divisor away from 0"
    assert unsaid(talking) == ["odd", "even"]


TABLES = """
Text.

| `ruleonce.rules` | `torch.optim` | optax |
|---|---|---|
| `adam` | = `Adam` | = [adam](optax.md#adam), [x](https://example.org) |
| `coupled_decay(adam)`: more | = `Adam(weight_decay=)` | |
| `adamax` | | none |

| other | column |
|---|---:|
| adam without code | 1 |
"""


def test_the_rows_of_a_rule_are_those_that_name_it():
    rows = rows_naming("adam", list(rows_in(TABLES)))

    assert [row.name for row in rows] == ["`adam`", "`coupled_decay(adam)`: more"]
    assert rows[0].cells == (
        ("`torch.optim`", "= `Adam`"),
        ("optax", "= [adam](../optax.md#adam), [x](https://example.org)"),
    )
    assert rows[1].cells == (("`torch.optim`", "= `Adam(weight_decay=)`"),)


def test_a_page_quotes_the_dialects_and_leads_to_what_is_measured(tmp_path):
    (tmp_path / "dialects.md").write_text(TABLES)
    (tmp_path / "dialect_table.md").write_text("# All\n\n## adam\n\n## RMSprop\n")
    text = page(rules.adam, read(tmp_path), PLAIN)

    assert "## Elsewhere\n\n- `adam`\n    - `torch.optim`: = `Adam`\n    - optax: = [adam]" in text
    assert "(../dialect_table.md#adam)" in text
    alone = page(rules.adamax, read(tmp_path), PLAIN)
    assert "    - optax: none\n" in alone
    assert "dialect_table" not in alone
    assert "## Elsewhere" not in page(rules.lion, read(tmp_path), PLAIN)


def namespace(door):
    """What the line of a door takes as given."""
    known = {"w": np.ones(3), "x0": np.ones(3), "f": lambda x: x @ x, "gradient": lambda x: 2 * x}
    if door == "PyTorch":
        import torch

        known["model"] = torch.nn.Linear(3, 2)
    if door == "SciPy":
        importlib.import_module("scipy.optimize")
        known["scipy"] = importlib.import_module("scipy")
    importlib.import_module(MODULES[door])
    return {**known, "ruleonce": ro}


def test_the_doors_are_those_that_there_are():
    assert {"NumPy", "PyTorch"} <= set(calls(PLAIN)) <= set(MODULES)
    missing = set(MODULES) - set(calls(PLAIN))
    assert {x for x in MODULES if not (SOURCE / MODULES[x].split(".")[1]).exists()} == missing


@pytest.mark.parametrize("door", calls(PLAIN))
def test_the_line_of_a_door_runs_for_every_rule(door):
    for rule in rules.ALL:
        made = eval(calls(rule)[door], namespace(door))  # noqa: S307
        if door in ("NumPy", "PyTorch"):
            assert made.rule is rule
        if door == "NumPy":
            made.step(np.ones(3))
            assert made.hyperparameters == rule.hyperparameters
        elif door == "SciPy":
            assert made.nit > 0
        elif door == "optax":
            made.update(np.ones(3), made.init(np.ones(3)), np.ones(3))


def test_the_command_writes_pages_and_pictures(tmp_path, monkeypatch):
    (tmp_path / "dialects.md").write_text(TABLES)
    monkeypatch.setattr(rules, "ALL", (rules.sgd, rules.adam))
    out = tmp_path / "new" / "rules"
    (tmp_path / "new").mkdir()
    result = CliRunner().invoke(app, ["pages", "--out", str(out)])

    assert result.exit_code == 0, result.output
    names = {"README.md", "adam.md", "adam.png", "sgd.md", "sgd.png"}
    assert {path.name for path in out.iterdir()} == names
    assert (out / "adam.png").read_bytes().startswith(PNG)
    assert "2 pages" in result.stdout


def test_the_command_says_what_a_page_lacks(tmp_path, monkeypatch):
    @ro.rule
    def odd(w, dw, *, oddity=0.1):
        """A step."""
        return w - oddity * dw

    monkeypatch.setattr(command, "PLAIN", odd)
    told = []
    command.write(tmp_path, [odd], told.append)

    assert told == [
        "odd\n  nothing says what `oddity` is: begin a sentence of the docstring with its name"
    ]


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "taken").write_text("")
    result = CliRunner().invoke(app, ["pages", "--out", str(tmp_path / "taken")])

    assert result.exit_code == 1
    assert "--out" in result.stderr
    assert "name another" in result.stderr
