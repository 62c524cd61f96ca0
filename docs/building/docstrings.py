"""The house's docstrings as Markdown for the reference.

A paragraph of a docstring that lists names,

    rule      a function decorated with @rule
    params    one array, or lists, tuples and dicts of arrays, to any
              depth

becomes a table; "Source:" and "Raises" stay the sentences that they are.
"""

import re
from typing import Any

from griffe import Extension, Function, Object

SCHEDULE = "made_with_numbers"  # a decorator; what it makes is called without the steps done
ITEM = re.compile(r"^(?P<names>[\w.]+(?:, [\w.]+)*) {2,}(?P<said>\S.*)$")


class HouseStyle(Extension):
    """Turns each docstring into Markdown once it is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if isinstance(obj, Function) and any(str(x.value) == SCHEDULE for x in obj.decorators):
            del obj.parameters["done"]
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    """A docstring, with its lists of names as tables."""
    return "\n\n".join(_paragraph(part) for part in docstring.split("\n\n"))


def _paragraph(text: str) -> str:
    lines = text.split("\n")
    first = ITEM.match(lines[0])
    if first is None:
        return text if text.startswith("    ") else _escaped(text)
    rows: list[list[str]] = []
    for line in lines:
        item = ITEM.match(line)
        if item:
            rows.append([item["names"], item["said"]])
        else:
            rows[-1][1] += f" {line.strip()}"
    body = [f"| {_names(names)} | {_escaped(said)} |" for names, said in rows]
    return "\n".join(["| | |", "|---|---|", *body])


def _names(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _escaped(prose: str) -> str:
    """beta**t is no bold print, and rho_inf no italics; what stands between backticks is code."""
    return re.sub(r"(`[^`]*`)|([*_<|\[])", lambda x: x[1] or f"\\{x[2]}", prose)
