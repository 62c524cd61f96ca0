"""Symbol: run a rule once with these in place of numbers, and keep what it did.

No source text is read, so lambdas, notebooks and closures work. What a rule must not do (branch on
a traced value, look inside a tensor) is found here, and the message points at the user's line.
"""

import sys
from collections.abc import Callable
from numbers import Number as AnyNumber
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn  # whatever a user's line puts beside a traced value

import numpy as np

from ..errors import RuleError
from . import ops
from .graph import Graph, Node, Number
from .ops import Op

_HERE = str(Path(__file__).parent)

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
}


def where_in_rule() -> str:
    """`file.py:12 in my_rule`: the line of the user's that is running now."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (the one way to the caller's line)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    if frame is None:
        return "in a rule"
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_name}"


def refuse(message: str) -> NoReturn:
    """Raise a RuleError that begins with the user's line."""
    raise RuleError(f"{where_in_rule()}: {message}")


class Symbol:
    """A value that is not known yet: it records every operation that it meets in its graph."""

    __slots__ = ("graph", "node")
    __hash__ = None  # type: ignore[assignment]  # == gives a traced comparison, as NumPy's does

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph = graph
        self.node = node

    def __repr__(self) -> str:
        return f"<traced {self.node!r}>"

    # Arithmetic
    def __add__(self, other: object) -> "Symbol":
        return record(ops.ADD, self, other)

    def __radd__(self, other: object) -> "Symbol":
        return record(ops.ADD, other, self)

    def __sub__(self, other: object) -> "Symbol":
        return record(ops.SUB, self, other)

    def __rsub__(self, other: object) -> "Symbol":
        return record(ops.SUB, other, self)

    def __mul__(self, other: object) -> "Symbol":
        return record(ops.MUL, self, other)

    def __rmul__(self, other: object) -> "Symbol":
        return record(ops.MUL, other, self)

    def __truediv__(self, other: object) -> "Symbol":
        return record(ops.DIV, self, other)

    def __rtruediv__(self, other: object) -> "Symbol":
        return record(ops.DIV, other, self)

    def __mod__(self, other: object) -> "Symbol":
        return record(ops.MOD, self, other)

    def __rmod__(self, other: object) -> "Symbol":
        return record(ops.MOD, other, self)

    def __floordiv__(self, other: object) -> "Symbol":
        return record(ops.FLOORDIV, self, other)

    def __rfloordiv__(self, other: object) -> "Symbol":
        return record(ops.FLOORDIV, other, self)

    def __pow__(self, other: object) -> "Symbol":
        return record(ops.POWER, self, other)

    def __rpow__(self, other: object) -> "Symbol":
        return record(ops.POWER, other, self)

    def __neg__(self) -> "Symbol":
        return record(ops.NEG, self)

    def __pos__(self) -> "Symbol":
        return self

    def __abs__(self) -> "Symbol":
        return record(ops.ABS, self)

    # w += x: the same values as w = w + x
    def _in_place(self, op: Op, other: object) -> "Symbol":
        self.graph.in_place = True
        return record(op, self, other)

    def __iadd__(self, other: object) -> "Symbol":
        return self._in_place(ops.ADD, other)

    def __isub__(self, other: object) -> "Symbol":
        return self._in_place(ops.SUB, other)

    def __imul__(self, other: object) -> "Symbol":
        return self._in_place(ops.MUL, other)

    def __itruediv__(self, other: object) -> "Symbol":
        return self._in_place(ops.DIV, other)

    def __ipow__(self, other: object) -> "Symbol":
        return self._in_place(ops.POWER, other)

    # Comparisons and their connectives
    def __lt__(self, other: object) -> "Symbol":
        return record(ops.LT, self, other)

    def __le__(self, other: object) -> "Symbol":
        return record(ops.LE, self, other)

    def __gt__(self, other: object) -> "Symbol":
        return record(ops.GT, self, other)

    def __ge__(self, other: object) -> "Symbol":
        return record(ops.GE, self, other)

    def __eq__(self, other: object) -> "Symbol":  # type: ignore[override]  # a traced answer
        return record(ops.EQ, self, other)

    def __ne__(self, other: object) -> "Symbol":  # type: ignore[override]  # a traced answer
        return record(ops.NE, self, other)

    def __and__(self, other: object) -> "Symbol":
        return record(ops.AND, self, other)

    def __rand__(self, other: object) -> "Symbol":
        return record(ops.AND, other, self)

    def __or__(self, other: object) -> "Symbol":
        return record(ops.OR, self, other)

    def __ror__(self, other: object) -> "Symbol":
        return record(ops.OR, other, self)

    def __invert__(self) -> "Symbol":
        return record(ops.NOT, self)

    # NumPy's own protocols: np.sqrt(dw), np.where(dw > 0, m, v)
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> "Symbol":
        from . import functions

        name = _UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or kwargs:
            detail = "" if method == "__call__" else f".{method}"
            _refuse_function(f"np.{ufunc.__name__}{detail}", with_arguments=", ".join(kwargs))
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
        _refuse_function(f"np.{function.__name__}", with_arguments=", ".join(kwargs))

    # What a traced value cannot do
    def __bool__(self) -> bool:
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

    def __index__(self) -> int:
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

    def __len__(self) -> int:
        self._no_container()

    def __matmul__(self, _: object) -> NoReturn:
        refuse("`@` multiplies matrices; a rule works element by element. Write `*`.")

    __rmatmul__ = __matmul__

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python and NumPy ask for these to see what they have before them
            raise AttributeError(name)
        refuse(
            f"`.{name}` belongs to an array, and in a rule `{self.node!r}` stands for one element.\n"
            f"  The language has {', '.join(functions_of_the_language())}."
        )


def functions_of_the_language() -> tuple[str, ...]:
    """Their names, for messages."""
    from . import functions

    return functions.__all__


def _refuse_function(name: str, *, with_arguments: str = "") -> NoReturn:
    with_ = f" with {with_arguments}" if with_arguments else ""
    refuse(
        f"{name}{with_} is not in the language of rules.\n"
        f"  It has + - * / **, comparisons, {', '.join(functions_of_the_language())}."
    )


def record(op: Op, *operands: object) -> Symbol:
    """The traced result of `op`; at least one operand is a Symbol."""
    graph = next(operand.graph for operand in operands if isinstance(operand, Symbol))
    nodes = [_node(graph, operand, op) for operand in operands]
    for node, kind in zip(nodes, op.takes, strict=True):
        if node.kind != kind:
            _refuse_kind(op, node, kind)
    if op.per_step and any(node.rate == "element" for node in nodes):
        refuse(
            f"`{op.text.format(*nodes)}`: {op.name} is for numbers that change once a step, such "
            "as t; it is not defined for tensors."
        )
    if op is ops.POWER and nodes[0].rate == "element" and nodes[1].is_constant:
        return Symbol(graph, _known_power(graph, *nodes))
    return Symbol(graph, graph.apply(op, *nodes))


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


def _node(graph: Graph, operand: object, op: Op) -> Node:
    if isinstance(operand, Symbol):
        if operand.graph is not graph:
            refuse(f"`{operand.node!r}` was kept from another run of a rule; use the arguments.")
        return operand.node
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
            "  Values that differ between elements are state: add an argument for it, and return it."
        )
    refuse(f"{value!r} {place} is neither a number nor an argument of the rule.")


def _refuse_kind(op: Op, node: Node, wanted: str) -> NoReturn:
    if wanted == "number":
        refuse(
            f"`{node!r}` is true or false, not a number, so {op.name} cannot take it.\n"
            "  Write where(condition, x, y): where(condition, 1.0, 0.0) is a mask."
        )
    refuse(
        f"`{node!r}` is a number, and {op.name} needs a condition there.\n"
        "  Write a comparison, such as x > 0."
    )


class Locals:
    """Sees the local variables of given functions when they return, for the author's own names.

    A profile hook is the one way to a function's last values without reading its source. It is set
    only while a rule is traced, and hands every event on to the hook that was there.
    """

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()
        self.found: list[dict[str, object]] = []

    def __enter__(self) -> "Locals":
        self._before = sys.getprofile()
        sys.setprofile(self._hook)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _hook(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "return" and frame.f_code in self.codes:
            self.found.append(dict(frame.f_locals))
        if self._before is not None:
            self._before(frame, event, arg)  # type: ignore[unreachable]  # typeshed's hook is None
