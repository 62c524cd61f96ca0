"""A bundle: a part with its numbers, kept on the host or on the device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import torch
from torch import Tensor

from ..engines.batch import Inputs
from ..formats import Format, Storage
from ..language.program import Program
from ..language.rule import Rule
from .columns import Column
from .device_numbers import DeviceNumbers, Number
from .kernel_part import KernelPart
from .slots import STEP, Naming, Slot


@dataclass(frozen=True)
class Choice:
    """The rule of a param group, with its switches settled.

    on_device   whether the numbers of its steps live on the device, where an engine can do that
    formats     tensor of the rule -> how a large one is kept
    """

    rule: Rule
    switches: tuple[tuple[str, bool], ...]
    on_device: bool
    formats: tuple[tuple[str, Storage | Format], ...] = ()

    @cached_property
    def program(self) -> Program:
        """The rule for these switches."""
        return self.rule.program(**dict(self.switches))

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The names of the hyperparameters that are numbers."""
        return self.rule.schema.numbers


@lru_cache(maxsize=256)
def choice_of(
    rule: Rule,
    switches: tuple[tuple[str, bool], ...],
    *,
    on_device: bool,
    formats: tuple[tuple[str, Storage | Format], ...] = (),
) -> Choice:
    """A choice; the same object for the same choice, so that it is compared in no time."""
    return Choice(rule, switches, on_device, formats)


# (choice, place of a param group) -> its hyperparameters
Numbers = Callable[[Choice, int], Sequence[Number]]


class Part(Protocol):
    """Parameters that are updated together."""

    slots: Sequence[Slot]
    program: Program
    passes: int

    @property
    def scalars(self) -> dict[int, tuple[float, ...]]:
        """Row -> the new scalar state, after `prepare`."""

    @property
    def written(self) -> list[Tensor]:
        """The tensors that a step writes to, where they have an address."""

    def prepare(self, gradients: Sequence[Tensor], inputs: Inputs) -> None:
        """All that can fail. Raises Moved if this part no longer fits."""

    def measure(self, number: int) -> Tensor:
        """Do a pass, which only reads, and give what these tensors add to each total."""

    def learn(self, number: int, totals: Tensor) -> None:
        """Take the totals of all tensors after a pass."""

    def run(self) -> None:
        """Write the step."""


@dataclass(eq=False)
class Row:
    """Slots of one param group that have come equally far: they share their numbers."""

    group: int
    t: int
    scalars: tuple[float, ...]
    slots: list[Slot]


class Bundle:
    """A part whose numbers are computed on the host.

    places   of its slots, among those of the plan
    """

    def __init__(
        self, choice: Choice, part: Part, rows: Sequence[Row], places: Sequence[int], naming: Naming
    ) -> None:
        self.choice = choice
        self.part = part
        self.places = places
        self._rows = rows
        self._names = choice.rule.scalars
        self._ticks = _columns(part.slots, STEP) if naming.has_step else []
        self._scalars = [
            (row, place, _columns(row.slots, naming.key(name)))
            for row in rows
            for place, name in enumerate(self._names)
        ]

    @property
    def program(self) -> Program:
        """That of its part."""
        return self.part.program

    @property
    def passes(self) -> int:
        """Those of its part."""
        return self.part.passes

    def prepare(self, gradients: Sequence[Tensor], numbers: Numbers) -> None:
        """All that can fail."""
        inputs = []
        for row in self._rows:
            values = [
                value.item() if isinstance(value, Tensor) else value
                for value in numbers(self.choice, row.group)
            ]
            inputs.append((*values, *row.scalars, row.t + 1))
        self.part.prepare(gradients, inputs)

    def measure(self, number: int) -> Tensor:
        """Do a pass, which only reads, and give what these tensors add to each total."""
        return self.part.measure(number)

    def learn(self, number: int, totals: Tensor) -> None:
        """Take the totals of all tensors after a pass."""
        self.part.learn(number, totals)

    def run(self, found_inf: Tensor | None) -> None:
        """Write the step, and count it; nothing if an infinite gradient was found."""
        if found_inf is not None and found_inf.item():
            return
        self.part.run()
        for column, mask in self._ticks:
            column.count(mask)
        for number, row in enumerate(self._rows):
            row.t += 1
            row.scalars = self.part.scalars[number]
        for row, place, columns in self._scalars:
            for column, mask in columns:
                column.fill(row.scalars[place], mask)

    def leave(self) -> None:
        """Hand what was counted back to the slots: another plan goes on."""
        for row in self._rows:
            for slot in row.slots:
                slot.t = row.t
                slot.scalars |= dict(zip(self._names, row.scalars, strict=True))

    def enter(self) -> bool:
        """Go on from what the slots say; False if those of a row have come apart."""
        for row in self._rows:
            found = {(slot.t, *(slot.scalars[name] for name in self._names)) for slot in row.slots}
            if len(found) > 1:
                return False
            row.t, row.scalars = row.slots[0].t, tuple(found.pop()[1:])
        return True


class DeviceBundle(Bundle):
    """A part whose numbers live on the device: nothing is ever read back."""

    def __init__(
        self,
        choice: Choice,
        part: KernelPart,
        rows: Sequence[Row],
        places: Sequence[int],
        naming: Naming,
    ) -> None:
        super().__init__(choice, part, rows, places, naming)
        self._kernels = part
        device = part.slots[0].parameter.device
        count = len(choice.numbers)
        self._numbers = DeviceNumbers([(row.scalars, row.t) for row in rows], count, device)
        self._has_begun = False

    def prepare(self, gradients: Sequence[Tensor], numbers: Numbers) -> None:
        """All that can fail."""
        self._give_up()
        for place, row in enumerate(self._rows):
            self._numbers.update(place, numbers(self.choice, row.group))
        self._kernels.prepare_on_device(gradients, self._numbers.tensor)

    def measure(self, number: int) -> Tensor:
        """The same; the step is counted first, since its numbers are computed now."""
        if number == 0:
            self._numbers.begin()
            self._has_begun = True
        return super().measure(number)

    @torch.no_grad()
    def run(self, found_inf: Tensor | None) -> None:
        """Write the step, and count it, unless the kernel finds that `found_inf` is 1."""
        if not self._has_begun:
            self._numbers.count()
        self._has_begun = False
        self.part.run()
        if found_inf is not None:
            found_inf = found_inf.to(self._numbers.tensor.device, non_blocking=True)
            self._numbers.uncount(found_inf)
        for column, mask in self._ticks:
            column.count(mask)
            if found_inf is not None:
                column.uncount(found_inf, mask)
        for row, (_, place, columns) in zip(self._row_numbers, self._scalars, strict=True):
            for column, mask in columns:
                column.fill(self._numbers.scalar(row, place), mask)

    @property
    def _row_numbers(self) -> list[int]:
        return [row for row, _ in enumerate(self._rows) for _ in self._names]

    def _give_up(self) -> None:
        """A step that was measured may not have been taken: something went wrong in between."""
        if self._has_begun:
            self._numbers.give_up()
            self._has_begun = False

    def leave(self) -> None:
        """Hand what was counted back to the slots. This waits for the device."""
        self._give_up()
        for place, row in enumerate(self._rows):
            row.t, row.scalars = self._numbers.counted(place)
        super().leave()

    def enter(self) -> bool:
        """Made anew each time: the numbers are elsewhere."""
        return False


def _columns(slots: Sequence[Slot], key: str) -> list[tuple[Column, Tensor | None]]:
    """The columns in which the numbers of some slots stand, each with the mask of them."""
    places: dict[int, tuple[Column, list[int]]] = {}
    for slot in slots:
        column, place = slot.places[key]
        places.setdefault(id(column), (column, []))[1].append(place)
    return [(column, column.mask(some)) for column, some in places.values()]
