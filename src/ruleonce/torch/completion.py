"""How what is kept for a parameter comes to be, new or from a checkpoint."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..language.rule import Rule
from .columns import Column
from .held import masters_of, settle, settle_weights
from .layout import block_like, block_of, local, same_layout
from .slots import AVERAGE, STEP, WEIGHTS, Naming, Slot, Start
from .states import put

# Pickle (not torch.save) writes the whole column for each view of it, so it is not to be long.
_LONGEST = 256


def complete(
    slots: list[Slot], rule_of: Callable[[Slot], Rule], naming: Naming, start: Start
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
        weights = rule.schema.weights
        if weights in slot.storages or WEIGHTS in slot.held:
            settle_weights(slot, slot.storages.get(weights))
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
    if name in slot.storages or key in slot.held:
        settle(slot, name, key, slot.storages.get(name), start)
    if name in slot.storages:
        return
    found = slot.entry.get(key)
    dtype = slot.dtypes.get(name) or naming.dtype
    if dtype is None and naming.widens and weights.itemsize == 2:
        dtype = torch.float32
    if found is None:
        dtype = _state_dtype(weights, dtype)
        if name == AVERAGE:
            new = block_of(weights, dtype, lambda x: x.copy_(masters_of(slot)))
        else:
            value = start(slot, name)
            new = block_of(weights, dtype, lambda x: _real(x).fill_(value))
        put(slot.entry, key, new)
        return
    part, own = local(found), local(weights)
    wanted = part.dtype if dtype is None else _state_dtype(weights, dtype)
    if part.dtype != wanted or not same_layout(part, block_like(own)):
        put(slot.entry, key, block_of(weights, wanted, lambda x: x.copy_(part)))


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _state_dtype(weights: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    if dtype is None:
        return weights.dtype
    return dtype.to_complex() if weights.is_complex() else dtype
