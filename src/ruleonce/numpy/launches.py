"""Sort the parameters of an optimizer into launches: one for each set of formats and switches."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..engines import Engine, Launch, Work
from ..engines.memory import Regions
from ..formats import format_of
from ..language.rule import Rule
from .gradients import Array, Expected
from .groups import Group
from .storing import Layout

# With the places of its parameters; None stands for all of them.
Launches = list[tuple[Launch, list[int] | None]]


@dataclass(frozen=True, eq=False)
class Parameters:
    """What an optimizer works on.

    weights   one array a parameter
    states    for each parameter, its state tensors or their parts, as `layouts` says
    layouts   for each parameter, what lies in memory
    groups    the groups of parameters
    group_of  for each parameter, the place of its group
    reports   whether steps are to be reported on
    """

    rule: Rule
    weights: Sequence[Array]
    states: Sequence[tuple[Array, ...]]
    layouts: Sequence[Layout]
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
            layout = self.layouts[place]
            form = format_of(gradient, "the gradient")
            formats = layout.forms(self.weights[place], form, self.states[place])
            switches = self.groups[self.group_of[place]].switches
            key = (*formats.items(), *layout.storages.items(), *switches.items())
            places.setdefault(key, []).append(place)
        regions = Regions([*self.weights, *(x for states in self.states for x in states)])
        return [
            (self._launch(engine, mine, expected, regions), None if len(places) == 1 else mine)
            for mine in places.values()
        ]

    def _launch(
        self, engine: Engine, places: list[int], expected: Expected, regions: Regions
    ) -> Launch:
        first = places[0]
        form = format_of(expected[first][1], "the gradient")
        work = Work(
            rule=self.rule,
            switches=self.groups[self.group_of[first]].switches,
            formats=self.layouts[first].forms(self.weights[first], form, self.states[first]),
            tensors=[(self.weights[place], *self.states[place]) for place in places],
            groups=[self.group_of[place] for place in places],
            regions=regions,
            reports=self.reports,
            storages=self.layouts[first].storages,
        )
        return engine.launch(work)
