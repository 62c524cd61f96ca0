"""Symbol: stands for a value of a rule while the rule is run once, and records what it meets.

No source text is read, so lambdas, notebooks and closures work. What a rule must not do (branch on
a traced value, look inside a tensor) is refused here.
"""

from collections.abc import Callable
from numbers import Number as AnyNumber
from typing import Any, NoReturn  # whatever a user's line puts beside a traced value

import numpy as np

from . import bits, ops
from .graph import Graph, Node, Number
from .mistakes import functions_of_the_language, refuse, refuse_function, refuse_kind
from .ops import Op

# How NumPy spells the operations of the language, so that np.sqrt(dw) works in a rule.
_UFUNCS: dict[str, str] = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "negative": "neg",
    "power": "power",
    "float_power": "power",
    "remainder": "mod",
    "floor_divide": "floordiv",
    "absolute": "abs",
    "fabs": "abs",
    "sqrt": "sqrt",
    "sign": "sign",
    "maximum": "maximum",
    "minimum": "minimum",
    "exp": "exp",
    "log": "log",
    "tanh": "tanh",
    "cbrt": "cbrt",
    "arctan2": "arctan2",
    "square": "square",
    "positive": "positive",
    "reciprocal": "reciprocal",
    "clip": "clip",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
    "logical_and": "and",
    "logical_or": "or",
    "logical_not": "not",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "invert": "not",
    "matmul": "matmul",
}

Unary = Callable[["Symbol"], "Symbol"]
Binary = Callable[["Symbol", object], "Symbol"]


def _unary(op: Op) -> Unary:
    return lambda symbol: record(op, symbol)


def _binary(op: Op) -> Binary:
    return lambda symbol, other: record(op, symbol, other)


def _both(op: Op) -> tuple[Binary, Binary]:
    """The operator with the symbol on the left, and on the right."""
    return _binary(op), lambda symbol, other: record(op, other, symbol)


def _in_place(op: Op) -> Binary:
    def method(symbol: "Symbol", other: object) -> "Symbol":
        symbol.graph.in_place = True
        return record(op, symbol, other)

    return method


class Symbol:
    """A value that is not known yet: it records every operation that it meets in its graph."""

    __slots__ = ("graph", "node")
    __hash__ = None  # type: ignore[assignment]  # == gives a traced comparison, as NumPy's does

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph = graph
        self.node = node

    def __repr__(self) -> str:
        return f"<traced {self.node!r}>"

    __add__, __radd__ = _both(ops.ADD)
    __sub__, __rsub__ = _both(ops.SUB)
    __mul__, __rmul__ = _both(ops.MUL)
    __truediv__, __rtruediv__ = _both(ops.DIV)
    __mod__, __rmod__ = _both(ops.MOD)
    __floordiv__, __rfloordiv__ = _both(ops.FLOORDIV)
    __pow__, __rpow__ = _both(ops.POWER)
    __and__, __rand__ = _both(ops.AND)
    __or__, __ror__ = _both(ops.OR)
    __xor__, __rxor__ = _both(bits.IXOR)
    __lshift__, __rlshift__ = _both(bits.SHL)
    __rshift__, __rrshift__ = _both(bits.SHR)

    __lt__, __gt__ = _binary(ops.LT), _binary(ops.GT)
    __le__, __ge__ = _binary(ops.LE), _binary(ops.GE)
    __eq__ = _binary(ops.EQ)  # type: ignore[assignment]  # a traced answer, not a bool
    __ne__ = _binary(ops.NE)  # type: ignore[assignment]  # a traced answer, not a bool

    __neg__, __abs__ = _unary(ops.NEG), _unary(ops.ABS)

    def __invert__(self) -> "Symbol":
        if self.node.rate != "element" and self.node.kind == "truth":
            # When the rule is called as a function, this is Python's own bool, and ~True is -2.
            refuse(
                f"`~` of `{self.node!r}`, which is one answer for the whole {self.node.rate}.\n"
                "  Write the opposite comparison: t != 1 for ~(t == 1)."
            )
        return record(ops.NOT, self)

    # w += x: traced, the same as w = w + x
    __iadd__, __isub__ = _in_place(ops.ADD), _in_place(ops.SUB)
    __imul__, __itruediv__ = _in_place(ops.MUL), _in_place(ops.DIV)
    __ipow__ = _in_place(ops.POWER)

    def __pos__(self) -> "Symbol":
        return self

    # NumPy's own protocols: np.sqrt(dw), np.where(dw > 0, m, v)
    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any
    ) -> "Symbol":
        from . import functions

        name = _UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or kwargs:
            detail = "" if method == "__call__" else f".{method}"
            refuse_function(f"np.{ufunc.__name__}{detail}", with_arguments=", ".join(kwargs))
        if name in ops.OPS:
            return record(ops.OPS[name], *inputs)
        function: Callable[..., Symbol] = getattr(functions, name)
        return function(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> "Symbol":
        from . import functions

        if function is np.where and len(args) == 3 and not kwargs:
            return record(ops.WHERE, *args)
        if function is np.clip and len(args) == 3 and not kwargs:
            result: Symbol = functions.clip(*args)
            return result
        refuse_function(f"np.{function.__name__}", with_arguments=", ".join(kwargs))

    # What a traced value cannot do
    def __bool__(self) -> bool:  # noqa: PLE0304  (it raises)
        refuse(
            f"a rule cannot branch on `{self.node!r}`: its value is not known when the rule is "
            "compiled, and it may differ between elements or steps.\n"
            "  Compute both sides and choose: where(condition, if_true, if_false). "
            "For `and`, `or`, `not` write &, |, ~, with parentheses around each comparison."
        )

    def _no_number(self) -> NoReturn:
        refuse(
            f"`{self.node!r}` is not a number yet, so Python's int, float, range and math.* cannot "
            "take it.\n  Use the functions of the language: from ruleonce import sqrt, exp, log. "
            "A loop needs a count that is written as a number."
        )

    def __float__(self) -> float:
        self._no_number()

    def __int__(self) -> int:
        self._no_number()

    def __index__(self) -> int:  # noqa: PLE0305  (it raises)
        self._no_number()

    def _no_container(self) -> NoReturn:
        refuse(
            f"`{self.node!r}` cannot be indexed, unpacked or measured: a rule says what happens to "
            "one element, and is run for all of them.\n  Write the formula for the whole tensor."
        )

    def __getitem__(self, _: object) -> NoReturn:
        self._no_container()

    def __setitem__(self, _: object, __: object) -> NoReturn:
        self._no_container()

    def __iter__(self) -> NoReturn:
        self._no_container()

    def __len__(self) -> int:  # noqa: PLE0303  (it raises)
        self._no_container()

    __matmul__, __rmatmul__ = _both(ops.MATMUL)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python and NumPy look for what they have before them
            raise AttributeError(name)
        refuse(
            f"`.{name}` belongs to an array; in a rule `{self.node!r}` stands for one element.\n"
            f"  The language has {', '.join(functions_of_the_language())}."
        )


def record(op: Op, *operands: object) -> Symbol:
    """The traced result of `op`; at least one operand is a Symbol."""
    graph = next(operand.graph for operand in operands if isinstance(operand, Symbol))
    if any(isinstance(operand, Symbol) and operand.node.kind == "integer" for operand in operands):
        op = bits.OF_INTEGERS.get(op, op)
    nodes = [
        _node(graph, operand, op, kind) for operand, kind in zip(operands, op.takes, strict=True)
    ]
    for node, kind in zip(nodes, op.takes, strict=True):
        if node.kind != kind:
            refuse_kind(op, node, kind)
    if op.whole and any(node.rate != "element" for node in nodes):
        refuse(
            f"`{op.text.format(*nodes)}`: {op.name} takes whole matrices, and one of these is a "
            "number. Write `*` for a product with a number."
        )
    _check_reduction(op, nodes)
    if op.per_step and any(node.rate == "element" or node.level for node in nodes):
        refuse(
            f"`{op.text.format(*nodes)}`: {op.name} is for numbers that change once a step, such "
            "as t; it is not defined for tensors."
        )
    is_of_array = nodes[0].rate == "element" or nodes[0].is_measured
    if op is ops.POWER and is_of_array and nodes[1].is_constant:
        return Symbol(graph, _known_power(graph, *nodes))
    return Symbol(graph, graph.apply(op, *nodes))


def _check_reduction(op: Op, nodes: list[Node]) -> None:
    """Refuse a sum of what is one number already, and a total of what is not."""
    rates = {node.rate for node in nodes}
    if op.gives_one == "tensor" and "element" not in rates:
        refuse(
            f"`{op.text.format(*nodes)}`: {op.name} takes a tensor, and this is one number for the "
            f"whole {nodes[0].rate}. Leave out `{op.name}`, or multiply by size(w)."
        )
    if op.gives_one == "optimizer" and "tensor" not in rates:
        refuse(
            f"`{op.text.format(*nodes)}`: total adds up one number of each tensor, and this is "
            + (
                "a tensor.\n  Write total(sum(x))."
                if "element" in rates
                else "one number for all of them already."
            )
        )


def _known_power(graph: Graph, base: Node, exponent: Node) -> Node:
    """NumPy's own short cuts for a tensor to a known power, which are exact."""
    if exponent.value == 2:
        return graph.apply(ops.MUL, base, base)
    if exponent.value == 1:
        return base
    if exponent.value == 0.5:
        return graph.apply(ops.SQRT, base)
    if exponent.value == -1:
        return graph.apply(ops.DIV, graph.constant(1.0), base)
    if exponent.value == 0:
        return graph.constant(1.0)
    return graph.apply(ops.POWER, base, exponent)


def _node(graph: Graph, operand: object, op: Op, kind: str) -> Node:
    if isinstance(operand, Symbol):
        if operand.graph is not graph:
            refuse(f"`{operand.node!r}` was kept from another run of a rule; use the arguments.")
        return operand.node
    if kind == "integer" and isinstance(operand, int):
        return graph.constant(bits.wrapped(operand), kind)
    return graph.constant(as_number(operand, f"in `{op.name}`"))


def as_number(value: object, place: str) -> Number:
    """A constant of a rule as Python's own number, or a RuleError that says what was found."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, AnyNumber):
        refuse(f"{value!r} {place} is not a real number.")
    if isinstance(value, np.ndarray):
        refuse(
            f"an array of shape {value.shape} {place} cannot be a constant of a rule.\n"
            "  Values that differ between elements are state: add an argument, and return it."
        )
    refuse(f"{value!r} {place} is neither a number nor an argument of the rule.")
