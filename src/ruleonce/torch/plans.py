"""The plans that an optimizer has made, kept for the next time that they fit."""

from collections.abc import Sequence

from torch import Tensor

from .bundles import Choice
from .columns import Column
from .plan import Plan
from .states import States

_KEPT = 16  # where it changes from step to step which parameters have a gradient


class GivenTwice(Exception):  # noqa: N818  (no error: the parameter takes two steps)
    """A plan takes each parameter once, and one was given twice."""


class Plans:
    """Plans by which parameters have a gradient; one of them is the current one.

    What a step counts is counted in the current plan. Before another goes on, it hands that back.
    """

    def __init__(self) -> None:
        self.current: Plan | None = None
        self._kept: dict[tuple[bool, ...], Plan] = {}
        self._columns: dict[int, Column] = {}

    def are_touched(self, states: States) -> bool:
        """Whether someone else has written to what is counted, or to the state."""
        return True in [column.is_touched for column in self._columns.values()] or not (
            self.current is None or self.current.is_as_it_was(states)
        )

    def find(
        self,
        parameters: Sequence[Tensor],
        present: list[bool],
        choices: list[Choice],
        sizes: list[int],
    ) -> Plan | None:
        """The plan that fits; it is the current one then. None if a new one is needed."""
        if self.current is not None:
            if self.current.fits(parameters, present, choices, sizes):
                return self.current
            self.leave()
        kept = self._kept.get(tuple(present))
        if kept is not None and kept.fits(parameters, present, choices, sizes) and kept.enter():
            self.current = kept
        return self.current

    def leave(self) -> None:
        """Have the current plan, if any, hand back what it counted."""
        if self.current is not None:
            self.current.leave()
            self.current = None

    def keep(self, plan: Plan) -> None:
        """Make a new plan the current one."""
        if sum(plan.present) > 1:  # those of one parameter are all kept: gradient release has many
            several = [key for key in self._kept if sum(key) > 1]
            for key in several[: len(several) + 1 - _KEPT]:
                del self._kept[key]
        self._kept[tuple(plan.present)] = plan
        self._columns |= plan.columns
        self.current = plan
