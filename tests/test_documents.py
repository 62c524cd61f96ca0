"""Every snippet of the README and the docs runs as it is pasted, and prints what it says."""

import ast
import contextlib
import io
import re
import tomllib
from pathlib import Path

import pytest
import typer

from ruleonce.cli.app import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "rules"),
]


def name_of(document):
    return document.relative_to(ROOT).as_posix()


def blocks(document, language):
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return fenced.findall(document.read_text())


def prints(block, name, namespace):
    """Run a block; each `print(...)  # text` of it, what it printed, and what its comment says.

    What begins with a small letter is a remark, and what stands after a colon.
    """
    lines = block.split("\n")
    for statement in ast.parse(block).body:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(ast.Module([statement], []), name, "exec"), namespace)  # noqa: S102
        text = ast.unparse(statement)
        after = lines[statement.end_lineno - 1].encode()[statement.end_col_offset :].decode()
        said = re.match(r"\s+# (.*)", after)
        if text.startswith("print(") and said and not said[1][0].islower():
            yield text, out.getvalue().strip(), said[1].partition(":")[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_snippets_of_a_document_run_in_order_and_print_what_they_say(
    document, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    found = [
        line
        for block in blocks(document, "python")
        for line in prints(block, name_of(document), namespace)
    ]

    assert [(text, printed) for text, printed, _ in found] == [
        (text, said) for text, _, said in found
    ]


def test_a_promise_that_is_not_kept_is_found():
    block = "x = 1\nprint(x)  # 1: as it was\nprint(\n    x + 1\n)  # 3\nprint(x)  # the number\n"

    assert list(prints(block, "x.md", {})) == [("print(x)", "1", "1"), ("print(x + 1)", "2", "3")]


def test_every_target_of_make_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for document in DOCUMENTS
        for block in blocks(document, "console")
        for name in re.findall(r"^make ([a-z]+)", block, re.MULTILINE)
    }

    assert named >= {"race", "test", "lint", "bench"}
    assert named <= targets


COMMAND = re.compile(r"^ruleonce (.+?)(?: {2,}#.*)?$|`ruleonce ([^`]+)`", re.MULTILINE)


def commands():
    for document in DOCUMENTS:
        for found in COMMAND.finditer(document.read_text()):
            yield pytest.param(found[1] or found[2], id=f"{name_of(document)}-{found[0]}")


@pytest.mark.parametrize("command", list(commands()))
def test_a_command_that_a_document_names_exists_with_its_options(command):
    """`ruleonce race, show, cards` names several; `--as card|latex` one option."""
    names, *options = re.split(r"\s(?=--)", command)
    known = typer.main.get_command(app).commands
    asked = names.split(", ") if "," in names else names.split()[:1]

    assert set(asked) <= set(known)
    for option in options:
        name = re.split(r"[\s=]", option)[0]
        assert any(name in parameter.opts for parameter in known[asked[0]].params), name


def test_every_script_and_extra_that_a_document_names_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for document in DOCUMENTS:
        text = document.read_text()
        for script in re.findall(r"^python ((?:benchmarks|examples)/\S+)", text, re.MULTILINE):
            assert (ROOT / script).exists(), f"{name_of(document)} names {script}"
        for asked in re.findall(r"pip install '?ruleonce\[([\w,]+)\]", text):
            assert set(asked.split(",")) <= set(extras["optional-dependencies"])


def test_every_file_that_a_document_links_to_exists():
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{name_of(document)} links to {link}"


def test_no_file_names_a_package_registry():
    for name in ("constraints.txt", "pyproject.toml", "Makefile", ".ci/run"):
        assert "://" not in (ROOT / name).read_text().replace("https://cs231n", "")
