"""What can be said of a state from the formula of its rule alone, so that a format can be chosen.

A state may be stored with few bits if the rule forgets: what was rounded away is then made good by
the gradients to come. A sum that only grows, or a copy of the weights, would keep every error.
"""

import math
from collections.abc import Callable

from ..language import ops
from ..language.graph import Node, in_order
from ..language.program import Program
from ..language.schema import Schema

_KEEPS = (ops.ADD, ops.SUB, ops.NEG, ops.WHERE, ops.MAXIMUM, ops.MINIMUM)


def forgets(program: Program, schema: Schema, state: str) -> bool:
    """Whether neither the state itself nor the weights reach its new value undiminished, and it
    starts at 0, as what gathers gradients does.
    """
    if schema.initial.get(state, 0.0) != 0:
        return False
    lasting = {state, program.tensors[0]}
    open_ = [program.outputs[state]]
    while open_:
        node = open_.pop()
        if node.name in lasting:
            return False
        if node.op in _KEEPS:
            open_ += node.args
    return True


def divides(program: Program, state: str) -> bool:
    """Whether something is divided by what is made of the state, its root for instance; sums over
    a tensor do not count.
    """
    new = program.outputs[state]
    nodes = in_order((*program.outputs.values(), *program.scalars.values()))
    depends = {node for node in nodes if node is new or node.name == state}
    for node in nodes:
        if any(arg in depends for arg in node.args) and not node.is_reduction:
            depends.add(node)
            if node.op is ops.DIV and node.args[1] in depends:
                return True
    return False


def is_never_negative(program: Program, schema: Schema, state: str) -> bool:
    """Whether the new value is 0 or more for whatever gradients, if the old one is."""
    return _Bounds(schema, state).low(program.outputs[state]) >= 0


class _Bounds:
    """Lower and upper bounds of values."""

    def __init__(self, schema: Schema, state: str) -> None:
        self._schema, self._state = schema, state
        self._known: dict[Node, tuple[float, float]] = {}

    def low(self, node: Node) -> float:
        """No value is below this."""
        return self.of(node)[0]

    def of(self, node: Node) -> tuple[float, float]:
        """The bounds of a node; those of its operands are found first."""
        for each in in_order([node]):
            if each not in self._known:
                self._known[each] = self._bounds(each)
        return self._known[node]

    def _bounds(self, node: Node) -> tuple[float, float]:
        if node.value is not None:
            return float(node.value), float(node.value)
        if node.name is not None:
            return self._of_input(node.name)
        assert node.op is not None  # noqa: S101
        args = [self._known[arg] for arg in node.args]
        if node.op is ops.MUL and node.args[0] is node.args[1]:
            return 0.0, math.inf
        if node.op is ops.DOT and node.args[0] is node.args[1]:
            return 0.0, math.inf
        return _RULES.get(node.op, _anything)(args)

    def _of_input(self, name: str) -> tuple[float, float]:
        if name == self._state:
            return 0.0, math.inf
        if name == "t":
            return 1.0, math.inf
        return self._schema.ranges.get(name, (-math.inf, math.inf))


_Bound = tuple[float, float]


def _anything(_: list[_Bound]) -> _Bound:
    return -math.inf, math.inf


def _product(args: list[_Bound]) -> _Bound:
    (a, b), (c, d) = args
    if a >= 0 and c >= 0:
        return a * c, math.inf if math.inf in {b, d} else b * d
    return -math.inf, math.inf


def _power(args: list[_Bound]) -> _Bound:
    (a, b), (c, _) = args
    if a >= 0:
        return 0.0, 1.0 if b <= 1 and c >= 0 else math.inf
    return -math.inf, math.inf


_RULES: dict[ops.Op, Callable[[list[_Bound]], _Bound]] = {
    ops.ADD: lambda args: (args[0][0] + args[1][0], args[0][1] + args[1][1]),
    ops.SUB: lambda args: (args[0][0] - args[1][1], args[0][1] - args[1][0]),
    ops.MUL: _product,
    ops.DIV: lambda args: (0.0 if args[0][0] >= 0 and args[1][0] >= 0 else -math.inf, math.inf),
    ops.POWER: _power,
    ops.ABS: lambda _: (0.0, math.inf),
    ops.SQRT: lambda _: (0.0, math.inf),
    ops.EXP: lambda _: (0.0, math.inf),
    ops.MAXIMUM: lambda args: (max(args[0][0], args[1][0]), max(args[0][1], args[1][1])),
    ops.MINIMUM: lambda args: (min(args[0][0], args[1][0]), min(args[0][1], args[1][1])),
    ops.WHERE: lambda args: (min(args[1][0], args[2][0]), max(args[1][1], args[2][1])),
    ops.SUM: lambda args: (0.0 if args[0][0] >= 0 else -math.inf, math.inf),
}
