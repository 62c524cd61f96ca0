"""Measure together: the passes before the last, over all tensors of an optimizer."""

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Protocol  # shares are NumPy's arrays, or tensors of a device

import numpy as np

from ..errors import HyperparameterError
from ..language.program import Program


class Measures(Protocol):
    """Some work, or a call, in the passes that only read.

    passes    of its program
    program   all work of a step shares its totals: it is of one rule, with whichever switches
    """

    @property
    def passes(self) -> int:
        """How many passes its program has."""

    @property
    def program(self) -> Program:
        """What it does."""

    def measure(self, number: int) -> Any:
        """Do a pass; give what these tensors add to each total that is known after it."""

    def learn(self, number: int, totals: Any) -> None:
        """Take the totals of all tensors after a pass."""


def measure_together(
    all_: Sequence[Measures], added: Callable[[Any, Any], Any] = operator.add
) -> None:
    """Do every pass but the last: what is measured is known then, and nothing is written.

    added   how two shares of the same totals are added

    Raises HyperparameterError if the programs do not have the same totals.
    """
    if len(all_) == 1:
        for number in range(all_[0].passes - 1):
            all_[0].learn(number, all_[0].measure(number))
        return
    _check({one.program for one in all_})
    for number in range(max((one.passes for one in all_), default=1) - 1):
        some = [one for one in all_ if number < one.passes - 1]
        shares = [one.measure(number) for one in some]
        with np.errstate(all="ignore"):  # inf and -inf may meet
            totals = reduce(added, shares)
        for one in some:
            one.learn(number, totals)


def _check(programs: set[Program]) -> None:
    """Another switch makes another program of a rule; where its totals stand is what they are."""
    kinds = {
        tuple((total.level, total.args[0].op) for total in program.totals): program
        for program in programs
    }
    if len(kinds) < 2:
        return
    shown = [", ".join(map(repr, program.totals)) or "none" for program in kinds.values()]
    raise HyperparameterError(
        f"{next(iter(programs)).name}: a total is over all tensors of the optimizer, but the "
        f"switches of its groups ask for different ones: {'; '.join(sorted(shown))}.\n"
        "  Give all groups the same switches, or each an optimizer of its own."
    )
