"""How an entry says in which format a tensor is stored: a note beside its parts.

A note is a tensor of characters, since PyTorch's own code takes numbers and tensors in a state, and
nothing else: `torch.optim.Optimizer.load_state_dict` recurses for ever on a string, and distributed
checkpoints keep no key that does not stand in the state itself.
"""

from collections.abc import Iterable
from typing import Any  # a state is a tensor, a number or None

import torch
from torch import Tensor

from ..errors import FormatError
from ..formats import Storage
from ..formats.choice import STORAGES
from .parts import PART_DTYPES, in_blocks_of
from .states import put

NOTE = ".format"  # what its key ends with
_WIDTH = 64  # characters: distributed checkpoints are read into a tensor of the same size
_IN_ORDER = "-"


def note_of(storage: Storage, part: Tensor) -> Tensor:
    """What is noted: the block, in what order the dimensions lie in memory, the format's name.

    part   one with an element for each of the parameter
    """
    text = f"{storage.block} {_order_of(part)} {storage.name}".encode()
    return torch.tensor([*text, *bytes(max(0, _WIDTH - len(text)))], dtype=torch.uint8)


def noted(entry: dict[str, Any], known: Iterable[Storage]) -> dict[str, Storage]:
    """How an entry is kept in parts, by key. Those that do not lie as they did when they were noted
    are put in that order: what reads a file may not keep it, and blocks follow it.

    known   formats beside those that have a name in ruleonce.formats

    Raises FormatError for a format that there is not.
    """
    held: dict[str, Storage] = {}
    for note in [name for name in entry if name.endswith(NOTE)]:
        key = note.removesuffix(NOTE)
        text = bytes(entry[note].tolist()).rstrip(b"\0").decode()
        block, order, name = text.split(" ", 2)
        storage = held[key] = _storage(name, int(block), known, key)
        for part, form in zip(storage.names(key), storage.parts.values(), strict=True):
            found = entry.get(part)
            if form.per_block or not isinstance(found, Tensor):
                continue
            if found.dtype == PART_DTYPES[form.form] and _order_of(found) != order:
                put(entry, part, _in_order(found, order))
    return held


def _storage(name: str, block: int, known: Iterable[Storage], key: str) -> Storage:
    for each in known:
        found = in_blocks_of(each, block) if each.name == name else None
        if found is not None:
            return found
    if name not in STORAGES:
        raise FormatError(
            f"{key} is stored as {name!r}, which is none of {', '.join(STORAGES)}: load it into an "
            "optimizer that was made with this very format, formats={...}."
        )
    made = STORAGES[name]()
    found = in_blocks_of(made, block)
    if found is None:
        raise FormatError(f"{key} is stored as {name!r} in blocks of {block}, which there is not.")
    return found


def _order_of(tensor: Tensor) -> str:
    if hasattr(tensor, "to_local") or tensor.is_contiguous():
        return _IN_ORDER
    dims = sorted(range(tensor.ndim), key=lambda dim: (-tensor.stride()[dim], dim))
    return ",".join(map(str, dims))


def _in_order(tensor: Tensor, order: str) -> Tensor:
    """The same elements, in this order of dimensions."""
    if order == _IN_ORDER:
        return tensor.contiguous()
    dims = list(map(int, order.split(",")))
    back = sorted(range(len(dims)), key=dims.__getitem__)
    return tensor.permute(dims).contiguous().permute(back)
