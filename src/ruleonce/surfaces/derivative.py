"""The slope of a graph: derivatives by the chain rule, from the result back to the inputs.

Each operation says once what it does to a small change of each operand; the derivative is a graph
like the one that it was derived from, and may be derived again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any  # a partial derivative takes Symbols, and gives one or a number

from ..errors import RuleError
from ..language import functions, ops, trigonometry
from ..language.graph import Graph, Node, in_order
from ..language.ops import Op
from ..language.symbol import Symbol

# By how much the result z changes, for each operand, from z and the operands.
Partial = Callable[..., Any]
PARTIALS: Mapping[Op, Sequence[Partial]] = {
    ops.ADD: (lambda z, x, y: 1.0, lambda z, x, y: 1.0),
    ops.SUB: (lambda z, x, y: 1.0, lambda z, x, y: -1.0),
    ops.MUL: (lambda z, x, y: y, lambda z, x, y: x),
    ops.DIV: (lambda z, x, y: 1 / y, lambda z, x, y: -z / y),
    ops.NEG: (lambda z, x: -1.0,),
    ops.POWER: (lambda z, x, y: y * x ** (y - 1), lambda z, x, y: z * functions.log(x)),
    ops.ABS: (lambda z, x: functions.sign(x),),
    ops.SQRT: (lambda z, x: 0.5 / z,),
    ops.EXP: (lambda z, x: z,),
    ops.LOG: (lambda z, x: 1 / x,),
    ops.TANH: (lambda z, x: 1 - z * z,),
    trigonometry.COS: (lambda z, x: -trigonometry.sin(x),),
    trigonometry.SIN: (lambda z, x: trigonometry.cos(x),),
}


def derivatives(graph: Graph, result: Node, inputs: Sequence[Node]) -> tuple[Node, ...]:
    """The derivative of `result` by each of `inputs`, as nodes of the same graph.

    Raises RuleError, naming the operation, if the way from an input to the result leads through one
    that has no derivative in PARTIALS.
    """
    order = in_order([result])
    moving = set(inputs)  # what changes with an input
    for node in order:
        if not moving.isdisjoint(node.args):
            moving.add(node)
    changes: dict[Node, Any] = {result: 1.0}  # of the result, by each node
    for node in reversed(order):
        if node.op is None or node not in moving:
            continue
        if node.op not in PARTIALS:
            known = ", ".join(op.name for op in PARTIALS)
            raise RuleError(
                f"`{node!r}`: {node.op.name} has no derivative here, so the slope of this height "
                f"is not known.\n  Those that have one: {known}."
            )
        z, *operands = (Symbol(graph, each) for each in (node, *node.args))
        for arg, partial in zip(node.args, PARTIALS[node.op], strict=True):
            if arg in moving:
                part = _product(changes[node], partial(z, *operands))
                changes[arg] = changes[arg] + part if arg in changes else part
    found = (changes.get(node, 0.0) for node in inputs)
    return tuple(x.node if isinstance(x, Symbol) else graph.constant(x) for x in found)


def _product(change: Any, partial: Any) -> Any:
    """Their product; a factor of 1 or -1 is not multiplied with."""
    for one, other in ((change, partial), (partial, change)):
        if isinstance(one, float) and abs(one) == 1:
            return other if one == 1 else -other
    return change * partial
