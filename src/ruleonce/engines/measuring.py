"""Measure together: the passes before the last, over all tensors of an optimizer."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol  # shares are NumPy's arrays, or tensors of a device

from ..language.program import Program


class Measures(Protocol):
    """Some work, or a call, in the passes that only read.

    passes    of its program
    program   launches of one program share their totals
    """

    @property
    def passes(self) -> int:
        """How many passes its program has."""

    @property
    def program(self) -> Program:
        """Launches of one program share their totals."""

    def measure(self, number: int) -> Any:
        """Do a pass; give what these tensors add to each total that is known after it."""

    def learn(self, number: int, totals: Any) -> None:
        """Take the totals of all tensors after a pass."""


def measure_together(
    all_: Sequence[Measures], added: Callable[[Any, Any], Any] = operator.add
) -> None:
    """Do every pass but the last: what is measured is known then, and nothing is written.

    added   how two shares of the same totals are added
    """
    if len(all_) == 1:
        for number in range(all_[0].passes - 1):
            all_[0].learn(number, all_[0].measure(number))
        return
    for number in range(max((one.passes for one in all_), default=1) - 1):
        some = [one for one in all_ if number < one.passes - 1]
        totals: dict[Program, Any] = {}
        for one in some:
            shares = one.measure(number)
            known = totals.get(one.program)
            totals[one.program] = shares if known is None else added(known, shares)
        for one in some:
            one.learn(number, totals[one.program])
