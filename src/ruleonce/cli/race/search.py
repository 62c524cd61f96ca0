"""Learning rate and momentum, drawn at random in log space: where a rule works, and how well.

Source: CS231n notes, "Hyperparameter ranges" and "Prefer random search to grid search",
https://cs231n.github.io/neural-networks-3/#hyper, and Bergstra & Bengio 2012, JMLR 13.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from ...language.rule import Rule
from . import training
from .data import Dataset
from .entries import Entry

if TYPE_CHECKING:
    import optuna

RATES = (1e-6, 10.0)  # the notes' 10 ** uniform(-6, 1)
# Momentum is drawn by what it forgets, 1 - momentum: of 0.9, 0.99 and 0.999 none is nearer to 1
# than the others are to each other.
FORGOTTEN = (1e-3, 1.0)
MOMENTA = ("beta1", "momentum")  # what a rule calls it
EDGE = 2.0  # a best value within this factor of the end of its range is said to be at the edge


@dataclass(frozen=True)
class Trial:
    """What came of one pair of numbers; the fields are those of search.json.

    rule              the label of the rule
    learning_rate     None for a rule that has none
    momentum          its beta1, or its `momentum`; None for a rule that has none
    test_loss         over the rows that it was not trained on, after the last step: the mean of the
                      seeds; inf if it diverged. The best trial is the one with the lowest
    test_accuracy     of those rows, 0 to 1, likewise
    """

    rule: str
    learning_rate: float | None
    momentum: float | None
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class Space:
    """What is searched of a rule: a hyperparameter and its range, None where it has none.

    label      of the rule
    rates      the lowest and the highest learning rate
    momentum   the name of its momentum
    forgotten  the lowest and the highest of 1 - momentum
    """

    label: str
    rule: Rule
    rates: tuple[float, float] | None
    momentum: str | None
    forgotten: tuple[float, float] | None

    @staticmethod
    def of(label: str, rule: Rule) -> "Space":
        """The space of a rule: the ranges above, as far as the rule allows them."""
        ranges = rule.schema.ranges
        rates = _within(RATES, ranges.get("learning_rate", (0.0, math.inf)))
        name = next((x for x in MOMENTA if x in rule.hyperparameters), None)
        low, high = ranges.get(name or "", (0.0, 1.0))
        return Space(
            label,
            rule,
            rates if "learning_rate" in rule.hyperparameters else None,
            name,
            _within(FORGOTTEN, (1 - high, 1 - low)) if name else None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""
        return self.rates is None and self.forgotten is None

    def entry(self, trial: "optuna.Trial") -> Entry:
        """The rule with the numbers that a trial draws."""
        rate = trial.suggest_float("learning_rate", *self.rates, log=True) if self.rates else None
        momentum = {}
        if self.momentum and self.forgotten:
            forgotten = trial.suggest_float("forgotten", *self.forgotten, log=True)
            momentum[self.momentum] = 1 - forgotten
        return Entry(self.label, self.rule, rate, momentum)


def trials(
    space: Space,
    data: Dataset,
    *,
    count: int,
    seeds: Sequence[int],
    epochs: int,
    begin: Callable[[Entry, int], training.Progress],
) -> Iterator[Trial]:
    """Draw numbers and train with them, `count` times.

    seeds    each trial trains once with each; the first one decides what is drawn too
    epochs   how often a run sees all the data
    begin    called with what is trained and the seed, before each run; gives back what is told of
             its steps
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler(seed=seeds[0])
    study = optuna.create_study(sampler=sampler)
    for _ in range(count):
        drawn = study.ask()
        entry = space.entry(drawn)
        runs = [
            training.train(entry, data, seed=seed, epochs=epochs, progress=begin(entry, seed))
            for seed in seeds
        ]
        loss = fmean(run.test_loss for run in runs)
        if math.isfinite(loss):
            study.tell(drawn, loss)
        else:
            study.tell(drawn, state=optuna.trial.TrialState.FAIL)
        yield Trial(
            rule=space.label,
            learning_rate=entry.learning_rate,
            momentum=entry.momentum.get(space.momentum or ""),
            test_loss=loss if math.isfinite(loss) else math.inf,
            test_accuracy=fmean(run.test_accuracy for run in runs),
        )


def at_edge(trial: Trial, space: Space) -> str:
    """Which of a trial's numbers is near the end of its range: "learning rate", "momentum", both.

    The best may then lie beyond it. Momentum 0 is no edge: there is nothing beyond it.
    """
    found = []
    if space.rates and trial.learning_rate is not None:
        low, high = space.rates
        if not low * EDGE < trial.learning_rate < high / EDGE:
            found.append("learning rate")
    forgotten = None if trial.momentum is None else 1 - trial.momentum
    if space.forgotten and forgotten is not None and forgotten < space.forgotten[0] * EDGE:
        found.append("momentum")
    return " and ".join(found)


def _within(wanted: tuple[float, float], allowed: tuple[float, float]) -> tuple[float, float]:
    """The part of a range that is allowed too; its upper end is not among what is allowed."""
    low, high = max(wanted[0], allowed[0]), min(wanted[1], allowed[1])
    return (low, high if high < allowed[1] else math.nextafter(high, 0.0))
