"""A value of a graph as the Python expression that a person would write for it."""

import math
import re
from collections.abc import Mapping

from ...language import ops
from ...language.graph import Node
from ...language.ops import Op

# The functions that a card may call: those of the language, but for what looks at whole tensors.
FUNCTIONS = (
    "sqrt", "abs", "sign", "maximum", "minimum", "where", "exp", "log", "square", "clip", "power",
    "tanh", "arctan2", "cbrt",
)  # fmt: skip

# How tightly each operation holds its operands together, as Python has it; a looser one inside
# needs brackets.
_COMPARE, _OR, _AND, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(8)

# op: (how tight the result is, how tight each operand must be, how it is written)
SPELLING: Mapping[Op, tuple[int, tuple[int, ...], str]] = {
    ops.ADD: (_SUM, (_SUM, _PRODUCT), "{} + {}"),
    ops.SUB: (_SUM, (_SUM, _PRODUCT), "{} - {}"),
    ops.MUL: (_PRODUCT, (_PRODUCT, _SIGN), "{} * {}"),
    ops.DIV: (_PRODUCT, (_PRODUCT, _SIGN), "{} / {}"),
    ops.MOD: (_PRODUCT, (_PRODUCT, _SIGN), "{} % {}"),
    ops.FLOORDIV: (_PRODUCT, (_PRODUCT, _SIGN), "{} // {}"),
    ops.NEG: (_SIGN, (_SIGN,), "-{}"),
    ops.POWER: (_POWER, (_ATOM, _SIGN), "{} ** {}"),
    ops.LT: (_COMPARE, (_OR, _OR), "{} < {}"),
    ops.LE: (_COMPARE, (_OR, _OR), "{} <= {}"),
    ops.GT: (_COMPARE, (_OR, _OR), "{} > {}"),
    ops.GE: (_COMPARE, (_OR, _OR), "{} >= {}"),
    ops.EQ: (_COMPARE, (_OR, _OR), "{} == {}"),
    ops.NE: (_COMPARE, (_OR, _OR), "{} != {}"),
    ops.AND: (_AND, (_AND, _SUM), "{} & {}"),
    ops.OR: (_OR, (_OR, _AND), "{} | {}"),
    ops.NOT: (_SIGN, (_SIGN,), "~{}"),
    **{
        op: (_ATOM, (_COMPARE,) * op.arity, op.text)
        for op in (
            ops.ABS, ops.SQRT, ops.SIGN, ops.MAXIMUM, ops.MINIMUM, ops.EXP, ops.LOG, ops.TANH,
            ops.ARCTAN2, ops.CBRT, ops.WHERE,
        )
    },
}  # fmt: skip


def written(node: Node, names: Mapping[Node, str], *, top: bool = False) -> str:
    """The expression of a node; the nodes in `names` stand in it by name, itself too if not `top`.

    Run as a rule it gives the same graph, so the same bits.
    """
    return _written(node, names, top=top)[0]


def _written(node: Node, names: Mapping[Node, str], *, top: bool = False) -> tuple[str, int]:
    if node in names and not top:
        return names[node], _ATOM
    if node.op is None:
        assert node.value is not None  # noqa: S101  (every argument has a name)
        text = number(node.value)
        return text, _SIGN if text.startswith("-") else _ATOM
    if (found := _idiom(node, names)) is not None:
        return found
    tightness, needs, text = SPELLING[node.op]
    operands = [_operand(arg, need, names) for arg, need in zip(node.args, needs, strict=True)]
    if node.op is ops.POWER:
        return _power(*operands), tightness
    return text.format(*operands), tightness


def _idiom(node: Node, names: Mapping[Node, str]) -> tuple[str, int] | None:
    """What several operations are written as, or one otherwise than it is traced."""
    if node.op is ops.MINIMUM and (kept := node.args[0]).op is ops.MAXIMUM and kept not in names:
        parts = (written(arg, names) for arg in (*kept.args, node.args[1]))
        return f"clip({', '.join(parts)})", _ATOM
    if node.op is ops.MUL and node.rate == "element" and node.args[0] is node.args[1]:
        return _power(_operand(node.args[0], _ATOM, names), "2"), _POWER
    if node.op is ops.NOT and node.rate == "step":
        return _opposite(node.args[0], names), _COMPARE
    return None


def _opposite(condition: Node, names: Mapping[Node, str]) -> str:
    """A condition on numbers of the step, the other way round: they have no `~`."""
    if condition.op in (ops.EQ, ops.NE) and condition not in names:
        parts = (_operand(arg, _OR, names) for arg in condition.args)
        return f" {'!=' if condition.op is ops.EQ else '=='} ".join(parts)
    return f"where({written(condition, names)}, 0, 1) == 1"


def _operand(node: Node, need: int, names: Mapping[Node, str]) -> str:
    text, found = _written(node, names)
    return f"({text})" if found < need else text


def _power(base: str, exponent: str) -> str:
    """Without spaces between a name and a name or a whole number, as formatters have it."""
    is_simple = base.isidentifier() and re.fullmatch(r"-?\w+", exponent)
    return f"{base}**{exponent}" if is_simple else f"{base} ** {exponent}"


def number(value: float) -> str:
    """A number as one writes it: 1e-8, not 1e-08."""
    if isinstance(value, bool) or not math.isfinite(value):
        return repr(value)
    return re.sub(r"e([+-]?)0*(\d)", lambda x: f"e{x[1].strip('+')}{x[2]}", repr(value))
