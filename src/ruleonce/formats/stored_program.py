"""A program over what lies in memory: its tensors are replaced by the parts that keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from ..errors import FormatError
from ..language import bits, ops
from ..language.graph import Graph, Node, in_order
from ..language.program import Program
from .arithmetic import lighter
from .storage import Storage


def stored_program(program: Program, storages: Mapping[str, Storage]) -> Program:
    """The program over the parts of tensors; made once for each program and each choice."""
    found = _stored_program(program, tuple(storages.items()))
    return lighter(found) if found.block else found


@lru_cache(maxsize=256)
def _stored_program(program: Program, chosen: tuple[tuple[str, Storage], ...]) -> Program:
    """The program that decodes what it reads and encodes what it writes.

    storages   tensor name -> how it is kept; one that is not named is kept as one number an element

    The weights come first and the gradient second, as everywhere; a tensor's further parts stand
    behind its first. A tensor that the rule leaves as it is, is not written.

    Raises FormatError if two tensors are kept in blocks of different sizes.
    """
    storages = dict(chosen)
    block = _block_of(program, storages)
    graph = Graph()
    new: dict[Node, Node] = {}
    parts: dict[str, list[Node]] = {}
    for name, storage in storages.items():
        parts[name] = storage.inputs(graph, name)
    roots = (*program.outputs.values(), *program.scalars.values(), *program.reports)
    for node in in_order(roots):
        if node.name in storages:
            new[node] = storages[node.name].decoded(graph, parts[node.name])
        elif node.name is not None:
            new[node] = graph.input(node.name, node.rate, node.kind)
        elif node.op is None:
            assert node.value is not None  # noqa: S101
            new[node] = graph.constant(node.value, node.kind)
        else:
            new[node] = graph.apply(node.op, *(new[arg] for arg in node.args))
    outputs: dict[str, Node] = {}
    for name, node in program.outputs.items():
        if name not in storages:
            outputs[name] = new[node]
        elif name in program.written:
            stays = _stays(node, name)
            value = new[node if stays is None else node.args[2]]
            if value.rate != "element":  # one number for all: it is that of each element
                value = graph.apply(bits.EACH, value, graph.input(program.tensors[1], "element"))
            encoded = storages[name].encoded(graph, value, name)
            choice = None if stays is None else new[stays]
            encoded = _kept_where(choice, graph, parts[name], encoded)
            outputs |= zip(storages[name].names(name), encoded, strict=True)
        else:
            outputs |= zip(storages[name].names(name), parts[name], strict=True)
    return replace(
        program,
        tensors=stored_tensors(program.tensors, storages),
        outputs=outputs,
        scalars={name: new[node] for name, node in program.scalars.items()},
        names={new[node]: name for node, name in program.names.items() if node in new},
        reports=tuple(new[node] for node in program.reports),
        block=block,
        of_blocks=frozenset(
            name
            for tensor, storage in storages.items()
            for name, part in zip(storage.names(tensor), storage.parts.values(), strict=True)
            if part.per_block
        ),
    )


def _stays(node: Node, name: str) -> Node | None:
    """What says whether a step leaves a tensor as it is, where that is the new value's outermost
    choice: its parts are then left as they are, since to encode them again could change a bit.
    """
    if node.op is not ops.WHERE or node.args[0].rate != "step" or node.args[1].name != name:
        return None
    return node.args[0]


def _kept_where(
    stays: Node | None, graph: Graph, old: Sequence[Node], new: Sequence[Node]
) -> list[Node]:
    if stays is None:
        return list(new)
    return [
        graph.apply(
            bits.CHOOSE if one.kind == "integer" else ops.WHERE,
            _of_each_block(stays, graph, one) if one.rate == "block" else stays,
            one,
            other,
        )
        for one, other in zip(old, new, strict=True)
    ]


def _of_each_block(stays: Node, graph: Graph, part: Node) -> Node:
    """The same truth for each block: the gpu engine has those of a step for each element."""
    whole = part if part.kind == "integer" else graph.apply(bits.BITS, part)
    nothing = graph.apply(bits.NUMBER, graph.apply(bits.IAND, whole, graph.constant(0, "integer")))
    one = graph.apply(ops.WHERE, stays, graph.constant(1.0), graph.constant(0.0))
    return graph.apply(ops.NE, graph.apply(ops.ADD, one, nothing), graph.constant(0.0))


def stored_tensors(tensors: Sequence[str], storages: Mapping[str, Storage]) -> tuple[str, ...]:
    """The names of the parts of all tensors, weights and gradient first."""
    weights, gradient, *state = tensors
    first, *more = storages[weights].names(weights) if weights in storages else (weights,)
    names = [first, gradient, *more]
    for name in state:
        names += storages[name].names(name) if name in storages else (name,)
    return tuple(names)


def _block_of(program: Program, storages: Mapping[str, Storage]) -> int:
    sizes = {name: storage.block for name, storage in storages.items() if storage.block}
    if len(set(sizes.values())) > 1:
        kept = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise FormatError(
            f"{program.name}: the tensors of one rule share their blocks, and these have blocks "
            f"of {kept} elements. Give all the same size: int8(block=64), uint8_sqrt(block=64)."
        )
    return next(iter(sizes.values()), 0)
