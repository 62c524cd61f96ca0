"""The formulas of a card in the part of LaTeX that matplotlib sets."""

import re

_CASES = re.compile(
    r"\\begin\{cases\} ((?:(?!\\begin\{cases\}).)*?) & ((?:(?!\\begin\{cases\}).)*?) "
    r"\\\\ ((?:(?!\\begin\{cases\}).)*?) & \\text\{otherwise\} \\end\{cases\}"
)


def formula_lines(latex: str) -> list[str]:
    """The lines of an `aligned` environment, each for itself, between dollars."""
    body = latex.removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}")
    words = r"\\{\1 \\; \\mathrm{if} \\; \2, \\; \\mathrm{else} \\; \3\\}"
    while (plain := _CASES.sub(words, body)) != body:
        body = plain
    lines = body.split(" \\\\\n")
    return [f"${_known(line)}$" for line in lines]


def _known(line: str) -> str:
    """One line, with what matplotlib does not know in its own words."""
    line = line.replace(" &= ", " = ").replace(r"\text", r"\mathrm").replace(r"\lnot", r"\neg")
    return line.replace(r"\le ", r"\leq ").replace(r"\ge ", r"\geq ").replace(r"\land", r"\wedge")
