"""The arithmetic of programs whose storage rounds: what is kept in 8 bits, or in 24, need not be
divided exactly.

Divisions and roots are what a step of Adam takes longest for, once it moves few bytes. Where a
tensor is stored in a format that does not keep every bit,

    x / c                 is x * (1 / c), for a number c of the step, whose reciprocal is known once
    sqrt(x * c)           is sqrt(x) * sqrt(c), if sqrt(x) is needed anyway, as to store v
    x * c * d             is x * (c * d), for numbers c and d of the step or of a block
    (x * s) * (x * s)     is (x * x) * (s * s), for a number s of a block, such as a scale
    x * a / (y * c + e)   is x / (y + e / c) * (a / c), for numbers a, c and e of the step
    x * y + z             is rounded once, where the product is of no other use
    (x * a + y * b) * c   is x * (a * c) + y * (b * c), for numbers of the step or of a block

Each result is off by some units in the last place of a float32, and it is the same on every
engine. Programs whose formats keep every bit have the exact operations.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from ..language import bits, ops
from ..language.graph import Graph, Node, in_order
from ..language.ops import Op
from ..language.program import Program


@lru_cache(maxsize=256)
def lighter(program: Program) -> Program:
    """The program with the lighter arithmetic; made once for each."""
    roots = (*program.outputs.values(), *program.scalars.values(), *program.reports)
    nodes = in_order(roots)
    made = _Lighter(nodes, roots)
    new: dict[Node, Node] = {}
    for node in nodes:
        new[node] = made.of(node, [new[arg] for arg in node.args])
    return replace(
        program,
        outputs={name: new[node] for name, node in program.outputs.items()},
        scalars={name: new[node] for name, node in program.scalars.items()},
        names={new[node]: name for node, name in program.names.items() if node in new},
        reports=tuple(new[node] for node in program.reports),
    )


class _Lighter:
    """The graph of the lighter arithmetic, as it grows.

    rooted   what the program takes the root of
    known    what takes the place of those
    alone    what takes the place of a value that is used once, so nothing is lost if it is not made
    """

    def __init__(self, nodes: Sequence[Node], roots: Sequence[Node]) -> None:
        self._graph = Graph()
        self._rooted = {node.args[0] for node in nodes if node.op is ops.SQRT}
        self._known: set[Node] = set()
        used = Counter([arg for node in nodes for arg in set(node.args)] + list(roots))
        self._once = {node for node, count in used.items() if count == 1}
        self._alone: set[Node] = set()

    def of(self, node: Node, args: list[Node]) -> Node:
        """What takes the place of a node, from what takes that of its operands."""
        found = self._in_its_place(node, args)
        if node in self._rooted:
            self._known.add(found)
        if node in self._once:
            self._alone.add(found)
        return found

    def _in_its_place(self, node: Node, args: list[Node]) -> Node:
        graph = self._graph
        if node.name is not None:
            return graph.input(node.name, node.rate, node.kind)
        if node.op is None:
            assert node.value is not None  # noqa: S101
            return graph.constant(node.value, node.kind)
        if node.rate != "element":
            return graph.apply(node.op, *args)
        return self._operation(node.op, args)

    def _operation(self, op: Op, args: list[Node]) -> Node:
        """What takes the place of an operation on elements."""
        if op is ops.DIV and args[0].rate == "element":
            return self._quotient(*args)
        if op is ops.MUL:
            return self._product(*args)
        if op in (ops.ADD, ops.SUB):
            return self._sum(op, *args)
        if op is ops.SQRT and (factors := self._factors(args[0])):
            return self._graph.apply(ops.MUL, *(self._graph.apply(ops.SQRT, x) for x in factors))
        return self._graph.apply(op, *args)

    def _quotient(self, x: Node, y: Node) -> Node:
        graph = self._graph
        if _is_of_step(y):
            return self._product(x, self._reciprocal(y))
        above, below = self._scaled(x), self._moved(y)
        if not above or not below:
            return graph.apply(ops.DIV, x, y)
        (x, a), (y, c, e) = above, below
        inverse = self._reciprocal(c)
        quotient = graph.apply(
            ops.DIV, x, graph.apply(ops.ADD, y, graph.apply(ops.MUL, e, inverse))
        )
        self._alone.add(quotient)
        return graph.apply(ops.MUL, quotient, graph.apply(ops.MUL, a, inverse))

    def _scaled(self, node: Node) -> tuple[Node, Node] | None:
        """The x and a of x * a, a number of the step, where the product is of no other use."""
        x, a = _split(node, ops.MUL)
        return (x, a) if a and _is_of_step(a) and node in self._alone else None

    def _moved(self, node: Node) -> tuple[Node, Node, Node] | None:
        """The same of y * c + e, whose sum has been made."""
        if node.op is not bits.MULTIPLY_ADD or node not in self._alone:
            return None
        y, c, e = node.args
        if not _is_of_step(e) or not _is_of_step(c):
            return None
        return y, c, e

    def _sum(self, op: Op, x: Node, y: Node) -> Node:
        """The sum or the difference, rounded once if one is a product that nothing else needs."""
        for product, rest in ((y, x), (x, y)):
            if product.op is not ops.MUL or product not in self._alone:
                continue
            one, other = product.args
            if op is ops.ADD:
                return self._multiply_add(one, other, rest)
            if product is y and (negative := self._negated(one, other)):
                return self._multiply_add(*negative, rest)
        return self._graph.apply(op, x, y)

    def _negated(self, x: Node, y: Node) -> tuple[Node, Node] | None:
        """The factors of -(x * y), if one is known before the elements are, and is negated then."""
        for one, number in ((x, y), (y, x)):
            if number.is_constant or _is_known_before(number, one):
                return one, self._graph.apply(ops.NEG, number)
        return None

    def _multiply_add(self, x: Node, y: Node, rest: Node) -> Node:
        if _is_known_before(x, y):
            x, y = y, x
        return self._graph.apply(bits.MULTIPLY_ADD, x, y, rest)

    def _product(self, x: Node, y: Node) -> Node:
        graph = self._graph
        for one, other in ((x, y), (y, x)):
            if one not in self._alone or not _is_known_before(other, one):
                continue
            if distributed := self._distributed(one, other):
                return distributed
        for one, other in ((x, y), (y, x)):
            rest, known = _split(one, ops.MUL) if one in self._alone else (one, None)
            if not known:
                continue
            if x is y and known.rate == "block":
                square = graph.apply(ops.MUL, known, known)
                return graph.apply(ops.MUL, graph.apply(ops.MUL, rest, rest), square)
            if _is_known_before(other, one):
                return graph.apply(ops.MUL, rest, graph.apply(ops.MUL, known, other))
        return graph.apply(ops.MUL, x, y)

    def _distributed(self, node: Node, number: Node) -> Node | None:
        """Of the node x * a + y * b and the number c: x * (a * c) + y * (b * c)."""
        if node.op is not bits.MULTIPLY_ADD:
            return None
        graph, (x, a, product) = self._graph, node.args
        y, b = _split(product, ops.MUL)
        if b is None or product not in self._alone or not _is_known_before(a, x):
            return None
        other = graph.apply(ops.MUL, y, graph.apply(ops.MUL, b, number))
        self._alone.add(other)
        return graph.apply(bits.MULTIPLY_ADD, x, graph.apply(ops.MUL, a, number), other)

    def _reciprocal(self, number: Node) -> Node:
        """1 / c, on the host; infinite for 0, where Python would refuse."""
        graph = self._graph
        one, nothing = graph.constant(1.0), graph.constant(0.0)
        is_zero = graph.apply(ops.EQ, number, nothing)
        some = graph.apply(ops.WHERE, is_zero, one, number)
        found = graph.apply(ops.DIV, one, some)
        return graph.apply(ops.WHERE, is_zero, graph.constant(math.inf), found)

    def _factors(self, node: Node) -> tuple[Node, Node] | None:
        """The x and c of x * c, where the root of x is known and c is a number of the step."""
        x, c = _split(node, ops.MUL)
        return (x, c) if c and _is_of_step(c) and x in self._known else None


def _split(node: Node, op: Op) -> tuple[Node, Node | None]:
    """The operands of an operation on elements and what is known before them: that comes last."""
    if node.op is op and node.rate == "element":
        x, y = node.args
        if _is_known_before(y, x):
            return x, y
        if _is_known_before(x, y):
            return y, x
    return node, None


def _is_known_before(number: Node, x: Node) -> bool:
    return x.rate == "element" and (_is_of_step(number) or number.rate == "block")


def _is_of_step(node: Node) -> bool:
    return node.rate == "step" and not node.level and not node.is_constant
