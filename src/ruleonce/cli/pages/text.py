"""The page of a rule as Markdown: card, formulas, defaults, state, calls, dialects, source."""

import ast
import re

from ...language.card import notes
from ...language.rule import Rule
from .calls import calls
from .dialects import BY_HAND, MEASURED, Documents, rows_naming
from .words import allowed, meaning, number

BYTES = 4  # of a number in float32
INDEX = "README.md"

# What a source may name.
PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
ADDRESS = re.compile(r"https?://[^\s,;)]+[^\s,;).]")


def page(rule: Rule, documents: Documents, plain: Rule) -> str:
    """The page of a rule.

    documents   what is known of dialects; see `dialects.read`
    plain       the rule that it is compared to in its picture
    """
    (_, *paragraphs), source = notes(rule.function)
    parts = [
        f"# {rule.name}",
        escaped(rule.summary),
        *map(escaped, paragraphs),
        f"![Where {rule.name} goes on two surfaces]({rule.name}.png)",
        caption(rule, plain),
        "## Card",
        f"```python\n{lines(rule)}\n```",
        "## Formulas",
        _math(rule.latex()),
        *_variants(rule),
        *_hyperparameters(rule),
        "## State",
        _state(rule),
        "## Call it",
        _calls(rule),
        *_dialects(rule, documents),
        *(["## Source", linked(source)] if source else []),
        f"[All rules]({INDEX}) · [Writing a rule](../rules.md)",
    ]
    return "\n\n".join(parts) + "\n"


def state_bytes(rule: Rule) -> int:
    """How many bytes of state a parameter has in float32."""
    return BYTES * len(rule.state)


def moved_bytes(rule: Rule) -> int:
    """How many bytes a step reads and writes for each parameter, with all tensors in float32."""
    return BYTES * sum(len(one.read) + len(one.written) for one in rule.program().passes)


def escaped(prose: str) -> str:
    """Prose of a docstring as Markdown: beta**t is no bold print, and rho_inf no italics.

    What stands between backticks is code there too.
    """
    return re.sub(r"(`[^`]*`)|([*_<|])", lambda x: x[1] or f"\\{x[2]}", prose)


def caption(rule: Rule, plain: Rule) -> str:
    """What a picture shows, in a sentence or two."""
    rate = (
        "at the learning rate (above the curves) that takes it down fastest without climbing"
        if "learning_rate" in rule.hyperparameters
        else "with its defaults"
    )
    beside = f"; blue is `{plain.name}`, likewise" if rule is not plain else ""
    return f"*From the circle to the star, {rate}{beside}. A dot is a step.*"


def lines(rule: Rule) -> str:
    """The function as it was written, without its docstring."""
    try:
        (function,) = ast.parse(rule.source).body
    except (SyntaxError, ValueError):  # made by a combinator: there is no function to show
        return rule.source
    lines = rule.source.split("\n")
    if not isinstance(function, ast.FunctionDef) or not ast.get_docstring(function):
        return rule.source
    said = function.body[0]
    return "\n".join([*lines[: said.lineno - 1], *lines[said.end_lineno :]])


def _math(latex: str) -> str:
    # GitHub has no \operatorname; \mathrm looks the same.
    return f"```math\n{latex.replace(chr(92) + 'operatorname', chr(92) + 'mathrm')}\n```"


def _variants(rule: Rule) -> list[str]:
    """The formulas with each switch turned, folded."""
    found = []
    for name, default in rule.schema.switches.items():
        formulas = _math(rule.latex(**{name: not default}))
        summary = f"<summary>With <code>{name}={not default}</code></summary>"
        found.append(f"<details>\n{summary}\n\n{formulas}\n\n</details>")
    return found


def _hyperparameters(rule: Rule) -> list[str]:
    if not rule.hyperparameters:
        return ["## Hyperparameters", "None."]
    rows = ["| name | default | what it is |", "|---|---:|---|"]
    for name, default in rule.hyperparameters.items():
        limits = allowed(rule.schema.ranges.get(name))
        said = "; ".join(part for part in (escaped(meaning(rule, name)), limits) if part)
        rows.append(f"| `{name}` | `{number(default)}` | {said} |")
    return ["## Hyperparameters", "\n".join(rows)]


def _state(rule: Rule) -> str:
    moved = f"A step reads and writes {moved_bytes(rule)} bytes a parameter."
    if not rule.schema.returns[1:]:
        return f"None. {moved}"
    starts = {name: rule.schema.initial.get(name, 0) for name in rule.schema.returns[1:]}
    listed = [
        f"- `{name}`: {'one number' if name in rule.scalars else 'a tensor like the weights'}, "
        + (f"starts as `{start}`" if isinstance(start, str) else f"starts at {number(start)}")
        for name, start in starts.items()
    ]
    total = f"{state_bytes(rule)} bytes of state a parameter in float32. {moved}"
    return "\n".join([*listed, "", total])


def _calls(rule: Rule) -> str:
    return "\n".join(f"- {door}: `{line}`" for door, line in calls(rule).items())


def _dialects(rule: Rule, documents: Documents) -> list[str]:
    lines = []
    for row in rows_naming(rule.name, documents.rows):
        cells = "".join(f"\n    - {name}: {cell}" for name, cell in row.cells)
        lines.append(f"- {row.name}{cells}")
    links = []
    if lines:
        links.append(f"More in [dialects](../{BY_HAND}).")
    if rule.name in documents.measured:
        links.append(
            f"How far apart these are: [the table of dialects](../{MEASURED}#{rule.name})."
        )
    if not links:
        return []
    return ["## Elsewhere", *(["\n".join(lines)] if lines else []), " ".join(links)]


def linked(source: str) -> str:
    """A source with its papers and addresses as links."""
    source = PAPER.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", source)
    return re.sub(rf"(?<![(<])({ADDRESS.pattern})", r"<\1>", source)
