"""The arithmetic of programs that store in blocks: what is stored in 8 bits need not be divided
exactly.

Divisions and roots are what a step of Adam takes longest for, once it moves few bytes. Where a
tensor is stored in blocks,

    x / c                 is x * (1 / c), for a number c of the step, whose reciprocal is known once
    sqrt(x * c)           is sqrt(x) * sqrt(c), if sqrt(x) is needed anyway, as to store v

Each result is off by at most 2 units in the last place of a float32, and it is the same on every
engine. Programs whose formats lose nothing, or that have no blocks, keep the exact operations.
"""

import math
from dataclasses import replace
from functools import lru_cache

from ..language import ops
from ..language.graph import Graph, Node, in_order
from ..language.program import Program


@lru_cache(maxsize=256)
def lighter(program: Program) -> Program:
    """The program with the lighter arithmetic; made once for each."""
    graph = Graph()
    roots = (*program.outputs.values(), *program.scalars.values(), *program.reports)
    nodes = in_order(roots)
    rooted = {node.args[0] for node in nodes if node.op is ops.SQRT}
    known: set[Node] = set()  # what takes the place of those
    new: dict[Node, Node] = {}
    for node in nodes:
        new[node] = _in_its_place(graph, node, [new[arg] for arg in node.args], known)
        if node in rooted:
            known.add(new[node])
    return replace(
        program,
        outputs={name: new[node] for name, node in program.outputs.items()},
        scalars={name: new[node] for name, node in program.scalars.items()},
        names={new[node]: name for node, name in program.names.items() if node in new},
        reports=tuple(new[node] for node in program.reports),
    )


def _in_its_place(graph: Graph, node: Node, args: list[Node], known: set[Node]) -> Node:
    if node.name is not None:
        return graph.input(node.name, node.rate, node.kind)
    if node.op is None:
        assert node.value is not None  # noqa: S101
        return graph.constant(node.value, node.kind)
    if node.op is ops.DIV and args[0].rate == "element" and _is_of_step(args[1]):
        return graph.apply(ops.MUL, args[0], _reciprocal(graph, args[1]))
    if node.op is ops.SQRT and (factors := _factors(args[0], known)):
        return graph.apply(ops.MUL, *(graph.apply(ops.SQRT, x) for x in factors))
    return graph.apply(node.op, *args)


def _is_of_step(node: Node) -> bool:
    return node.rate == "step" and not node.level and not node.is_constant


def _reciprocal(graph: Graph, number: Node) -> Node:
    """1 / c, on the host; infinite for 0, where Python would refuse."""
    one, nothing = graph.constant(1.0), graph.constant(0.0)
    is_zero = graph.apply(ops.EQ, number, nothing)
    some = graph.apply(ops.WHERE, is_zero, one, number)
    found = graph.apply(ops.DIV, one, some)
    return graph.apply(ops.WHERE, is_zero, graph.constant(math.inf), found)


def _factors(node: Node, known: set[Node]) -> tuple[Node, Node] | None:
    """The x and c of x * c, where the root of x is known and c is a number of the step."""
    if node.op is not ops.MUL:
        return None
    x, c = node.args if _is_of_step(node.args[1]) else node.args[::-1]
    return (x, c) if _is_of_step(c) and x in known else None
