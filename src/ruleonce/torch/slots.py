"""What an optimizer keeps for a parameter."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any  # a state is a tensor, a number or None

import torch
from torch import Tensor

from ..formats import Storage
from .columns import Column

STEP = "step"

WEIGHTS = "weights"  # what keys of what is kept beside them begin with: "weights.error"

# The state of the combinator `averaged`: it starts as the weights, not as a number.
AVERAGE = "average"


@dataclass(eq=False)
class Slot:
    """A parameter, and what is kept for it.

    name     for messages: the one given with the parameters, or its place
    label    the name that was given, or else its number in the state dict
    group    the place of its param group
    entry    its state, as users see it
    t        how many steps it has taken
    scalars  its scalar state, by the names of the rule
    places   name in the entry -> the column that its number stands in, and where
    numbers_on   the device that its numbers live on; None for the host
    storages   tensor of the rule -> how it is to be kept in parts
    dtypes   state of the rule -> the dtype that was asked for
    held     key -> how what stands in the entry is kept in parts
    """

    parameter: Tensor
    name: str
    label: str
    group: int
    entry: dict[str, Any]
    t: int = 0
    scalars: dict[str, float] = field(default_factory=dict)
    places: dict[str, tuple[Column, int]] = field(default_factory=dict)
    numbers_on: torch.device | None = None
    storages: Mapping[str, Storage] = field(default_factory=dict)
    dtypes: Mapping[str, torch.dtype] = field(default_factory=dict)
    held: dict[str, Storage] = field(default_factory=dict)


@dataclass(frozen=True)
class Naming:
    """How a class of PyTorch calls what a rule calls otherwise.

    state      state of the rule -> key in the entry, in PyTorch's order
    has_step   whether the entry holds the step count
    dtype      of the state; None for that of the parameter, or for the one that was loaded
    widens     whether the state of weights of 16 bits is float32, where `dtype` is None
    """

    state: Mapping[str, str]
    has_step: bool
    dtype: torch.dtype | None
    widens: bool = False

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


# (slot, state) -> where a new state starts
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
