"""The tensors that a state is kept in: their shapes, and how values come out of them and into them.

Blocks are runs of memory. Where the rows of a parameter are whole blocks, there is a row of scales
for each, so that scales are divided among processes as their parameter is.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any  # of what a format was made with

import numpy as np
import torch
from torch import Tensor

from ..formats import INT4, INT8, INT16, UINT4, UINT8, Part, Storage
from .conversion import convert
from .layout import DTYPES, block_like, block_of, layout_of, local, same_layout

PART_DTYPES = {
    **DTYPES,
    INT8: torch.int8,
    UINT8: torch.uint8,
    INT16: torch.int16,
    INT4: torch.uint8,  # two in a byte
    UINT4: torch.uint8,
}

IN_ORDER = "-"  # that of the dimensions

_SMALLER = (64, 32)  # blocks, where those of a format do not fit into the rows of a shard


def fitted(storages: Mapping[str, Storage], weights: Tensor) -> dict[str, Storage]:
    """Those of the storages that these weights can have, with smaller blocks where they must.

    A block has to lie within one row of a parameter that is divided by rows, whatever the number of
    processes; one that is divided otherwise has no blocks.
    """
    blocks = {storage.block for storage in storages.values() if storage.block}
    if not blocks or not is_divided(weights):
        return dict(storages)
    row = prod(weights.shape[1:])
    fits = _by_rows(weights) and weights.is_contiguous() and row > 1
    sizes = [*blocks, *(size for size in _SMALLER if size < min(blocks))]
    for size in sizes if fits and len(blocks) == 1 else []:
        found = {name: in_blocks_of(storage, size) for name, storage in storages.items()}
        if row % size == 0 and None not in found.values():
            return {name: storage for name, storage in found.items() if storage is not None}
    return {name: storage for name, storage in storages.items() if not storage.block}


def is_divided(weights: Tensor) -> bool:
    """Whether other processes have other parts of it."""
    placements = getattr(weights, "placements", ())
    return not all(placement.is_replicate() for placement in placements)


def _by_rows(weights: Tensor) -> bool:
    """Whether a divided parameter is so by its first dimension, once."""
    parts = [x for x in weights.placements if not x.is_replicate()]  # type: ignore[attr-defined]  # a DTensor
    from torch.distributed.tensor import Shard

    return len(parts) == 1 and type(parts[0]) is Shard and parts[0].dim == 0


def in_blocks_of(storage: Storage, size: int) -> Storage | None:
    """The same format with blocks of this size; None if it cannot be made so."""
    if storage.block == size or not storage.block:
        return storage
    function: Any
    function, *arguments = storage.made_by or (None,)
    if arguments[:1] != [storage.block]:
        return None
    made: Storage = function(size, *arguments[1:])
    return made if made.block == size else None


def is_same(one: Storage | None, other: Storage | None) -> bool:
    """Whether two are one format: one that was pickled is another object than the original."""
    if one is None or other is None:
        return one is other
    return one is other or bool(one.made_by and one.made_by == other.made_by)


def fit(parts: Sequence[Tensor], storage: Storage, weights: Tensor, lies: Tensor) -> bool:
    """Whether these are the parts of a state of these weights, lying as a kernel reads them.

    lies   as its elements do: see `lies_as`
    """
    own, device = layout_of(weights), weights.device
    for part, form in zip(parts, storage.parts.values(), strict=True):
        found = local(part)
        if found.dtype != PART_DTYPES[form.form] or found.device != device:
            return False
        shape = shape_of(form, storage, own)
        if found.shape != shape or not same_layout(found, _laid_out(shape, own)):
            return False
    return same_layout(lies, own)


def lies_as(parts: Sequence[Tensor], storage: Storage, weights: Tensor, order: str) -> Tensor:
    """A tensor without memory, in which the elements of a state lie as they do in its parts.

    order   as it was noted; it is what there is to know of numbers that are packed
    """
    if is_for_each(next(iter(storage.parts.values()))):
        return layout_of(parts[0])
    return in_order(torch.empty(local(weights).shape, device="meta"), order)


def decoded(parts: Sequence[Tensor], storage: Storage, weights: Tensor, lies: Tensor) -> Tensor:
    """The values that parts hold, of what of the weights is in this process: float32, or float64
    for such weights.

    lies   as its elements do: see `lies_as`
    """
    values = torch.empty_like(lies, dtype=wide(weights.dtype), device=weights.device)
    placed = [
        _laid_out_as(values, local(part)) if is_for_each(form) else local(part).contiguous()
        for part, form in zip(parts, storage.parts.values(), strict=True)
    ]
    convert(placed, storage, [values], None)
    return values


def _laid_out_as(values: Tensor, part: Tensor) -> Tensor:
    return part if same_layout(part, values) else block_like(values, part.dtype).copy_(part)


def encoded(values: Tensor, storage: Storage, weights: Tensor) -> list[Tensor]:
    """New parts that hold these values, given for what of the weights is in this process."""
    own = block_like(local(weights), wide(weights.dtype))
    own.copy_(values)
    parts = [_new_part(part, storage, weights) for part in storage.parts.values()]
    convert([own], None, list(map(local, parts)), storage)
    return parts


def filled(value: float, storage: Storage, weights: Tensor) -> list[Tensor]:
    """New parts that hold one value everywhere."""
    dtype = wide(weights.dtype)
    if storage.is_random or not is_for_each(next(iter(storage.parts.values()))):
        return encoded(torch.full((), value, dtype=dtype, device=weights.device), storage, weights)
    wide_one = np.full(1, value, np.float64 if dtype == torch.float64 else np.float32)
    parts = [_new_part(part, storage, weights) for part in storage.parts.values()]
    for part, number in zip(parts, storage.to_parts(wide_one), strict=True):
        local(part).fill_(number.item())  # every block is as the first
    return parts


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype of decoded values for weights of some dtype."""
    return torch.float64 if dtype in (torch.float64, torch.complex128) else torch.float32


def _new_part(part: Part, storage: Storage, weights: Tensor) -> Tensor:
    dtype = PART_DTYPES[part.form]
    if is_for_each(part):
        return block_of(weights, dtype, lambda _: None)
    shape = shape_of(part, storage, layout_of(weights))
    # A kernel leaves the half of a last byte alone that no element stands in.
    new = torch.zeros(shape, dtype=dtype, device=weights.device)
    if not hasattr(weights, "to_local"):
        return new
    from torch.distributed.tensor import DTensor

    rest = new.shape[1:]
    return DTensor.from_local(
        new,
        weights.device_mesh,  # type: ignore[attr-defined]  # a DTensor
        weights.placements,  # type: ignore[attr-defined]
        run_check=False,
        shape=torch.Size((weights.shape[0], *rest)) if is_divided(weights) else new.shape,
        stride=new.stride(),
    )


def is_for_each(part: Part) -> bool:
    """Whether a part has a tensor's element for each of the weights, in the same place."""
    return not part.per_block and part.form.per_item == 1


def shape_of(part: Part, storage: Storage, own: Tensor) -> torch.Size:
    """The shape of a part of a dense tensor. What has one number for several elements in a row has
    a row for each of the tensor, if that is possible.
    """
    if is_for_each(part):
        return own.shape
    per, row = storage.block if part.per_block else part.form.per_item, prod(own.shape[1:])
    if own.ndim and row % per == 0 and own.is_contiguous():
        return torch.Size((own.shape[0], row // per))
    return torch.Size((-(-own.numel() // per),))


def _laid_out(shape: torch.Size, own: Tensor) -> Tensor:
    """How a part of this shape lies: as the tensor itself, or in a row."""
    return own if shape == own.shape else torch.empty(shape, device="meta")


def order_of(tensor: Tensor) -> str:
    """In what order the dimensions lie in memory."""
    if hasattr(tensor, "to_local") or tensor.is_contiguous():
        return IN_ORDER
    dims = sorted(range(tensor.ndim), key=lambda dim: (-tensor.stride()[dim], dim))
    return ",".join(map(str, dims))


def in_order(tensor: Tensor, order: str) -> Tensor:
    """The same elements, in this order of dimensions."""
    if order == IN_ORDER:
        return tensor.contiguous()
    dims = list(map(int, order.split(",")))
    back = sorted(range(len(dims)), key=dims.__getitem__)
    return tensor.permute(dims).contiguous().permute(back)
