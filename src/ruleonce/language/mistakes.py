"""Refuse what a rule must not do: each message points at the user's line and says what to write."""

import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ..errors import RuleError
from .graph import Node
from .ops import Op

_CALLED = {"number": "number", "integer": "whole number", "truth": "condition"}
_HERE = str(Path(__file__).parent)


def where_in_rule() -> str:
    """`file.py:12 in my_rule`: the line of the user's that is running now."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (the one way to the caller's line)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    if frame is None:
        return "in a rule"
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_name}"


def refuse(message: str) -> NoReturn:
    """Raise a RuleError that begins with the user's line."""
    raise RuleError(f"{where_in_rule()}: {message}")


def functions_of_the_language() -> tuple[str, ...]:
    """Their names, for messages."""
    from . import functions

    return functions.__all__


def refuse_function(name: str, *, with_arguments: str = "") -> NoReturn:
    """Refuse a function that the language does not have."""
    with_ = f" with {with_arguments}" if with_arguments else ""
    refuse(
        f"{name}{with_} is not in the language of rules.\n"
        f"  It has + - * / **, comparisons, {', '.join(functions_of_the_language())}."
    )


def refuse_kind(op: Op, node: Node, wanted: str) -> NoReturn:
    """Refuse a number where a condition is needed, or the other way round."""
    if "integer" in (wanted, node.kind):
        refuse(
            f"`{node!r}` is a {_CALLED[node.kind]}, and {op.name} takes a {_CALLED[wanted]} there."
            "\n  integer(x) rounds a number to a whole one, and number(i) makes it a number again."
        )
    if wanted == "number":
        refuse(
            f"`{node!r}` is true or false, not a number, so {op.name} cannot take it.\n"
            "  Write where(condition, x, y): where(condition, 1.0, 0.0) is a mask."
        )
    refuse(
        f"`{node!r}` is a number, and {op.name} needs a condition there.\n"
        "  Write a comparison, such as x > 0."
    )
