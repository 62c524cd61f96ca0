"""Files and optimizers that store a tensor differently: decoded, and encoded as the other does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal  # what safetensors gives of a tensor

import numpy as np

from ..engines.memory import order_of
from ..errors import FormatError
from ..formats import FORMATS, INTEGERS, Storage
from ..formats.choice import STORAGES
from .gradients import Array
from .storing import Layout

# safetensors' own names for the formats.
CODES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
CODES |= {"I8": "int8", "U8": "uint8", "I16": "int16"}
_OF_NAME = {name: code for code, name in CODES.items()}


@dataclass(frozen=True)
class Stored:
    """How a tensor is stored in parts.

    tensor     its name in the rule
    parameter  the name of the parameter
    order      of its elements in memory, which blocks follow: "C" or "F"
    shape      that of the parameter; a file does not say it
    """

    storage: Storage
    tensor: str
    parameter: str
    order: Literal["C", "F"]
    shape: tuple[int, ...] = ()

    @property
    def described(self) -> list[Any]:
        """For a file: what tensor of which parameter, and how it is stored."""
        storage = self.storage
        return [self.tensor, self.parameter, storage.name, storage.block, self.order]

    @property
    def names(self) -> list[str]:
        """What its parts are called in a file."""
        return [called(part, self.parameter) for part in self.storage.names(self.tensor)]


def called(kind: str, parameter: str) -> str:
    """What a file calls a tensor of a parameter."""
    return f"{kind}/{parameter}" if parameter else kind


def stored_of(
    layouts: Sequence[Layout], names: Sequence[str], weights: Sequence[Array]
) -> dict[str, Stored]:
    """How the tensors of an optimizer are stored, by what a file calls them."""
    return {
        called(tensor, name): Stored(storage, tensor, name, order_of(array), array.shape)
        for layout, name, array in zip(layouts, names, weights, strict=True)
        for tensor, storage in layout.storages.items()
    }


def converted(
    tensors: Mapping[str, Any],
    described: Mapping[str, Sequence[Any]],
    own: Mapping[str, Stored],
    arrays: Mapping[str, Array],
) -> dict[str, Any]:
    """The tensors of a file, as an optimizer stores them.

    described  how the file's are stored
    own        how the optimizer's are
    arrays     the optimizer's own

    Raises FormatError for a format that there is not.
    """
    found = dict(tensors)
    for name in sorted({*described, *own}):
        theirs = _stored(described[name]) if name in described else None
        ours = own.get(name)
        if theirs is not None and ours is not None and theirs.described == ours.described:
            continue
        names = theirs.names if theirs is not None else [name]
        if any(each not in found for each in names):
            continue  # the file is of other parameters, which is said later
        parts = [_array(found.pop(each)) for each in names]
        values = parts[0]
        if theirs is not None:
            first, *others = parts
            shape = ours.shape if ours is not None else np.shape(arrays.get(name, first))
            like = np.empty(shape, np.int8, theirs.order)
            first = np.asarray(first, order=theirs.order)
            values = theirs.storage.from_parts([first, *others], like=like)
        if ours is not None:
            wide = np.asarray(values, np.float32, order=ours.order)
            found |= zip(ours.names, map(_entry, ours.storage.to_parts(wide)), strict=True)
        else:
            found[name] = _entry(values.astype(arrays[name].dtype) if name in arrays else values)
    return found


def _stored(described: Sequence[Any]) -> Stored:
    tensor, parameter, name, block, order = described
    if name not in STORAGES:
        raise FormatError(
            f"{tensor} is stored as {name!r}, which is none of {', '.join(STORAGES)}; load it into "
            "an optimizer that has this very format."
        )
    factory: Any = STORAGES[name]
    return Stored(factory(block) if block else factory(), tensor, parameter, order)


def _array(entry: Mapping[str, Any]) -> Array:
    form = {**FORMATS, **INTEGERS}[CODES[entry["dtype"]]]
    return np.frombuffer(entry["data"], form.dtype).reshape(entry["shape"])


def _entry(array: Array) -> dict[str, Any]:
    data = np.asarray(array, order="C").tobytes()
    return {"dtype": _OF_NAME[array.dtype.name], "shape": list(array.shape), "data": data}
