"""What the lines of two rules share, found in their syntax trees and not typed by hand."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...errors import CommandError
from ...language.rule import Rule
from ..pages.text import lines


@dataclass(frozen=True)
class Line:
    """One line of a rule.

    text     as Python writes it
    target   the name that it sets; "" for the last one, which returns
    """

    text: str
    target: str

    @property
    def tree(self) -> ast.stmt:
        """Its syntax; the places in it are those of the text."""
        return ast.parse(self.text).body[0]


@dataclass(frozen=True)
class Mark:
    """A part of a line: its columns from `start` to before `stop`, and the name it belongs to."""

    start: int
    stop: int
    name: str


def formula_lines(rule: Rule) -> list[Line]:
    """The lines that set something, with each switch at its default.

    Raises CommandError for a rule whose lines are not known.
    """
    (function,) = ast.parse(lines(rule)).body
    if not isinstance(function, ast.FunctionDef):
        raise CommandError(f"{rule.name} was made by a combinator: it has no lines of its own.")
    found = []
    for statement in function.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            plain = _Decided(rule.schema.switches).visit(statement)
            found.append(Line(ast.unparse(plain), statement.targets[0].id))
    return found


class _Decided(ast.NodeTransformer):
    """Replaces `x if switch else y` by the one that the switch picks."""

    def __init__(self, switches: Mapping[str, bool]) -> None:
        self.switches = switches

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id in self.switches:
            picked: ast.AST = self.visit(node.body if self.switches[node.test.id] else node.orelse)
            return picked
        return self.generic_visit(node)


def shared(line: Line, others: Sequence[Line], weights: str) -> list[Mark]:
    """The largest parts of a line that stand in one of `others` too.

    weights   the name of the weights: that every rule sets them is no likeness

    A part is an operation or a call; a single name counts if both rules set it.
    """
    known = {ast.dump(part) for other in others for part in ast.walk(other.tree)}
    set_too = {other.target for other in others} - {weights}
    return _merged(_shared(line.tree, line, known, set_too))


def _shared(part: ast.AST, line: Line, known: set[str], set_too: set[str]) -> Iterator[Mark]:
    is_operation = isinstance(part, (ast.BinOp, ast.Call, ast.UnaryOp))
    is_name = isinstance(part, ast.Name) and part.id in set_too
    if (is_operation and ast.dump(part) in known) or is_name:
        assert isinstance(part, ast.expr)  # noqa: S101
        yield Mark(part.col_offset, part.end_col_offset or 0, _owner(part, line, set_too))
        return
    for child in ast.iter_child_nodes(part):
        yield from _shared(child, line, known, set_too)


def _owner(part: ast.AST, line: Line, set_too: set[str]) -> str:
    """The name that gives a mark its colour: one that both rules set, or else the line's."""
    names = [x.id for x in ast.walk(part) if isinstance(x, ast.Name) and x.id in set_too]
    return names[0] if names else line.target


def _merged(marks: Iterator[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: mark.start)


def new(line: Line, before: Sequence[Line]) -> bool:
    """Whether a line sets what no line before it knew."""
    return line.target not in {other.target for other in before}


def renamed(line: Line, before: Sequence[Line], fresh: Sequence[str]) -> list[Mark]:
    """Where a line that was there before uses a name that is new."""
    return [
        Mark(part.col_offset, part.end_col_offset or 0, part.id)
        for part in ast.walk(line.tree)
        if isinstance(part, ast.Name) and part.id in fresh and not new(line, before)
    ]
