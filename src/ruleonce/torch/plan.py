"""A plan: which parameters are updated together, made once and used as long as nothing changes."""

from collections.abc import Sequence
from operator import is_

from torch import Tensor

from .bundles import Bundle, Choice, Numbers
from .kernel_part import KernelPart, Regions
from .slots import Slot


class Plan:
    """What a step does for the parameters that have a gradient.

    parameters   all of the optimizer
    present      which of them have a gradient
    choices      for each param group
    slots        of those that have one
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        choices: Sequence[Choice],
        slots: Sequence[Slot],
        bundles: Sequence[Bundle],
    ) -> None:
        self.parameters = list(parameters)
        self.present = list(present)
        self.choices = list(choices)
        self.slots = slots
        self.bundles = bundles
        self._is_single = len(bundles) == 1
        regions = Regions([x for bundle in bundles for x in bundle.part.written])
        for bundle in bundles:
            if isinstance(bundle.part, KernelPart):
                bundle.part.regions = regions
        columns = {id(c): c for slot in slots for c, _ in slot.places.values()}
        self._columns = list(columns.values())

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
        return True in [column.is_touched for column in self._columns]

    def prepare(self, gradients: Sequence[Tensor], numbers: Numbers) -> None:
        """All that can fail. Raises Moved if the plan no longer fits.

        gradients   those that there are
        """
        for bundle in self.bundles:
            share = gradients if self._is_single else [gradients[place] for place in bundle.places]
            bundle.prepare(share, numbers)

    def run(self, found_inf: Tensor | None = None) -> None:
        """Write the step, and count it.

        found_inf   1 if an infinite gradient was found, and the step is to change nothing
        """
        for bundle in self.bundles:
            bundle.run(found_inf)

    def leave(self) -> None:
        """Hand what was counted back to the slots: another plan goes on."""
        for bundle in self.bundles:
            bundle.leave()

    def enter(self) -> bool:
        """Go on from what the slots say; False if this plan no longer fits them."""
        return all(bundle.enter() for bundle in self.bundles)
