"""The list of all rules: the family, file by file."""

from collections.abc import Sequence
from importlib import import_module
from itertools import groupby

from ...language.rule import Rule
from .text import moved_bytes, state_bytes

INTRODUCTION = """\
{count} rules. A page each, made from the rule itself by `ruleonce pages`: its card, its formulas,
its state, how to call it, and where it goes on two surfaces.

*State* is in bytes a parameter in float32; *moved* is what a step reads and writes, which is what a
fused step takes its time for."""


def index(all_: Sequence[Rule]) -> str:
    """The page that lists rules, grouped by the module that each was written in.

    The first line of a module's docstring is its heading.
    """
    parts = [
        "# Every rule",
        INTRODUCTION.format(count=len(all_)),
    ]
    for module, group in groupby(all_, key=lambda rule: rule.module):
        title = (import_module(module).__doc__ or module).partition("\n")[0].rstrip(".")
        parts += [f"## {title}", _table(list(group))]
    return "\n\n".join(parts) + "\n"


def _table(rules: Sequence[Rule]) -> str:
    rows = ["| rule | what it is | state | moved |", "|---|---|---:|---:|"]
    rows += [
        f"| [{rule.name}]({rule.name}.md) | {rule.summary} | {state_bytes(rule)} | "
        f"{moved_bytes(rule)} |"
        for rule in rules
    ]
    return "\n".join(rows)
