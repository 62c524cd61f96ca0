"""A plan: which parameters are updated together, made once and used as long as nothing changes."""

from collections.abc import Sequence
from operator import is_

from torch import Tensor, no_grad

from ..engines.measuring import measure_together
from .bundles import Bundle, Choice, Numbers
from .carrying import NOWHERE, Carrier
from .columns import Column
from .kernel_part import KernelPart, Regions
from .slots import Kept, Slot
from .states import States

_LOOKED_AT = 8  # entries of the state a step


def _added(x: Tensor, y: Tensor) -> Tensor:
    """The totals of the tensors of two devices."""
    return x + y.to(x.device, non_blocking=True)


class Plan:
    """What a step does for the parameters that have a gradient.

    parameters   all of the optimizer
    present      which of them have a gradient
    choices      for each param group
    slots        of those that have one
    sizes        of the param groups
    carrier      of their gradients and weights
    is_published   whether new state stands in the optimizer's
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        choices: Sequence[Choice],
        slots: Sequence[Slot],
        bundles: Sequence[Bundle],
        sizes: Sequence[int],
        carrier: Carrier = NOWHERE,
    ) -> None:
        self.parameters = list(parameters)
        self.present = list(present)
        self.choices = list(choices)
        self.slots = slots
        self.bundles = bundles
        self.is_published = False
        self.sizes = list(sizes)
        self._carrier = carrier
        self._kept: list[Kept] = []
        self._turn = 0
        self._is_single = len(bundles) == 1
        self._storages = [slot.storages for slot in slots]
        self._passes = max((bundle.passes for bundle in bundles), default=1)
        regions = Regions([x for bundle in bundles for x in bundle.part.written])
        for bundle in bundles:
            if isinstance(bundle.part, KernelPart):
                bundle.part.regions = regions

    def fits(
        self,
        parameters: Sequence[Tensor],
        present: Sequence[bool],
        choices: Sequence[Choice],
        sizes: Sequence[int],
    ) -> bool:
        """Whether this plan is for these parameters and choices."""
        return (
            present == self.present
            and choices == self.choices
            and sizes == self.sizes
            and len(parameters) == len(self.parameters)
            and all(map(is_, parameters, self.parameters))
        )

    @property
    def columns(self) -> dict[int, Column]:
        """Those that its numbers stand in."""
        return {id(column): column for slot in self.slots for column, _ in slot.places.values()}

    def publish(self, states: States) -> None:
        """Put new state where users see it: now nothing can be refused any more."""
        self.is_published = True
        for slot in self.slots:
            if slot.entry and slot.parameter not in states:
                states.quietly(slot.parameter, slot.entry)
        self._kept = [Kept(slot) for slot in self.slots]

    def is_as_it_was(self, states: States) -> bool:
        """Look at a few entries of the state, others at each step: whether someone has put other
        tensors there. To look at all takes longer than a step; such a change is made to all of
        them, or noted by the dictionaries themselves, or seen soon.
        """
        first = self._turn
        self._turn = first + _LOOKED_AT if first + _LOOKED_AT < len(self._kept) else 0
        for kept in self._kept[first : first + _LOOKED_AT]:
            if not kept.stands(states.get(kept.slot.parameter)):
                return False
        return True

    def prepare(self, gradients: Sequence[Tensor], numbers: Numbers) -> None:
        """All that can fail. Raises Moved if the plan no longer fits.

        gradients   those that there are
        """
        for bundle in self.bundles:
            share = gradients if self._is_single else [gradients[place] for place in bundle.places]
            bundle.prepare(share, numbers)
        if self._passes > 1:
            self._carrier.bring(self.slots)
            with no_grad():
                measure_together(self.bundles, _added)

    def run(self, found_inf: Tensor | None = None) -> None:
        """Write the step, and count it.

        found_inf   1 if an infinite gradient was found, and the step is to change nothing
        """
        for bundle in self.bundles:
            self._carrier.bring(bundle.part.slots)
            bundle.run(found_inf)
            self._carrier.send(bundle.part.slots)

    def leave(self) -> None:
        """Hand what was counted back to the slots: another plan goes on."""
        for bundle in self.bundles:
            bundle.leave()

    def enter(self) -> bool:
        """Go on from what the slots say; False if this plan no longer fits them."""
        storages = [slot.storages for slot in self.slots]
        return storages == self._storages and all(bundle.enter() for bundle in self.bundles)
