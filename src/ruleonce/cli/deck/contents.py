"""What stands on a card: a question in front; lines, formulas, defaults and pictures behind."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...language import ops
from ...language.card import notes
from ...language.graph import in_order
from ...language.rule import Rule
from ...rules.adam import adam, adam_simplified
from ...rules.adaptive import adagrad, rmsprop
from ...rules.descent import momentum
from ..pages.text import ADDRESS, PAPER, lines
from ..pages.words import allowed, meaning, number


@dataclass(frozen=True)
class Comparison:
    """A picture of the lines of a rule and of others.

    heading   above it
    first     the rule whose lines stand first, or last if `is_new`
    others    beside it
    is_new    whether what the rule has beyond the other one is marked, and not what they share
    """

    heading: str
    first: Rule
    others: tuple[Rule, ...]
    is_new: bool = False


_ALIKE = (
    Comparison("Similarity to Momentum", adam_simplified, (momentum,)),
    Comparison("Similarity to AdaGrad and RMSProp", adam_simplified, (adagrad, rmsprop)),
)
# The pictures of a card beside its walk.
COMPARISONS: Mapping[Rule, tuple[Comparison, ...]] = {
    adam_simplified: _ALIKE,
    adam: (*_ALIKE, Comparison("Full version", adam, (adam_simplified,), is_new=True)),
}


@dataclass(frozen=True)
class Default:
    """A hyperparameter.

    name     of it
    value    its default, as one would type it
    reason   what it is for; "" if nothing says it
    limits   the numbers that it may be, in words
    """

    name: str
    value: str
    reason: str
    limits: str

    @property
    def said(self) -> str:
        """All that is said of it."""
        return "; ".join(part for part in (self.reason, self.limits) if part)

    def __str__(self) -> str:
        return f"{self.name} = {self.value}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Card:
    """One card.

    question      the front
    summary       what the rule is, in a sentence
    notes         further paragraphs
    code          its lines in Python
    latex         its formulas, an `aligned` environment
    defaults      its hyperparameters
    source        the paper, as the rule names it; "" if it names none
    comparisons   see COMPARISONS
    """

    rule: Rule
    question: str
    summary: str
    notes: tuple[str, ...]
    code: str
    latex: str
    defaults: tuple[Default, ...]
    source: str
    comparisons: tuple[Comparison, ...]

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.rule.name

    @property
    def address(self) -> str:
        """The source as an address, where it names one or a paper of arXiv; else as it is."""
        if paper := PAPER.search(self.source):
            return f"https://arxiv.org/abs/{paper[1]}"
        found = ADDRESS.search(self.source)
        return found[0] if found else self.source

    @property
    def pictures(self) -> tuple[str, ...]:
        """The files of its pictures: that of its walk, then those of `comparisons`."""
        count = len(self.comparisons)
        return (f"{self.name}.png", *(f"{self.name}_{n}.png" for n in range(1, count + 1)))


def card_of(rule: Rule) -> Card:
    """The card of a rule, from the rule."""
    (_, *paragraphs), source = notes(rule.function)
    return Card(
        rule=rule,
        question=_question(rule),
        summary=rule.summary,
        notes=tuple(paragraphs),
        code=lines(rule).replace("  # fmt: skip", ""),
        latex=rule.latex().replace(r"\operatorname", r"\mathrm"),
        defaults=tuple(
            Default(name, number(value), meaning(rule, name), allowed(rule.schema.ranges.get(name)))
            for name, value in rule.hyperparameters.items()
        ),
        source=source,
        comparisons=COMPARISONS.get(rule, ()),
    )


def _question(rule: Rule) -> str:
    asked = f"{rule.name}: write the update rule."
    if has_bias_correction(rule):
        return f"{asked} Why is it corrected?"
    if not rule.state:
        return f"{asked} What does it remember of earlier steps?"
    *names, last = rule.state
    kept = f"{', '.join(names)} and {last}" if names else last
    return f"{asked} What {'do' if names else 'does'} {kept} hold?"


def has_bias_correction(rule: Rule) -> bool:
    """Whether something in it is a hyperparameter to the power of t, as in 1 - beta**t."""
    program = rule.program()
    if "t" not in program.step_inputs:
        return False
    nodes = in_order((*program.outputs.values(), *program.scalars.values()))
    return any(node.op is ops.POWER and node.args[1].name == "t" for node in nodes)
