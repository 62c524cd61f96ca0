"""Every snippet of the README and the docs runs as it is pasted, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "rules"),
]
PRINTS = re.compile(r"^(?P<code>print\(.*\))\s+# (?P<said>.*)$")


def name_of(document):
    return document.relative_to(ROOT).as_posix()


def blocks(document, language):
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return fenced.findall(document.read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_snippets_of_a_document_run_in_order(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}

    for block in blocks(document, "python"):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(block, document.name, "exec"), namespace)  # noqa: S102


def promises():
    for document in DOCUMENTS:
        for number, block in enumerate(blocks(document, "python")):
            for line in block.split("\n"):
                found = PRINTS.match(line)
                if found and not found["said"][0].islower():
                    name = f"{name_of(document)}-{found['code']}"
                    yield pytest.param(document, number, found, id=name)


@pytest.mark.parametrize(("document", "number", "promise"), list(promises()))
def test_a_print_prints_what_its_comment_says(document, number, promise, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    out = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        for block in blocks(document, "python")[:number]:
            exec(compile(block, document.name, "exec"), namespace)  # noqa: S102

    code = blocks(document, "python")[number].split(promise["code"])[0]
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, document.name, "exec"), namespace)  # noqa: S102
    with contextlib.redirect_stdout(out):
        exec(promise["code"], namespace)  # noqa: S102

    assert out.getvalue().strip() == promise["said"].partition(":")[0]


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


def test_every_file_that_a_document_links_to_exists():
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{name_of(document)} links to {link}"


def test_no_file_names_a_package_registry():
    for name in ("constraints.txt", "pyproject.toml", "Makefile", ".ci/run"):
        assert "://" not in (ROOT / name).read_text().replace("https://cs231n", "")
