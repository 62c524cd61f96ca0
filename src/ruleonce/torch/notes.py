"""How an entry says in which format a tensor is stored: a note beside its parts.

A note is a tensor of characters, since PyTorch's own code takes numbers and tensors in a state, and
nothing else: `torch.optim.Optimizer.load_state_dict` recurses for ever on a string, and distributed
checkpoints keep no key that does not stand in the state itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any  # a state is a tensor, a number or None

import torch
from torch import Tensor

from ..errors import FormatError
from ..formats import Storage
from ..formats.choice import STORAGES
from .layout import layout_of
from .parts import IN_ORDER, PART_DTYPES, in_blocks_of, in_order, is_for_each, order_of
from .states import put

NOTE = ".format"  # what its key ends with
_WIDTH = 64  # characters: distributed checkpoints are read into a tensor of the same size


def note_of(storage: Storage, weights: Tensor) -> Tensor:
    """What is noted: the block, in what order the dimensions lie in memory, the format's name."""
    order = IN_ORDER if hasattr(weights, "to_local") else order_of(layout_of(weights))
    text = f"{storage.block} {order} {storage.name}".encode()
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
        block, order, name = _read(entry[note])
        storage = held[key] = _storage(name, int(block), known, key)
        for part, form in zip(storage.names(key), storage.parts.values(), strict=True):
            found = entry.get(part)
            if not is_for_each(form) or not isinstance(found, Tensor):
                continue
            if found.dtype == PART_DTYPES[form.form] and order_of(found) != order:
                put(entry, part, in_order(found, order))
    return held


def order_in(entry: Mapping[str, Any], key: str) -> str:
    """The order of dimensions that is noted of a state."""
    return _read(entry[key + NOTE])[1]


def _read(note: Tensor) -> tuple[str, str, str]:
    block, order, name = bytes(note.tolist()).rstrip(b"\0").decode().split(" ", 2)
    return block, order, name


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
