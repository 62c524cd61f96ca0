"""Storage: how a tensor is kept in fewer bytes, as two functions in the language of rules.

`decode` makes the number that a rule sees of what lies in memory; `encode` makes what is to lie
there of the rule's new number. Their arguments and results are the parts: one for each element, or
one for each block of elements. An engine traces both into the graph of the rule, so a kernel reads
the parts, computes in float32 and writes the parts, all in one pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any  # numbers and symbols

import numpy as np

from ..errors import FormatError
from ..language.bits import INDEX
from ..language.graph import Graph, Node, evaluate
from ..language.symbol import Symbol
from .floating import Format, loaded, stored
from .random_bits import random_bits

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """One of the arrays that a tensor is kept in.

    form       of its numbers; an integer format holds whole numbers
    per_block  whether there is one for each block, not for each element
    """

    form: Format
    per_block: bool = False


def per_block(form: Format) -> Part:
    """A part with one number for each block of elements."""
    return Part(form, per_block=True)


@dataclass(frozen=True, eq=False)
class Storage:
    """A way to keep a tensor.

    name     what it is called, such as "int8"
    decode   the parts, by their names -> the number
    encode   the number -> the parts, in the order of `parts`; or the number and 32 random bits for
             each element, as a whole number, if it has two arguments
    parts    name -> part; the first has an element for each of the tensor
    block    elements in a block, a power of two; 0 where no part has one number for a block
    made_by  the function that makes it, and its arguments, so that it can be pickled
    seed     of the random bits, see random_bits
    is_exact whether every number is kept bit for bit; a rule is then computed as without storage,
             and else with lighter arithmetic (see formats.arithmetic)

    Raises FormatError if decode does not take the parts, or a block is needed and not given.
    """

    name: str
    decode: Callable[..., Any]
    encode: Callable[..., Any]
    parts: Mapping[str, Part]
    block: int = 0
    made_by: tuple[Any, ...] = ()
    seed: int = 0
    is_exact: bool = False

    def __post_init__(self) -> None:
        taken = tuple(signature(self.decode).parameters)
        if taken != tuple(self.parts):
            raise FormatError(
                f"the format {self.name}: decode takes ({', '.join(taken)}), and its parts are "
                f"({', '.join(self.parts)}). Give each its name, in this order."
            )
        if len(signature(self.encode).parameters) not in (1, 2):
            raise FormatError(
                f"the format {self.name}: encode takes {signature(self.encode)}, and has to take "
                "the number, or the number and random bits: (x), or (x, random)."
            )
        if any(part.per_block for part in self.parts.values()) != (self.block > 0):
            raise FormatError(
                f"the format {self.name} has a block of {self.block}; a block goes with parts that "
                "have one number for each block, and only with them."
            )
        halves = [name for name, part in self.parts.items() if part.form.per_item > 1]
        if halves and (self.block < _LEAST or any(self.parts[name].per_block for name in halves)):
            raise FormatError(
                f"the format {self.name}: {halves[0]} has two numbers in a byte, which threads "
                "must not share: there has to be one for each element, in blocks of an even size."
            )
        if self.block & (self.block - 1) or self.block > _LARGEST:
            raise FormatError(
                f"the format {self.name} has blocks of {self.block} elements; it has to be a power "
                f"of two, and at most {_LARGEST}."
            )

    def __repr__(self) -> str:
        return f"<format {self.name}>"

    def __deepcopy__(self, _: object) -> "Storage":
        return self  # nothing in it changes

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.made_by:
            raise FormatError(
                f"the format {self.name} cannot be pickled: its functions have no names of their "
                "own.\n  Make it in a function, and say so: Storage(..., made_by=(function,))."
            )
        function, *arguments = self.made_by
        return function, tuple(arguments)

    def names(self, tensor: str) -> tuple[str, ...]:
        """What the parts of a tensor are called: the first by its own name."""
        _, *others = self.parts
        return (tensor, *(f"{tensor}.{part}" for part in others))

    def forms(self, tensor: str) -> dict[str, Format]:
        """The format of each part of a tensor, by its name."""
        return dict(
            zip(self.names(tensor), (part.form for part in self.parts.values()), strict=True)
        )

    def inputs(self, graph: Graph, tensor: str) -> list[Node]:
        """The leaves of a graph that stand for the parts of a tensor."""
        return [
            graph.input(
                name,
                "block" if part.per_block else "element",
                "integer" if part.form.is_integer else "number",
            )
            for name, part in zip(self.names(tensor), self.parts.values(), strict=True)
        ]

    def decoded(self, graph: Graph, parts: list[Node]) -> Node:
        """The node of the number that the parts hold."""
        found = self.decode(*(Symbol(graph, node) for node in parts))
        return self._checked(found, "number", "element", "decode")

    @property
    def is_random(self) -> bool:
        """Whether encode asks for random bits."""
        return len(signature(self.encode).parameters) > 1

    def encoded(self, graph: Graph, value: Node, tensor: str = "") -> list[Node]:
        """The nodes of the parts that hold a number of this tensor."""
        random = (random_bits(graph, tensor, self.seed),) if self.is_random else ()
        found = self.encode(Symbol(graph, value), *random)
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self.parts):
            raise FormatError(
                f"the format {self.name}: encode returned {len(found)} values, and there are "
                f"{len(self.parts)} parts: {', '.join(self.parts)}."
            )
        return [
            self._checked(
                one,
                "integer" if part.form.is_integer else "number",
                "block" if part.per_block else "element",
                f"encode, for {name}",
            )
            for one, (name, part) in zip(found, self.parts.items(), strict=True)
        ]

    def _checked(self, found: Any, kind: str, rate: str, place: str) -> Node:
        node = found.node if isinstance(found, Symbol) else None
        if node is None or node.kind != kind or _order(node.rate) > _order(rate):
            raise FormatError(
                f"the format {self.name}: {place}: `{found!r}` was returned, and a"
                f"{'n' if kind == 'integer' else ''} {kind} for each {rate} is needed."
            )
        return node

    def to_parts(self, values: Array) -> list[Array]:
        """The parts of an array, each of its own dtype: one for each element in the shape of the
        array, one for each block in a row. Blocks go over the elements as they lie in memory.
        """
        flat = values.ravel(order="K")
        parts = self._run(self.encoder, {"value": flat})
        return [
            self._shaped(stored(part, form.form), form, values)
            for part, form in zip(parts, self.parts.values(), strict=True)
        ]

    def from_parts(
        self,
        parts: list[Array],
        computed: np.dtype[Any] | type = np.float32,
        like: Array | None = None,
    ) -> Array:
        """The array that the parts hold, in the shape of the first.

        like   an array in the shape, and the order, of the tensor, where the first part has two
               numbers in a byte

        Raises FormatError if that part is of another length.
        """
        like = self._like(parts[0], like)
        given = {
            f"x.{place}": loaded(part.ravel(order="K"), form.form, like.size)
            for place, (part, form) in enumerate(zip(parts, self.parts.values(), strict=True))
        }
        (flat,) = self._run(self.decoder, given, np.dtype(computed))
        found = np.empty_like(like, dtype=flat.dtype)
        found.reshape(-1, order=_order_of(found))[...] = flat
        return found

    def _like(self, first: Array, like: Array | None) -> Array:
        form = next(iter(self.parts.values())).form
        if form.per_item == 1:
            return first
        if like is None or first.size != -(-like.size // form.per_item):
            of = "which is not given" if like is None else f"of {like.size} elements"
            raise FormatError(
                f"the format {self.name}: {first.size} bytes with two numbers each are not those "
                f"of the tensor, {of}."
            )
        return like

    def _shaped(self, part: Array, form: Part, values: Array) -> Array:
        if form.per_block or form.form.per_item > 1:
            return part
        found = np.empty_like(values, dtype=part.dtype)
        found.reshape(-1, order=_order_of(found))[...] = part
        return found

    def _run(
        self, nodes: list[Node], values: Mapping[str, Array], dtype: np.dtype[Any] | None = None
    ) -> list[Array]:
        dtype = dtype or next(iter(values.values())).dtype
        scalar = np.float64 if dtype == np.float64 else np.float32
        values = {
            name: value if value.dtype == np.int32 else value.astype(scalar)
            for name, value in values.items()
        }
        length = len(next(iter(values.values())))
        given = {**values, "t": 0, INDEX: np.arange(length, dtype=np.int32)}
        with np.errstate(all="ignore"):
            found = evaluate(nodes, given, np, scalar, block=self.block)
        blocks = -(-length // self.block) if self.block else 0
        return [
            np.broadcast_to(x, blocks if node.rate == "block" else length)
            for x, node in zip(found, nodes, strict=True)
        ]

    @cached_property
    def decoder(self) -> list[Node]:
        """The number of each element, made of inputs x.0, x.1 ..., the parts."""
        graph = Graph()
        parts = [
            graph.input(
                f"x.{place}",
                "block" if part.per_block else "element",
                "integer" if part.form.is_integer else "number",
            )
            for place, part in enumerate(self.parts.values())
        ]
        return [self.decoded(graph, parts)]

    @cached_property
    def encoder(self) -> list[Node]:
        """The parts, made of the input `value`."""
        graph = Graph()
        return self.encoded(graph, graph.input("value", "element"))


_LEAST, _LARGEST = 2, 1024


def _order(rate: str) -> int:
    return ("step", "tensor", "block", "element").index(rate)


def _order_of(array: Array) -> Any:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
