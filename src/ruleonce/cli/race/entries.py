"""Who races: the rules, and the learning rates that each starts with."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # a type checker cannot know that no number is called `engine`

import numpy as np

from ... import rules
from ...errors import CommandError
from ...language.hyperparameters import nearest
from ...language.rule import Rule
from ...numpy import Optimizer
from ..rule_file import rules_of
from .network import Parameters
from .storing import FLOAT32, optimizer_of

DEFAULT_LEARNING_RATES = (1e-3, 5e-4, 1e-4)  # the card's

# The rules that the card sets side by side. All of them would be a picture that nobody can read.
DEFAULT_RULES = (
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam_simplified", "adam",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One rule at one learning rate, stored in one way.

    label           the name under which it stands in table, picture and file
    rule            the rule
    learning_rate   None for a rule without that hyperparameter: it runs with its own defaults
    momentum        what its hyperparameter of that kind is, by its name; empty for the default
    stored          how its weights and state are stored, a name in storing.STORED
    """

    label: str
    rule: Rule
    learning_rate: float | None
    momentum: Mapping[str, float] = field(default_factory=dict)
    stored: str = FLOAT32

    def optimizer(self, parameters: Parameters) -> Optimizer:
        """A fresh optimizer that starts from these parameters; it updates them themselves if they
        are stored in float32, and else its own `params`.
        """
        numbers: dict[str, Any] = dict(self.momentum)
        if self.learning_rate is not None:
            numbers["learning_rate"] = self.learning_rate
        return optimizer_of(self.rule, parameters, self.stored, numbers)


def entries(
    names: Sequence[str],
    learning_rates: Sequence[float],
    rule_file: Path | None,
    formats: Sequence[str] = (FLOAT32,),
) -> list[Entry]:
    """Every chosen rule at every learning rate, rule by rule; and of each format, format by format.

    names            of ruleonce's rules; none means DEFAULT_RULES, and "all" every one
    learning_rates   above 0
    rule_file        the rules in it join, whatever `names` says; see rules_of
    formats          names in storing.STORED; labels say them, unless all is in float32

    Raises CommandError for a name that no rule has, with the nearest one that is there;
    RuleFileError; HyperparameterError for a learning rate that a rule does not take.
    """
    chosen = chosen_rules(names, rule_file)
    found = [
        Entry(label if formats == (FLOAT32,) else f"{label}, {stored}", rule, rate, stored=stored)
        for label, rule in chosen.items()
        for stored in formats
        for rate in (learning_rates if "learning_rate" in rule.hyperparameters else (None,))
    ]
    for entry in found:
        entry.optimizer({"w": np.zeros(1, np.float32)})  # refuses now, not in the middle of a race
    return found


def chosen_rules(names: Sequence[str], rule_file: Path | None) -> dict[str, Rule]:
    """Label -> rule; see `entries`, which raises the same.

    A reader's rule may be called as one of ours: its label then has the file.
    """
    known = {rule.name: rule for rule in rules.ALL}
    own, file = (rules_of(rule_file), rule_file.name) if rule_file else ({}, "")
    names = [*known] if "all" in names else names or DEFAULT_RULES
    for name in names:
        if name not in known and name not in own:
            raise CommandError(f"the race has no rule {name!r}{nearest(name, [*known, *own])}")
    chosen = {name: known[name] for name in names if name in known}
    for name, rule in own.items():
        chosen[f"{name} ({file})" if name in chosen else name] = rule
    return chosen


def numbers(texts: Iterable[str]) -> tuple[float, ...]:
    """Learning rates as they were typed, each once; CommandError for one that is none."""
    found: dict[float, None] = {}
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise CommandError(
                f"--learning-rates has {text!r}; a learning rate is a number above 0, such as 1e-3 "
                "or 0.0005."
            )
        found[value] = None
    return tuple(found)
