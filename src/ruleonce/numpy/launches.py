"""Sort the parameters of an optimizer into launches: one for each set of formats and switches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any  # dtypes

import numpy as np

from ..engines import Engine, Launch, Work
from ..engines.memory import Regions
from ..formats import Format, format_of
from ..language.rule import Rule
from .gradients import Array, Expected
from .groups import Group

# With the places of its parameters; None stands for all of them.
Launches = list[tuple[Launch, list[int] | None]]


@dataclass(frozen=True, eq=False)
class Parameters:
    """What an optimizer works on.

    weights   one array a parameter
    states    for each parameter, its state tensors
    groups    the groups of parameters
    group_of  for each parameter, the place of its group
    reports   whether steps are to be reported on
    """

    rule: Rule
    weights: Sequence[Array]
    states: Sequence[tuple[Array, ...]]
    groups: Sequence[Group]
    group_of: Sequence[int]
    reports: bool = False

    def launches(self, engine: Engine, expected: Expected) -> Launches:
        """One launch for each set of formats and switches, with the places of its parameters; None
        stands for all of them.

        expected   the shape and dtype of each gradient
        """
        places: dict[tuple[object, ...], list[int]] = {}
        for place, (_, gradient) in enumerate(expected):
            formats = tuple(self._formats(place, gradient))
            switches = self.groups[self.group_of[place]].switches
            places.setdefault((formats, *switches.items()), []).append(place)
        regions = Regions([*self.weights, *(x for states in self.states for x in states)])
        return [
            (self._launch(engine, mine, expected, regions), None if len(places) == 1 else mine)
            for mine in places.values()
        ]

    def _launch(
        self, engine: Engine, places: list[int], expected: Expected, regions: Regions
    ) -> Launch:
        formats = self._formats(places[0], expected[places[0]][1])
        work = Work(
            rule=self.rule,
            switches=self.groups[self.group_of[places[0]]].switches,
            formats=dict(zip(self.rule.schema.tensors, formats, strict=True)),
            tensors=[(self.weights[place], *self.states[place]) for place in places],
            groups=[self.group_of[place] for place in places],
            regions=regions,
            reports=self.reports,
        )
        return engine.launch(work)

    def _formats(self, place: int, gradient: np.dtype[Any]) -> Iterator[Format]:
        """The formats of the weights, the gradient and the state of a parameter."""
        weights, *states = (self.weights[place], *self.states[place])
        for dtype in (weights.dtype, gradient, *(x.dtype for x in states)):
            yield format_of(dtype, "the parameter")
