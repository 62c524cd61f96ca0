"""How each operation is spelled in Triton; what is called is in triton_functions.

The bits are those of the operation: `/` and `sqrt` of float32 are approximations in Triton, so the
correctly rounded ones are named, and `-x` is `0 - x`, which loses the sign of zero. What is left
open elsewhere (maximum of nan, sign of -0.0) is decided as everywhere in ruleonce.
"""

import math
from collections.abc import Mapping

import numpy as np

from ..formats import FLOAT64, Format
from ..language import ops
from ..language.graph import Node
from ..language.ops import Op
from .triton_bits import SPELLING_OF_BITS, words

# {0} {1} {2} are the operands.
SPELLING: Mapping[Op, str] = {
    ops.ADD: "{0} + {1}",
    ops.SUB: "{0} - {1}",
    ops.MUL: "{0} * {1}",
    ops.DIV: "tl.div_rn({0}, {1})",
    ops.NEG: "{0} * -1.0",
    ops.ABS: "tl.abs({0})",
    ops.SQRT: "tl.sqrt_rn({0})",
    ops.SIGN: "tl.where({0} > 0, 1.0, tl.where({0} < 0, -1.0, {0} + 0.0))",
    # Not `({0} > {1}) | ({0} != {0})`: where {0} is one number for the whole block, Triton's
    # interpreter has no `|` of the two.
    ops.MAXIMUM: "tl.where({0} > {1}, {0}, tl.where({0} != {0}, {0}, {1}))",
    ops.MINIMUM: "tl.where({0} < {1}, {0}, tl.where({0} != {0}, {0}, {1}))",
    ops.EXP: "tl.exp({0})",
    ops.LOG: "tl.log({0})",
    ops.TANH: "_tanh({0})",
    ops.ARCTAN2: "_arctan2({0}, {1})",
    ops.CBRT: "_cbrt({0})",
    ops.POWER: "_power({0}, {1})",
    ops.LT: "{0} < {1}",
    ops.LE: "{0} <= {1}",
    ops.GT: "{0} > {1}",
    ops.GE: "{0} >= {1}",
    ops.EQ: "{0} == {1}",
    ops.NE: "{0} != {1}",
    ops.AND: "{0} & {1}",
    ops.OR: "{0} | {1}",
    ops.NOT: "{0} == 0",
    ops.WHERE: "tl.where({0}, {1}, {2})",
    # Numbers of the step only, where they are computed on the device.
    ops.MOD: "_modulo({0}, {1})",
    ops.FLOORDIV: "_floordiv({0}, {1})",
}

_ALL: Mapping[Op, str] = {**SPELLING, **SPELLING_OF_BITS}

# Division and root of float64 are IEEE's as they stand.
_IN_FLOAT64: Mapping[Op, str] = {ops.DIV: "{0} / {1}", ops.SQRT: "tl.sqrt({0})"}

# In float32 these are computed in float64 and rounded once.
LIBRARY = (ops.EXP, ops.LOG, ops.TANH, ops.ARCTAN2, ops.CBRT, ops.POWER)


def operation(node: Node, operands: list[str], computed: Format) -> str:
    """The expression of an operation on its operands."""
    assert node.op is not None  # noqa: S101
    text = _ALL[node.op]
    if computed is FLOAT64:
        text = _IN_FLOAT64.get(node.op, text)
    elif node.op in LIBRARY:
        return text.format(*(f"{x}.to(tl.float64)" for x in operands)) + ".to(tl.float32)"
    return text.format(*operands, **words(computed))


def constant(node: Node, computed: Format) -> str:
    """A constant in the precision of the kernel."""
    assert node.value is not None  # noqa: S101
    if node.kind == "truth":
        return str(bool(node.value))
    if node.kind == "integer":
        return f"tl.full((), {node.value}, tl.int32)"
    with np.errstate(over="ignore"):
        value = float(node.value if computed is FLOAT64 else np.float32(node.value))
    if math.isfinite(value):
        return f"tl.full((), {value!r}, tl.{computed.name})"
    bits = int(np.array(value, computed.name).view(f"int{8 * computed.itemsize}"))
    whole = f"tl.full((), {bits}, tl.int{8 * computed.itemsize})"
    return f"{whole}.to(tl.{computed.name}, bitcast=True)"
