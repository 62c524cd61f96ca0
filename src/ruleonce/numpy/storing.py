"""The memory of a parameter's state: one array a state, or the parts that it is stored in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..engines.memory import order_of
from ..errors import TensorTypeError
from ..formats import Format, Storage, format_of, stored_tensors
from ..formats.choice import Choice, Formats, named
from ..language.rule import Rule
from .gradients import Array

_WIDE = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Layout:
    """What lies in memory for one parameter.

    tensors   the rule's: weights, gradient, state
    storages  tensor name -> how it is stored in parts
    dtypes    state name -> the dtype of one that is not
    order     of the elements in memory: "C" or "F"
    """

    tensors: tuple[str, ...]
    storages: Mapping[str, Storage]
    dtypes: Mapping[str, np.dtype[np.generic]]
    order: Literal["C", "F"]

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of the arrays beside the weights and the gradient, in order."""
        weights, gradient = self.tensors[:2]
        names = stored_tensors(self.tensors, self.storages)
        return tuple(name for name in names if name not in {weights, gradient})

    def new(self, weights: Array, start: Callable[[str], float]) -> tuple[Array, ...]:
        """Those arrays, at their start; `start` says where a state starts."""
        found: dict[str, Array] = {}
        name, _, *states = self.tensors
        order = order_of(weights)
        if name in self.storages:
            found |= self._parts(name, np.array(weights, _wide_dtype(weights), order=order))
        for state in states:
            if state in self.storages:
                full = np.full(weights.shape, start(state), _wide_dtype(weights), order)
                found |= self._parts(state, full)
            else:
                found[state] = np.full(weights.shape, start(state), self.dtypes[state], order)
        return tuple(found[name] for name in self.arrays)

    def forms(self, weights: Array, gradient: Format, arrays: Sequence[Array]) -> dict[str, Format]:
        """The format of each array of a step, by its name, in the order of the program."""
        known = {name: form for x, s in self.storages.items() for name, form in s.forms(x).items()}
        of_state = dict(zip(self.arrays, arrays, strict=True))
        name, dw = self.tensors[:2]
        return {
            each: gradient if each == dw else known.get(each)
            or format_of((weights if each == name else of_state[each]).dtype, "the parameter")
            for each in stored_tensors(self.tensors, self.storages)
        }  # fmt: skip

    def decoded(self, tensor: str, weights: Array, arrays: Sequence[Array]) -> Array:
        """The values of a tensor: the array itself, or a new one of what its parts hold."""
        found = {self.tensors[0]: weights, **dict(zip(self.arrays, arrays, strict=True))}
        if tensor not in self.storages:
            return found[tensor]
        storage = self.storages[tensor]
        parts = [found[name] for name in storage.names(tensor)]
        if tensor == self.tensors[0]:  # weights may have strides; their bits lie as a kernel reads
            parts[0] = np.asarray(weights, order=order_of(weights))
        like = np.empty(weights.shape, np.int8, self.order)
        return storage.from_parts(parts, _wide_dtype(weights), like)

    def encode(
        self, tensor: str, values: Array, weights: Array, arrays: Sequence[Array]
    ) -> Iterator[tuple[Array, Array]]:
        """What is to be written where, so that a tensor has these values."""
        found = {self.tensors[0]: weights, **dict(zip(self.arrays, arrays, strict=True))}
        if tensor not in self.storages:
            yield found[tensor], values
            return
        like = np.empty(weights.shape, _wide_dtype(values), order_of(weights))
        like[...] = values
        for name, part in self._parts(tensor, like).items():
            yield found[name], part

    def laid_out(self, weights: Array, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The arrays in the order of these weights. A block is a run of memory: in another order,
        what is stored in blocks is encoded anew.
        """
        order = order_of(weights)
        found = dict(zip(self.arrays, arrays, strict=True))
        new = {name: np.asarray(array, order=order) for name, array in found.items()}
        for tensor, storage in self.storages.items():
            if storage.block and order != self.order:
                values = self.decoded(tensor, weights, arrays)
                new |= self._parts(tensor, np.asarray(values, order=order))
        return tuple(new[name] for name in self.arrays)

    def beside(self, weights: Array) -> "Layout":
        """The layout of arrays in the order of these weights."""
        return replace(self, order=order_of(weights))

    def _parts(self, tensor: str, values: Array) -> dict[str, Array]:
        storage = self.storages[tensor]
        return dict(zip(storage.names(tensor), storage.to_parts(values), strict=True))


def layouts_of(
    rule: Rule,
    weights: Sequence[Array],
    names: Sequence[str],
    switches: Sequence[Mapping[str, bool]],
    formats: Formats | Choice | None,
    state_dtype: object,
) -> list[Layout]:
    """The layout of each parameter.

    switches  for each parameter, those of its group

    Raises FormatError, UnknownNameError or TensorTypeError for formats that cannot be.
    """
    choice = Choice(formats) if formats is not None and not isinstance(formats, Choice) else formats
    found = [
        _layout(rule, array, name, chosen, choice, state_dtype)
        for array, name, chosen in zip(weights, names, switches, strict=True)
    ]
    own = choice.formats if choice is not None and not isinstance(choice.formats, str) else {}
    if (w := rule.schema.weights) in own and found and not any(w in x.storages for x in found):
        dtypes = sorted({str(array.dtype) for array in weights})
        chosen = named(own[w])
        if isinstance(chosen, Storage):
            wanted = next(iter(chosen.parts.values())).form.name
            raise TensorTypeError(
                f"{w} is to be stored as {chosen.name}, of which the parameters themselves are the "
                f"first part: {wanted}. They are {', '.join(dtypes)}.\n  Convert them: "
                f"w.astype({'ml_dtypes.bfloat16' if wanted == 'bfloat16' else repr(wanted)})."
            )
    return found


def _layout(
    rule: Rule,
    weights: Array,
    name: str,
    switches: Mapping[str, bool],
    choice: Choice | None,
    state_dtype: object,
) -> Layout:
    schema = rule.schema
    form = format_of(weights.dtype, name or "the parameter")
    default: np.dtype[np.generic] = form.dtype
    if choice is not None and default.name not in _WIDE:
        default = np.dtype(np.float32)  # a state of 16 bits does not take up small changes
    if state_dtype is not None:
        default = format_of(state_dtype, "state_dtype").dtype
    dtypes = {state: default for state in schema.state}  # noqa: C420  (of a known type)
    storages: dict[str, Storage] = {}
    if choice is not None:
        chosen = choice.of(rule, switches)
        storages, formats = choice.of_parameter(chosen, schema.weights, form, name, weights.size)
        dtypes |= {state: each.dtype for state, each in formats.items()}
    return Layout(schema.tensors, storages, dtypes, order_of(weights))


def _wide_dtype(values: Array) -> np.dtype[np.generic]:
    return np.dtype(np.float64 if values.dtype.itemsize == 8 else np.float32)
