"""What an optimizer keeps for a parameter; how it comes to be, new or from a checkpoint."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any  # a state is a tensor, a number or None

import torch
from torch import Tensor

from ..language.rule import Rule
from .columns import Column
from .layout import block_like, local, same_layout
from .states import put

STEP = "step"

# The state of the combinator `averaged`: it starts as the weights, not as a number.
AVERAGE = "average"


@dataclass(eq=False)
class Slot:
    """A parameter, and what is kept for it.

    name     for messages: the one given with the parameters, or its place
    group    the place of its param group
    entry    its state, as users see it
    t        how many steps it has taken
    scalars  its scalar state, by the names of the rule
    places   name in the entry -> the column that its number stands in, and where
    numbers_on   the device that its numbers live on; None for the host
    """

    parameter: Tensor
    name: str
    group: int
    entry: dict[str, Any]
    t: int = 0
    scalars: dict[str, float] = field(default_factory=dict)
    places: dict[str, tuple[Column, int]] = field(default_factory=dict)
    numbers_on: torch.device | None = None


@dataclass(frozen=True)
class Naming:
    """How a class of PyTorch calls what a rule calls otherwise.

    state      state of the rule -> key in the entry, in PyTorch's order
    has_step   whether the entry holds the step count
    dtype      of the state; None for that of the parameter, or for the one that was loaded
    """

    state: Mapping[str, str]
    has_step: bool
    dtype: torch.dtype | None

    def key(self, name: str) -> str:
        """The key of a state in the entry of its parameter."""
        return self.state.get(name, name)

    def in_order(self, names: Iterable[str]) -> list[str]:
        """States of a rule in the order in which PyTorch writes them."""
        order = list(self.state)
        return sorted(names, key=lambda n: order.index(n) if n in order else len(order))

    def steps_of(self, entry: Mapping[str, Any]) -> int:
        """How many steps an entry says were taken."""
        if entry.get(STEP) is not None:
            return int(entry[STEP])
        # PyTorch keeps no count for this class: all that can be known is whether there was a step.
        return int(any(entry.get(key) is not None for key in self.state.values()))


def complete(
    slots: list[Slot], rule_of: Callable[[Slot], Rule], naming: Naming, start: "Start"
) -> None:
    """Give each slot every state that its rule needs, found or new, in a layout that kernels take.

    start   (slot, state) -> where a new state starts
    """
    dtype = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    if naming.has_step:
        _into_column(slots, STEP, [float(slot.t) for slot in slots], dtype)
    scalars: dict[str, list[Slot]] = {}
    for slot in slots:
        rule = rule_of(slot)
        for name in naming.in_order((*rule.scalars, *rule.state)):
            if name in rule.scalars:
                found = slot.entry.get(naming.key(name))
                slot.scalars[name] = float(start(slot, name) if found is None else found)
                scalars.setdefault(name, []).append(slot)
                put(slot.entry, naming.key(name), found)  # its place in the order
            else:
                _state_tensor(slot, name, naming, start)
    for name, of in scalars.items():
        # float64: they go on exactly where they were, from a file too.
        _into_column(of, naming.key(name), [slot.scalars[name] for slot in of], torch.float64)


# Pickle (not torch.save) writes the whole column for each view of it, so it is not to be long.
_LONGEST = 256

Start = Callable[[Slot, str], float]


@dataclass(eq=False)
class Kept:
    """What an entry held when a plan was made, to be looked at later."""

    slot: Slot

    def __post_init__(self) -> None:
        self._values = list(self.slot.entry.values())
        self._tensors = [
            value for value in self._values if type(value) is Tensor and value.device.type != "meta"
        ]
        self._at = list(map(Tensor.data_ptr, self._tensors))

    def stands(self, entry: object) -> bool:
        """Whether `entry` is that of the slot, and holds what it held."""
        own = self.slot.entry
        return (
            (entry is own or (entry is None and not own))
            and len(own) == len(self._values)
            and all(map(is_, own.values(), self._values))
            and list(map(Tensor.data_ptr, self._tensors)) == self._at
        )


def _into_column(slots: list[Slot], key: str, values: list[float], dtype: torch.dtype) -> None:
    """Make one tensor of the numbers of those slots whose own is not part of one yet."""
    new: dict[torch.device, list[tuple[Slot, float]]] = {}
    for slot, value in zip(slots, values, strict=True):
        device = slot.numbers_on or torch.device("cpu")
        known = slot.places.get(key)
        if known is None or known[0].tensor.device != device or slot.entry.get(key) is None:
            new.setdefault(device, []).append((slot, value))
    for device, all_ in new.items():
        for start in range(0, len(all_), _LONGEST):
            some = all_[start : start + _LONGEST]
            column = Column([value for _, value in some], dtype, device)
            for place, (slot, _) in enumerate(some):
                slot.places[key] = (column, place)
                put(slot.entry, key, column.view(place))


def _state_tensor(slot: Slot, name: str, naming: Naming, start: Start) -> None:
    key, weights = naming.key(name), slot.parameter
    found = slot.entry.get(key)
    if found is None:
        dtype = _state_dtype(weights, naming.dtype)
        if name == AVERAGE:
            new = block_of(weights, dtype, lambda x: x.copy_(local(weights)))
        else:
            value = start(slot, name)
            new = block_of(weights, dtype, lambda x: _real(x).fill_(value))
        put(slot.entry, key, new)
        return
    part, own = local(found), local(weights)
    wanted = part.dtype if naming.dtype is None else _state_dtype(weights, naming.dtype)
    if part.dtype != wanted or not same_layout(part, block_like(own)):
        put(slot.entry, key, block_of(weights, wanted, lambda x: x.copy_(part)))


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _state_dtype(weights: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    if dtype is None:
        return weights.dtype
    return dtype.to_complex() if weights.is_complex() else dtype


def block_of(weights: Tensor, dtype: torch.dtype, fill: Callable[[Tensor], object]) -> Tensor:
    """A tensor like the weights (a DTensor for a DTensor), its part in this process filled."""
    with torch.no_grad():
        if hasattr(weights, "to_local"):
            new = torch.empty_like(weights, dtype=dtype)
            fill(local(new))
            return new
        new = block_like(weights.detach(), dtype)
        fill(new)
        return new
