"""State in formats, for JAX: a leaf that is kept in parts, by JAX's own operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any  # JAX's arrays

import jax
import jax.numpy as jnp

from ..errors import FormatError
from ..formats import Format, Storage, format_of
from ..formats.choice import Choice, Formats
from ..language.bits import INDEX
from ..language.graph import Node, evaluate
from ..language.rule import Rule

Tree = Any


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Stored:
    """One state of one parameter, as it lies in memory.

    parts     of the storage, in its order: one for each element in the shape of the parameter, one
              for each block in a row
    shape     of the parameter
    storage   how it is kept
    """

    parts: tuple[Any, ...]
    shape: tuple[int, ...]
    storage: Storage

    @classmethod
    def of(cls, values: Any, storage: Storage, t: Any) -> "Stored":
        """Those values, stored at step t."""
        flat = values.ravel().astype(jnp.result_type(jnp.float32, values.dtype))
        parts = _run(storage.encoder, {"value": flat}, storage, flat.size, t, flat.dtype)
        rows = -(-flat.size // storage.block) if storage.block else 0
        kept = []
        for found, part in zip(parts, storage.parts.values(), strict=True):
            shape = (rows,) if part.per_block else values.shape
            whole = jnp.broadcast_to(found, (rows if part.per_block else flat.size,))
            kept.append(whole.astype(part.form.dtype).reshape(shape))
        return cls(tuple(kept), values.shape, storage)

    def values(self, dtype: Any) -> Any:
        """What is stored, in its shape."""
        given = {
            f"x.{place}": part.ravel().astype(jnp.int32 if form.form.is_integer else dtype)
            for place, (part, form) in enumerate(
                zip(self.parts, self.storage.parts.values(), strict=True)
            )
        }
        (flat,) = _run(self.storage.decoder, given, self.storage, prod(self.shape), 0, dtype)
        return flat.astype(dtype).reshape(self.shape)

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """As JAX takes trees apart."""
        return self.parts, (self.shape, self.storage)

    @classmethod
    def tree_unflatten(cls, kept: Any, parts: tuple[Any, ...]) -> "Stored":
        """As JAX puts them together again."""
        return cls(tuple(parts), *kept)


def _run(
    nodes: Sequence[Node],
    values: Mapping[str, Any],
    storage: Storage,
    size: int,
    t: Any,
    dtype: Any,
) -> list[Any]:
    given = {**values, "t": t, INDEX: jnp.arange(size, dtype=jnp.int32)}

    def rounded(value: Any) -> Any:
        return value if isinstance(value, bool) else jnp.asarray(value, dtype)

    return evaluate(nodes, given, jnp, rounded, block=storage.block)


class Keeping:
    """How the state of a rule is kept, leaf by leaf.

    Raises FormatError for formats of weights, which a transformation does not hold, and for those
    that put two numbers into a byte.
    """

    def __init__(self, rule: Rule, switches: Mapping[str, bool], formats: Formats | Choice) -> None:
        self._choice = formats if isinstance(formats, Choice) else Choice(formats)
        self._rule = rule
        self._chosen = self._choice.of(rule, switches)
        if rule.schema.weights in self._chosen:
            raise FormatError(
                f"{rule.name}: formats names the weights, {rule.schema.weights!r}; a "
                f"transformation of optax keeps state alone: {', '.join(rule.schema.state)}."
            )
        for name, how in self._chosen.items():
            if isinstance(how, Storage) and any(x.form.per_item > 1 for x in how.parts.values()):
                raise FormatError(
                    f"{rule.name}: {name} as {how.name}: formats of 4 bits are for NumPy arrays "
                    "and PyTorch. Take int8, uint8_sqrt or another of 8 bits."
                )

    def of(self, state: str, path: tuple[Any, ...], leaf: Any) -> Storage | Format | None:
        """How a state of a parameter is kept; None for a parameter that is left plain."""
        form = format_of(leaf.dtype, "the parameter")
        name = ".".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)
        weights = self._rule.schema.weights
        storages, formats = self._choice.of_parameter(self._chosen, weights, form, name, leaf.size)
        return storages.get(state) or formats.get(state)


def kept(found: Sequence[Any], before: Sequence[Any], t: Any) -> list[Any]:
    """New values of a state, each stored as the one before it was."""
    return [
        Stored.of(new, old.storage, t) if isinstance(old, Stored) else new.astype(old.dtype)
        for new, old in zip(found, before, strict=True)
    ]


def plain(column: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
    """The values of a state, leaf by leaf."""
    return [
        x.values(jnp.result_type(jnp.float32, dw.dtype)) if isinstance(x, Stored) else x
        for x, dw in zip(column, gradients, strict=True)
    ]
