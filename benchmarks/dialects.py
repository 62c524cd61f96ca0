"""docs/dialect_table.md: one name, several formulas, and how far apart they are. Measured.

    python benchmarks/dialects.py --out docs/dialect_table.md

It needs torch, jax, optax and keras.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any  # options of four libraries

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

from dialect_walks import (
    RATE,
    STEPS,
    Dialect,
    apart,
    key,
    of_keras,
    of_optax,
    of_the_card,
    of_torch,
)
from dialect_words import LEFT_OUT, SKIPPED, VARIANTS, WORDS

from ruleonce import rules

CARD = "card"
LIBRARIES = (CARD, "torch.optim", "optax", "Keras")
SHORT = {CARD: "from the card", "torch.optim": "from torch", "optax": "from optax"}
UNKNOWN = "?"  # it differs, and dialect_words.py does not say why
PACKAGES = ("torch", "optax", "jax", "keras")
EQUAL = 1e-12  # rounding, after ten steps
# Arguments that are no part of a formula.
PLAIN = {"ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps"}
INTRODUCTION = f"""\
# The table of dialects

One name, and what each library computes under it: `ruleonce.rules` (the card, which follows the
paper), {{versions}}. `make dialects` writes this page: the numbers are measured, the words are
not.

All start from the same weights and are given the same {STEPS} gradients (normal numbers, float64),
with a learning rate of {RATE}. A number is the largest difference of a weight at the end, as a
share of how far the weights have moved on average: 1 is as far apart as the way was long, and "="
is equal to rounding.

- **defaults**: what is not named is 0 or off.
- **from the card**, **from torch**, **from optax**: how far apart, each with its own defaults.
- **card's numbers**: how far from the card when given the card's hyperparameters. What is left is a
  difference of the formula.

{LEFT_OUT}
[Dialects](dialects.md) says with which options two of them become equal."""


def families() -> dict[str, dict[str, Dialect]]:
    """Name -> library -> what it holds under it, for every name that two libraries or more have.

    A name is the card's; where the card has none, that of the first library.
    """
    found: dict[str, dict[str, Dialect]] = {}
    names: dict[str, str] = {}
    known: dict[tuple[str, str], Dialect] = {}
    for source in (of_the_card, of_torch, of_optax, of_keras):
        for name, dialect in source():
            known[dialect.library, name] = dialect
            if key(name) in SKIPPED:
                continue
            names.setdefault(key(name), name)
            # optax has a few names twice; the one outside of contrib counts.
            found.setdefault(key(name), {})[dialect.library] = dialect
    for name, variants in VARIANTS.items():
        names.setdefault(key(name), name)
        family = found.setdefault(key(name), {})
        for library, base, options in variants:
            family[library] = known[library, base].with_options(options)
    return {names[k]: _in_order(family) for k, family in found.items() if len(family) > 1}


def _in_order(family: Mapping[str, Dialect]) -> dict[str, Dialect]:
    return {library: family[library] for library in LIBRARIES if library in family}


def section(name: str, family: Mapping[str, Dialect]) -> str:
    """The table of one name."""
    libraries = list(family)
    walks = {library: dialect.walk({}) for library, dialect in family.items()}
    compared = [library for library in libraries[:-1] if library != "Keras"]
    has_card = CARD in family
    header = ["library", "name", "what it computes", "defaults"]
    header += [SHORT[library] for library in compared]
    header += ["card's numbers"] if has_card else []
    rows = []
    for place, (library, dialect) in enumerate(family.items()):
        earlier = libraries[:place]
        row = [library, f"`{dialect.label}`", "", _defaults(dialect.defaults)]
        row += [_shown(apart(walks[library], walks[x])) if x in earlier else "" for x in compared]
        if has_card:
            given = dialect.numbers_of(family[CARD].defaults)
            row.append(_shown(apart(dialect.walk(given), walks[CARD])) if earlier else "")
        row[2] = _words(dialect, libraries[0], row[-1] if has_card else row[4])
        rows.append(row)
    return "\n".join([f"## {name}", "", *_table(header, rows)])


def _words(dialect: Dialect, first: str, distance: str) -> str:
    """What a dialect computes, where `distance` is how far it is from the first of its name."""
    if dialect.library == CARD:
        return next(rule.summary for rule in rules.ALL if rule.name == dialect.label)
    said = WORDS.get((dialect.library, dialect.label))
    if said is None and distance == "=":
        return "the same" if first == CARD else f"as {first}"
    return said or UNKNOWN


def _shown(distance: float) -> str:
    if distance < EQUAL:
        return "="
    return f"{distance:.2f}" if distance >= 0.095 else f"{distance:.1g}".replace("e-0", "e-")


def _defaults(defaults: Mapping[str, Any]) -> str:
    """The numbers among the defaults; what is 0, off or None is left out."""
    shown = []
    for name, value in defaults.items():
        is_number = isinstance(value, Real) and value == value  # noqa: PLR0124  (nan is none)
        numbers = isinstance(value, tuple) and all(isinstance(x, Real) for x in value)
        if (is_number and value and name not in PLAIN) or numbers:
            shown.append(f"{name}={_number(value)}")
    return f"`{', '.join(shown)}`" if shown else ""


def _number(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_number, value))})"
    return str(value) if isinstance(value, bool) else f"{value:g}".replace("e-0", "e-")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'|'.join('---' if place < 4 else '---:' for place in range(len(header)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def document() -> str:
    """The whole of docs/dialect_table.md."""
    versions = ", ".join(f"{name} {version(name).partition('+')[0]}" for name in PACKAGES)
    parts = [section(name, family) for name, family in families().items()]
    return "\n\n".join([INTRODUCTION.format(versions=versions), *parts]) + "\n"


def main() -> None:
    """Write the table to --out, or print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="the file; without it, the table is printed")
    out = parser.parse_args().out
    text = document()
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
