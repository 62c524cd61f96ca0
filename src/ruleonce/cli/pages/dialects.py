"""What the documents say of a rule's dialects, read from the Markdown that they are in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Beside the folder of the pages: a table with a row a rule, and one with a section a name.
BY_HAND, MEASURED = "dialects.md", "dialect_table.md"


@dataclass(frozen=True)
class Documents:
    """What is known of dialects.

    rows       of the tables of the document that is written by hand
    measured   the names that the measured table has a section of
    """

    rows: tuple["Row", ...] = ()
    measured: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Row:
    """A row of a table.

    name    the first cell
    cells   (what stands above it, cell), for each further cell that is not empty
    """

    name: str
    cells: tuple[tuple[str, str], ...]


def read(folder: Path) -> Documents:
    """What the documents in a folder say; nothing, where they are not there."""
    by_hand, measured = (
        (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else ""
        for name in (BY_HAND, MEASURED)
    )
    names = re.findall(r"^## (\w+)$", measured, re.MULTILINE)
    return Documents(tuple(rows_in(by_hand)), frozenset(names))


def rows_in(markdown: str) -> Iterator[Row]:
    """The rows of every table of a document, those below each line of dashes."""
    header: list[str] = []
    previous: list[str] = []
    for line in markdown.splitlines():
        if not line.startswith("|"):
            header, previous = [], []
            continue
        cells = [
            cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:].removesuffix("|"))
        ]
        if all(set(cell) <= set("-: |") for cell in cells):
            header = previous
        elif header:
            pairs = zip(header[1:], cells[1:], strict=False)
            yield Row(_lower(cells[0]), tuple((name, _lower(x)) for name, x in pairs if x))
        previous = cells


def rows_naming(rule: str, rows: Sequence[Row]) -> list[Row]:
    """The rows whose first cell names a rule, in code: `adam`, or `decoupled_decay(adam)`."""
    return [
        row
        for row in rows
        if any(rule in re.findall(r"\w+", code) for code in re.findall(r"`([^`]*)`", row.name))
    ]


def _lower(cell: str) -> str:
    """A cell, with its links leading from the folder of the pages, which is one lower."""
    return re.sub(r"\]\((?![a-z]+:|#)", "](../", cell)
