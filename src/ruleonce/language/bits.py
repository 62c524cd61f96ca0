"""What storage needs beside arithmetic: whole numbers, the bits of numbers, blocks of elements.

A whole number has 32 bits, and wraps around. The bits of a number are those of a float32, whatever
precision is computed in. A block is a run of elements of a tensor, from its first one on; its last
block may be short. Formats are written with these; rules are not.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any  # Any: a meaning takes numbers, or arrays of any library

import numpy as np

from . import ops
from .ops import Meaning, Op

if TYPE_CHECKING:
    from .graph import Node

_WORDS = ("integer", "integer")

# The input that is an element's place in its tensor, as it lies in memory: a whole number that
# wraps around. No argument of a rule has such a name.
INDEX = ".index"


def wrapped(x: int) -> int:
    """The whole number of 32 bits, with a sign, that has the lower 32 bits of `x`."""
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def _on_words(function: Callable[[Any, Any], Any]) -> tuple[Meaning, Meaning]:
    """Wrapping arithmetic: on Python's own numbers, and on arrays of 32-bit integers."""
    return lambda x, y: wrapped(function(x, y)), lambda _, x, y: function(x, y)


def _view(xp: Any, x: Any, dtype: str) -> Any:
    """The same bits, of another type."""
    if xp.__name__ == "jax.numpy":
        import jax

        return jax.lax.bitcast_convert_type(x, dtype)
    return x.view(getattr(xp, dtype))


def _cast(xp: Any, x: Any, dtype: str) -> Any:
    return x.to(getattr(xp, dtype)) if xp.__name__ == "torch" else x.astype(dtype)


def _shift_right(_: Any, x: Any, by: Any) -> Any:
    # `>>` of a signed number brings copies of its sign; these are cut off.
    return (x >> by) & (0x7FFFFFFF >> (by - 1) if by else -1)


def _integer(xp: Any, x: Any) -> Any:
    whole = xp.round(x)
    return _cast(xp, xp.where(whole == whole, whole, 0.0), "int32")  # noqa: PLR0124  (not for nan)


def _integer_of_number(x: float) -> int:
    if -(1 << 31) <= x < 1 << 31:
        return round(x)
    return 0 if x != x else -(1 << 31)  # noqa: PLR0124  (for nan)


def _bits(xp: Any, x: Any) -> Any:
    return _view(xp, _cast(xp, x, "float32"), "int32")


def _within(xp: Any, x: Any, most: Any) -> Any:
    below = xp.where(x < most, x, most)
    return xp.where(below > -most, below, -most)


def _multiply_add(xp: Any, x: Any, y: Any, z: Any) -> Any:
    """A product and a sum, rounded once in float32. In float64 the product is rounded before.

    In float64 the product of two float32 is exact. Their sum with a third is rounded to odd: so it
    keeps the fact that something was cut off, and rounding it to float32 is then right (Boldo &
    Melquiond 2008, "Emulation of FMA and correctly rounded sums").
    """
    if xp is not np or np.result_type(x, y, z) != np.float32:
        return x * y + z
    product = np.multiply(x, y, dtype=np.float64)
    total = product + z
    added = total - product
    error = (product - (total - added)) + (z - added)
    pattern = total.view(np.int64)
    goes = np.where((error > 0) == (total > 0), 1, -1)
    is_cut = np.isfinite(error) & (error != 0) & (pattern & 1 == 0)
    return (pattern + np.where(is_cut, goes, 0)).view(np.float64).astype(np.float32)


def block_max(xp: Any, x: Any, block: int) -> Any:
    """The largest magnitude in each block of a tensor of one dimension; nan if one is there."""
    count = -(-x.shape[0] // block)
    missing = count * block - x.shape[0]
    padded = abs(x)
    if missing:
        padded = xp.concatenate([padded, xp.zeros_like(padded[:1]).repeat(missing)])
    return xp.amax(padded.reshape(count, block), 1)


def spread(xp: Any, values: Any, block: int, length: int) -> Any:
    """One number of each block, for each of its elements."""
    return values[xp.arange(length) // block]


def _single(function: Callable[[Any, Any], Any]) -> tuple[Meaning, Meaning]:
    """On Python's numbers, as on an array of one."""
    return lambda x: function(np, np.array([x]))[0].item(), function


IADD = Op("iadd", *_on_words(lambda x, y: x + y), "({} + {})", _WORDS, "integer")
ISUB = Op("isub", *_on_words(lambda x, y: x - y), "({} - {})", _WORDS, "integer")
IMUL = Op("imul", *_on_words(lambda x, y: x * y), "({} * {})", _WORDS, "integer")
IAND = Op("iand", *_on_words(lambda x, y: x & y), "({} & {})", _WORDS, "integer")
IOR = Op("ior", *_on_words(lambda x, y: x | y), "({} | {})", _WORDS, "integer")
IXOR = Op("ixor", *_on_words(lambda x, y: x ^ y), "({} ^ {})", _WORDS, "integer")
SHL = Op("shl", *_on_words(lambda x, y: x << y), "({} << {})", _WORDS, "integer")
SHR = Op(
    "shr", lambda x, y: _shift_right(None, x, y), _shift_right, "({} >> {})", _WORDS, "integer"
)
CHOOSE = Op(
    "choose", ops.WHERE.number, ops.WHERE.array, "where({}, {}, {})", ("truth", *_WORDS), "integer"
)
BITS = Op("bits", *_single(_bits), "bits({})", ("number",), "integer")
FROM_BITS = Op(
    "from_bits", *_single(lambda xp, x: _view(xp, x, "float32")), "from_bits({})", ("integer",)
)
ROUND = Op("round", *_single(lambda xp, x: xp.round(x)), "round({})", ("number",))
INTEGER = Op("integer", _integer_of_number, _integer, "integer({})", ("number",), "integer")
SMALL_INTEGER = Op(
    "small_integer", _integer_of_number, _integer, "small_integer({})", ("number",), "integer"
)
NUMBER = Op("number", float, lambda xp, x: _cast(xp, x, "float32"), "number({})", ("integer",))
MULTIPLY_ADD = Op(
    "multiply_add",
    lambda x, y, z: x * y + z,
    _multiply_add,
    "({} * {} + {})",
    ("number", "number", "number"),
)
# No further from 0 than the second, which is not negative. What becomes of nan is left open.
WITHIN = Op("within", lambda x, most: max(-most, min(x, most)), _within, "within({}, {})")
# One number, the first operand, for each element of the second.
EACH = Op("each", lambda x, _: x, lambda xp, x, y: xp.where(y == y, x, x), "{0}")  # noqa: PLR0124
BLOCK_MAX = Op("block_max", abs, block_max, "block_max({})", ("number",), gives_one="block")

OPS: dict[str, Op] = {op.name: op for op in list(vars().values()) if isinstance(op, Op)}

# What Python's operators mean between whole numbers.
OF_INTEGERS: dict[Op, Op] = {
    ops.ADD: IADD,
    ops.SUB: ISUB,
    ops.MUL: IMUL,
    ops.AND: IAND,
    ops.OR: IOR,
    ops.WHERE: CHOOSE,
}


def is_bfloat16(node: "Node") -> bool:
    """Whether a number is made of bits whose lower half is 0: rounding to bfloat16 keeps it."""
    if node.op is not FROM_BITS or node.args[0].op is not SHL:
        return False
    by = node.args[0].args[1].value
    return by is not None and by >= 16
