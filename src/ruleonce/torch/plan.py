"""A plan: which parameters are updated together, made once and used as long as nothing changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Protocol  # Any: the options of a param group

from torch import Tensor

from ..engines.batch import Inputs
from ..language.rule import Rule
from .columns import Column
from .kernel_part import KernelPart, Regions
from .slots import STEP, Naming, Slot

Group = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """The rule of a param group, with its switches settled."""

    rule: Rule
    switches: tuple[tuple[str, bool], ...]


class Part(Protocol):
    """Parameters that are updated together."""

    slots: Sequence[Slot]

    @property
    def scalars(self) -> dict[int, tuple[float, ...]]:
        """Row -> the new scalar state, after `prepare`."""

    @property
    def written(self) -> list[Tensor]:
        """The tensors that a step writes to, where they have an address."""

    def prepare(self, gradients: Sequence[Tensor], inputs: Inputs) -> None:
        """All that can fail. Raises Moved if this part no longer fits."""

    def run(self) -> None:
        """Write the step."""


@dataclass(eq=False)
class Row:
    """Slots of one param group that have come equally far: they share their numbers.

    slots   places among the slots of the plan
    """

    group: int
    t: int
    scalars: tuple[float, ...]
    slots: list[int]


@dataclass(eq=False)
class Bundle:
    """A part, with its rows and the places of its slots among those of the plan."""

    choice: Choice
    part: Part
    rows: list[Row]
    places: list[int]


class Plan:
    """What a step does for the parameters that have a gradient."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        choices: Sequence[Choice],
        slots: Sequence[Slot],
        bundles: Sequence[Bundle],
        naming: Naming,
    ) -> None:
        self.parameters = list(parameters)
        self.present = list(present)
        self.choices = list(choices)
        self.slots = slots
        self.bundles = bundles
        self._naming = naming
        self._is_single = len(bundles) == 1
        regions = Regions([x for bundle in bundles for x in bundle.part.written])
        for bundle in bundles:
            if isinstance(bundle.part, KernelPart):
                bundle.part.regions = regions
        self._ticks = _columns(slots, STEP) if naming.has_step else []
        self._columns = list({id(c): c for slot in slots for c, _ in slot.places.values()}.values())
        self._scalars = [
            (bundle, row, place, _columns([slots[i] for i in row.slots], naming.key(name)))
            for bundle in bundles
            for row in bundle.rows
            for place, name in enumerate(bundle.choice.rule.scalars)
        ]

    def fits(
        self, parameters: Sequence[Tensor], present: Sequence[bool], choices: Sequence[Choice]
    ) -> bool:
        """Whether this plan is for these parameters and choices."""
        return (
            present == self.present
            and choices == self.choices
            and len(parameters) == len(self.parameters)
            and all(map(is_, parameters, self.parameters))
        )

    @property
    def is_touched(self) -> bool:
        """Whether someone else has written to a step count or a scalar state."""
        return any(column.is_touched for column in self._columns)

    def prepare(
        self,
        gradients: Sequence[Tensor],
        numbers: Callable[[Choice, int], tuple[float, ...]],
    ) -> None:
        """All that can fail.

        gradients   those that there are
        numbers     (choice, place of a param group) -> its hyperparameters
        """
        for bundle in self.bundles:
            share = gradients if self._is_single else [gradients[place] for place in bundle.places]
            inputs = [
                (*numbers(bundle.choice, row.group), *row.scalars, row.t + 1) for row in bundle.rows
            ]
            bundle.part.prepare(share, inputs)

    def run(self) -> None:
        """Write the step, and count it."""
        for bundle in self.bundles:
            bundle.part.run()
        for column, mask in self._ticks:
            column.count(mask)
        for bundle in self.bundles:
            for number, row in enumerate(bundle.rows):
                row.t += 1
                if row.scalars:
                    row.scalars = bundle.part.scalars[number]
        for _, row, place, columns in self._scalars:
            for column, mask in columns:
                column.fill(row.scalars[place], mask)

    def leave(self) -> None:
        """Hand what was counted back to the slots: another plan goes on."""
        for bundle in self.bundles:
            names = bundle.choice.rule.scalars
            for row in bundle.rows:
                for place in row.slots:
                    self.slots[place].t = row.t
                    self.slots[place].scalars |= dict(zip(names, row.scalars, strict=True))


def _columns(slots: Sequence[Slot], key: str) -> list[tuple[Column, Tensor | None]]:
    """The columns in which the numbers of some slots stand, each with the mask of them."""
    places: dict[int, tuple[Column, list[int]]] = {}
    for slot in slots:
        column, place = slot.places[key]
        places.setdefault(id(column), (column, []))[1].append(place)
    return [(column, column.mask(some)) for column, some in places.values()]
