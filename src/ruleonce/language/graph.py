"""Node and Graph: what a rule computes, as frozen records that print as mathematics.

Nodes are compared by identity. A graph keeps one node for equal work, so a sub-expression that a
rule writes twice is computed once, and it folds operations on constants.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any  # the values of nodes are numbers, or arrays of any library

from . import bits, ops
from .ops import Op

Number = float | int | bool

_DEPTH = 6  # operations inside operations, in messages


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value in a rule: a constant, an input, or an operation on earlier values.

    rate   how often the value changes: "step" is one number a step (hyperparameters, `t`, and what
           is built from them alone), "tensor" is one number for each tensor (a norm), "block" one
           for each block of elements (a scale), "element" is one number for each element of a
           tensor. The split into host and device work is the act of reading this field.
    level  how many times all elements have to be read before it is known: a norm is of level 1, the
           norm of what was divided by a norm of level 2
    kind   "number", "truth" or "integer"
    stage  how many times the elements of a block have to be gone through before it is known
    """

    op: Op | None = None  # None for a leaf
    args: tuple["Node", ...] = ()
    name: str | None = None  # of an input
    value: Number | None = None  # of a constant
    rate: str = "step"
    kind: str = "number"
    level: int = 0
    stage: int = 0

    @property
    def is_constant(self) -> bool:
        """Whether its value is known when the rule is traced."""
        return self.value is not None

    @property
    def is_measured(self) -> bool:
        """Whether it is one number that is made from tensors, as a norm is."""
        return self.rate == "tensor" or (self.rate == "step" and self.level > 0)

    @property
    def is_reduction(self) -> bool:
        """Whether it is one number that is made by reading all elements of a tensor."""
        return self.op in (ops.SUM, ops.DOT)

    def __repr__(self) -> str:
        return self.shown(_DEPTH)

    def shown(self, depth: int) -> str:
        """The value as mathematics, down to `depth` operations: a shared part may stand in it many
        times, so a deep graph would print for ever.
        """
        if self.op is None:
            return self.name if self.name is not None else repr(self.value)
        if depth == 0:
            return "..."
        return self.op.text.format(*(arg.shown(depth - 1) for arg in self.args))


class Graph:
    """The nodes of one rule, equal nodes shared.

    in_place   whether the rule wrote `w += ...` or the like on a tensor. Traced, that is `w = w +
               ...`; on a NumPy array it would change the caller's own.
    """

    def __init__(self) -> None:
        self.in_place = False
        self._nodes: dict[tuple[object, ...], Node] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every value, in the order in which it was made."""
        return tuple(self._nodes.values())

    def constant(self, value: Number, kind: str = "number") -> Node:
        """The node of a number. -0.0, 0.0, 0 and False are four different constants."""
        kind = "truth" if isinstance(value, bool) else kind
        key = ("constant", type(value), repr(value), kind)
        return self._nodes.setdefault(key, Node(value=value, kind=kind))

    def input(self, name: str, rate: str, kind: str = "number") -> Node:
        """The node of an argument of the rule."""
        return self._nodes.setdefault(("input", name), Node(name=name, rate=rate, kind=kind))

    def apply(self, op: Op, *args: Node) -> Node:
        """The node of `op` on earlier nodes: folded if they are all constant, shared if it exists.

        Folding uses Python's own arithmetic, and only where no element is involved: a constant
        that meets a tensor is rounded to the tensor's precision first, so it is left in place.
        """
        if all(arg.is_constant for arg in args):
            kind = "number" if op.gives == "truth" else op.gives
            return self.constant(op.number(*(arg.value for arg in args)), kind)
        if same := _unchanged(op, args):
            return same
        stage = max(arg.stage for arg in args) + (op.gives_one == "block")
        node = Node(op, args, None, None, _rate(op, args), op.gives, _level(op, args), stage)
        return self._nodes.setdefault((op, *args), node)


RATES = ("step", "tensor", "block", "element")  # from the slowest on


def _rate(op: Op, args: tuple[Node, ...]) -> str:
    """That of the fastest operand, but for a reduction."""
    if op.gives_one:
        return "step" if op.gives_one == "optimizer" else op.gives_one
    return max((arg.rate for arg in args), key=RATES.index)


def _level(op: Op, args: tuple[Node, ...]) -> int:
    if op is ops.SIZE:
        return 0
    level = max(arg.level for arg in args) + (op in (ops.SUM, ops.DOT))
    return max(level, 1) if op is ops.TOTAL else level


def _unchanged(op: Op, args: tuple[Node, ...]) -> Node | None:
    """The operand that `op` gives back bit for bit, if there is one: x * 1, x / 1, where(c, x, x).

    x + 0 is not among them: it turns -0.0 into 0.0.
    """
    if op is ops.WHERE:
        condition, x, y = args
        if condition.is_constant:
            return x if condition.value else y
        return x if x is y else None
    if op in (ops.MUL, ops.DIV) and args[1].value == 1 and args[0].rate == "element":
        return args[0]
    if op is ops.MUL and args[0].value == 1 and args[1].rate == "element":
        return args[1]
    return None


def in_order(outputs: Iterable[Node]) -> tuple[Node, ...]:
    """Every node that the outputs need, each after its operands; the order is always the same."""
    return _ordered(tuple(outputs))


@lru_cache(maxsize=1024)  # who evaluates a graph asks for the same order at every step
def _ordered(outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(dict.fromkeys(node for output in outputs for node in _walk(output)))


def _walk(output: Node) -> Iterator[Node]:
    # A stack of iterators rather than recursion: a loop of a thousand lines is a deep graph.
    seen: set[Node] = set()
    stack: list[tuple[Node, Iterator[Node]]] = [(output, iter(output.args))]
    while stack:
        node, args = stack[-1]
        unseen = next((arg for arg in args if arg not in seen), None)
        if unseen is not None:
            stack.append((unseen, iter(unseen.args)))
        else:
            stack.pop()
            if node not in seen:
                seen.add(node)
                yield node


def evaluate(
    outputs: Iterable[Node],
    inputs: Mapping[str, Any],
    xp: Any,
    rounded: Callable[[Any], Any],
    known: Mapping[Node, Any] | None = None,
    block: int = 0,
) -> list[Any]:
    """The values of `outputs` on arrays, one operation after another.

    inputs    name -> array, or a number for what changes once a step
    xp        the library of the arrays
    rounded   one number as the tensors hold it: applied where it meets an element

    known     values that are there already, such as a total of several tensors
    block     elements in a block, where there are blocks; the arrays have one dimension then

    The arrays are those of one tensor, and a `total` that is not known is of that one alone.
    """
    outputs = list(outputs)
    values: dict[Node, Any] = dict(known or {})
    for node in in_order(outputs):
        if node in values:
            continue
        if node.op is None:
            values[node] = inputs[node.name] if node.name is not None else node.value
        elif node.rate in ("block", "element"):
            operands = [
                values[arg] if _is_ready(arg) else rounded(values[arg]) for arg in node.args
            ]
            if node.op.gives_one:
                operands.append(block)
            elif node.rate == "element" and any(arg.rate == "block" for arg in node.args):
                length = _length(node.args, values)
                operands = [
                    bits.spread(xp, x, block, length) if arg.rate == "block" else x
                    for x, arg in zip(operands, node.args, strict=True)
                ]
            values[node] = node.op.array(xp, *operands)
            if node.op in (bits.NUMBER, bits.FROM_BITS):
                values[node] = values[node] * rounded(1.0)
        else:
            given = [values[arg] for arg in node.args]
            # A measured number may be Python's, as a size is; a step's may be one that JAX traces.
            is_array = any(type(value) not in (int, float, bool) for value in given) and (
                node.is_measured or any(hasattr(value, "aval") for value in given)
            )
            values[node] = node.op.array(xp, *given) if is_array else node.op.number(*given)
    return [values[output] for output in outputs]


def _is_ready(node: Node) -> bool:
    """Whether its value is an array that has a precision, or is the truth about one."""
    if node.rate in ("block", "element") or node.kind == "integer":
        return True
    return node.is_measured and node.kind == "truth"


def _length(nodes: tuple[Node, ...], values: Mapping[Node, Any]) -> int:
    """How many elements there are."""
    return next(int(values[node].shape[0]) for node in nodes if node.rate == "element")
