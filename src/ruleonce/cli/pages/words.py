"""What the names in a rule mean, in a few words."""

import inspect
import math
import re
from collections.abc import Mapping

from ...language.hyperparameters import Range
from ...language.rule import Rule

# Names that mean the same in every rule that has them; what a rule says of its own goes first.
MEANINGS: Mapping[str, str] = {
    "learning_rate": "how long a step is",
    "beta1": "the share of the velocity, or of the mean gradient, that a step keeps",
    "beta2": "the share of the history of squared gradients that a step keeps",
    "beta3": "the share of the slowest mean that a step keeps",
    "eps": "keeps a divisor away from 0",
    "weight_decay": "how strongly the weights shrink",
    "momentum": "the share of the velocity that a step keeps",
    "momentum_decay": "how fast the momentum grows towards its final value",
    "decay_rate": "how fast the learning rate falls",
    "dampening": "the share of each gradient that the velocity does not take in",
    "nesterov": "whether the step looks ahead",
    "rho": "the share of a running mean that a step keeps",
    "initial_accumulator": "where the history of squared gradients starts",
    "bias_correction": "whether means that start at 0 are corrected for it",
    "grow": "the factor by which a step grows while its direction stays",
    "shortest": "no step is shorter",
    "longest": "no step is longer",
    "eps_inside_sqrt": "whether eps is added before the root is taken, and not after",
    "corrected_first": "whether the history is corrected before the largest of it is kept",
    "initial_distance": "the first guess of how far away the solution is",
    "nu1": "the share of the velocity in a step; the rest is the gradient of now",
    "nu2": "the share of the history in the divisor; the rest is the squared gradient of now",
}

_VERBS = "is|are|says|has|holds|counts|picks|takes|decides"


def meaning(rule: Rule, name: str) -> str:
    """What a hyperparameter of a rule is; "" if nothing says it.

    It is the sentence of the rule's docstring that begins with the name and a verb ("beta1 is the
    share ..."), or else what the name means everywhere.
    """
    notes = " ".join((inspect.getdoc(rule.function) or "").split())
    said = re.search(rf"(?:^|[.;:] ){name} ({_VERBS}) (.*?)(?:[.;] |[.;]$|$)", notes)
    if said is None:
        return MEANINGS.get(name, "")
    return said[2] if said[1] in ("is", "are") else f"{said[1]} {said[2]}"


def unsaid(rule: Rule) -> list[str]:
    """The hyperparameters of a rule of which nothing says what they are."""
    return [name for name in rule.hyperparameters if not meaning(rule, name)]


def allowed(limits: Range | None) -> str:
    """The numbers that a hyperparameter may be, as "at least 0, below 1"; "" if any will do."""
    low, high = limits or (-math.inf, math.inf)
    least = f"at least {low:g}" if low > -math.inf else ""
    below = f"below {high:g}" if high < math.inf else ""
    return ", ".join(part for part in (least, below) if part)


def number(value: float | bool) -> str:
    """A default as one would type it: 1e-8, 0.001, 50, True."""
    digits, e, exponent = repr(value).partition("e")
    if isinstance(value, bool) or not e:
        return repr(value).removesuffix(".0")
    return f"{digits}e{int(exponent)}"
