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
from collections.abc import Iterable

from ..language import ops
from ..language.graph import Graph, Node, in_order


def lighter(graph: Graph, roots: Iterable[Node]) -> dict[Node, Node]:
    """Every node that the roots need -> the one that takes its place."""
    nodes = in_order(roots)
    roots_of = {node.args[0] for node in nodes if node.op is ops.SQRT}
    new: dict[Node, Node] = {}
    for node in nodes:
        if node.op is None:
            new[node] = node
            continue
        args = [new[arg] for arg in node.args]
        if node.op is ops.DIV and args[0].rate == "element" and _is_of_step(args[1]):
            new[node] = graph.apply(ops.MUL, args[0], _reciprocal(graph, args[1]))
        elif node.op is ops.SQRT and (factors := _factors(args[0], {new[x] for x in roots_of})):
            new[node] = graph.apply(ops.MUL, *(graph.apply(ops.SQRT, x) for x in factors))
        else:
            new[node] = graph.apply(node.op, *args)
    return new


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
    """x and c of x * c, where x is one whose root is known and c a number of the step."""
    if node.op is not ops.MUL:
        return None
    x, c = node.args if _is_of_step(node.args[1]) else node.args[::-1]
    return (x, c) if _is_of_step(c) and x in known else None
