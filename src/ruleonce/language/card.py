"""The flash card of a rule: its summary, its lines, its defaults, where it comes from."""

import inspect
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any  # what is documented takes anything

if TYPE_CHECKING:
    from .rule import Rule


def card(rule: "Rule") -> str:
    """The card as text: what `print(rule)` shows."""
    notes = inspect.getdoc(rule.function) or ""
    rest = notes.partition("\n")[2].strip("\n")
    schema = rule.schema
    starts = {name: schema.initial.get(name, 0) for name in (*schema.state, *schema.scalars)}
    parts = [
        "\n".join([rule.name, "=" * len(rule.name), *textwrap.wrap(rule.summary, 90)]),
        textwrap.indent(formula_lines(rule), "    "),
        _table("Defaults", {name: repr(v) for name, v in schema.hyperparameters.items()}),
        _table("State", {name: f"starts at {start}" for name, start in starts.items()}),
        rest,
    ]
    return "\n\n".join(part for part in parts if part)


def notes(function: Callable[..., Any]) -> tuple[list[str], str]:
    """The paragraphs of a docstring, a line each, the summary first, and its source; "" where it
    names none.
    """
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    summary, *plain = [" ".join(text.split()) for text in paragraphs]
    sources = [text.removeprefix("Source: ") for text in plain if text.startswith("Source:")]
    said = [text for text in plain if not text.startswith("Source:")]
    return [summary, *said], "".join(sources[:1])


def formula_lines(rule: "Rule") -> str:
    """The lines of the body without its docstring, as they were written.

    A rule that a combinator made has none: it says so, above the lines of the rule within.
    """
    if rule.made_by is not None:
        combinator, inner, *_ = rule.made_by
        return f"{rule.name} = {combinator.__name__}({inner.name})\n\n{formula_lines(inner)}"
    lines = source(rule).split("\n")
    first = _first_line_of_body(rule)
    return textwrap.dedent("\n".join(lines[first:])).strip("\n")


def source(rule: "Rule") -> str:
    """The lines of the function, without its decorator's indentation.

    A rule that was typed at a prompt has no lines on disk; then its program is printed instead.
    """
    if rule.made_by is not None:
        return formula_lines(rule)
    try:
        return textwrap.dedent(inspect.getsource(rule.function)).rstrip("\n")
    except (OSError, TypeError):
        return str(rule.program())


def _first_line_of_body(rule: "Rule") -> int:
    """The index of the first line after decorator, signature and docstring.

    Python keeps the line of every instruction; the smallest one inside the function that is not
    its `def` is the first statement, and the docstring is none.
    """
    code = getattr(rule.function, "__code__", None)
    if code is None:
        return 0
    lines = [
        line - code.co_firstlineno
        for _, _, line in code.co_lines()
        if line is not None and line > code.co_firstlineno
    ]
    after_signature = [line for line in lines if not _is_signature(rule, line)]
    return min(after_signature, default=0)


def _is_signature(rule: "Rule", line: int) -> bool:
    text = source(rule).split("\n")
    return line < len(text) and text[line].lstrip().startswith(("def ", "@"))


def _table(title: str, rows: dict[str, str]) -> str:
    if not rows:
        return ""
    width = max(map(len, rows))
    return "\n".join([f"{title}:", *(f"    {name:<{width}}  {row}" for name, row in rows.items())])
