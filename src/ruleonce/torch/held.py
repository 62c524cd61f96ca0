"""What an entry holds in parts: read, made, changed from one format to another."""

from collections.abc import Callable, Mapping
from typing import Any  # a state is a tensor, a number or None

import torch
from torch import Tensor

from ..errors import TensorError
from ..formats import Storage
from .layout import block_of, check_state, format_of, layout_of, local, same_layout
from .notes import NOTE, note_of, order_in
from .parts import (
    PART_DTYPES,
    decoded,
    encoded,
    filled,
    fit,
    is_for_each,
    is_same,
    lies_as,
    shape_of,
)
from .slots import AVERAGE, WEIGHTS, Slot
from .states import drop, put


def parts_in(
    entry: Mapping[str, Any], key: str, storage: Storage, weights: Tensor
) -> list[Tensor] | None:
    """The parts of a state; None if they are not all there, or someone has put other things there.

    The first part of the weights is the parameter itself.
    """
    parts = [
        weights.detach() if name == WEIGHTS else entry.get(name) for name in storage.names(key)
    ]
    found = [x for x in parts if isinstance(x, Tensor)]
    dtypes = [PART_DTYPES[part.form] for part in storage.parts.values()]
    whole = [x.dtype for x in found] == dtypes
    return found if whole else None


def check_held(slot: Slot, key: str) -> None:
    """Raise TensorTypeError or TensorError for a state that is not one of these weights."""
    found, storage = slot.entry.get(key), slot.held.get(key)
    parts = None if storage is None else parts_in(slot.entry, key, storage, slot.parameter)
    if storage is None or parts is None:
        if isinstance(found, Tensor):
            check_state(found, slot.parameter, slot.name)
            format_of(found.dtype, f"the state {key} of {slot.name}")
        return
    own = layout_of(slot.parameter)
    for name, part, form in zip(storage.names(key), parts, storage.parts.values(), strict=True):
        wanted = shape_of(form, storage, own).numel()
        if is_for_each(form):
            check_state(part, slot.parameter, slot.name)
        elif local(part).numel() != wanted:
            raise TensorError(
                f"the state {name} of {slot.name} has {local(part).numel()} numbers, and {wanted} "
                f"are those of {storage.name} for weights of the shape {tuple(own.shape)}. Was one "
                "of them replaced, and the other not?"
            )


def values_in(
    entry: Mapping[str, Any], key: str, storage: Storage | None, weights: Tensor
) -> Tensor | None:
    """The values of a state, of what of it is in this process; None if there is none.

    They are new, in float32 or float64, where they are stored in parts; else the state itself.
    """
    parts = None if storage is None else parts_in(entry, key, storage, weights)
    if storage is not None and parts is not None:
        return decoded(parts, storage, weights, _lies_as(entry, key, storage, weights, parts))
    found = weights if key == WEIGHTS else entry.get(key)
    return local(found) if isinstance(found, Tensor) else None


def _lies_as(
    entry: Mapping[str, Any], key: str, storage: Storage, weights: Tensor, parts: list[Tensor]
) -> Tensor:
    return lies_as(parts, storage, weights, order_in(entry, key))


def write(
    entry: Mapping[str, Any], key: str, storage: Storage | None, weights: Tensor, values: Tensor
) -> None:
    """Have a state that is there hold these values, in the tensors that are there."""
    parts = None if storage is None else parts_in(entry, key, storage, weights)
    if storage is None or parts is None:
        local(weights if key == WEIGHTS else entry[key]).copy_(values)
        return
    for part, new in zip(parts, encoded(values, storage, weights), strict=True):
        local(part).copy_(local(new).reshape(local(part).shape))


def masters_of(slot: Slot) -> Tensor:
    """The weights with all bits that are kept of them."""
    weights = slot.parameter
    found = values_in(slot.entry, WEIGHTS, slot.held.get(WEIGHTS), weights)
    return local(weights) if found is None else found


def settle(
    slot: Slot, name: str, key: str, storage: Storage | None, start: Callable[[Slot, str], float]
) -> None:
    """Have a state stand in its entry as it is to be kept: what is there is decoded, and encoded in
    another format. With `storage` None, it is left as plain values.
    """
    entry, weights, held = slot.entry, slot.parameter, slot.held.get(key)
    parts = None if held is None else parts_in(entry, key, held, weights)
    if (
        storage is not None
        and parts is not None
        and is_same(storage, held)
        and fit(parts, storage, weights, _lies_as(entry, key, storage, weights, parts))
    ):
        return
    values = values_in(entry, key, held, weights)
    if values is None and name == AVERAGE:
        values = masters_of(slot)
    _drop(slot, key)
    if storage is None:
        if values is not None:
            put(entry, key, _plain(values, weights))
    elif values is None:
        _put(slot, key, storage, filled(start(slot, name), storage, weights))
    else:
        _put(slot, key, storage, encoded(values, storage, weights))


def settle_weights(slot: Slot, storage: Storage | None) -> None:
    """Have the error bits of the weights stand in the entry as they are to be kept; new ones say
    that the weights are exact.
    """
    weights, held = slot.parameter, slot.held.get(WEIGHTS)
    parts = None if held is None else parts_in(slot.entry, WEIGHTS, held, weights)
    if storage is None or len(storage.parts) == 1:  # it is in the weights themselves
        _drop(slot, WEIGHTS)
        return
    if parts is not None and is_same(storage, held):
        own = layout_of(weights)
        if all(same_layout(local(part), own) for part in parts[1:]):
            return
    set_weights(slot, storage, masters_of(slot))


def set_weights(slot: Slot, storage: Storage, values: Tensor) -> None:
    """Write weights and error bits, so that they hold these values."""
    parts = encoded(values, storage, slot.parameter)
    own, new = local(slot.parameter), local(parts[0])
    if not torch.equal(own, new):
        own.copy_(new)
    _put(slot, WEIGHTS, storage, parts)


def _plain(values: Tensor, weights: Tensor) -> Tensor:
    return block_of(weights, values.dtype, lambda new: new.copy_(values))


def _put(slot: Slot, key: str, storage: Storage, parts: list[Tensor]) -> None:
    own = {x: part for x, part in zip(storage.names(key), parts, strict=True) if x != WEIGHTS}
    for name, part in own.items():
        put(slot.entry, name, part)
    if own:
        put(slot.entry, key + NOTE, note_of(storage, slot.parameter))
        slot.held[key] = storage


def _drop(slot: Slot, key: str) -> None:
    """Take the further parts of a state away, and the note."""
    held = slot.held.pop(key, None)
    if held is not None:
        for name in (*held.names(key)[1:], key + NOTE):
            drop(slot.entry, name)
