"""The functions of the language, for symbols, Python's numbers and arrays of any library.

In a rule they are traced. On NumPy, torch and JAX arrays they compute at once, so a rule is also
an ordinary function.
"""

import sys
from types import ModuleType
from typing import (
    Any,  # numbers, symbols, arrays of any library: what comes in decides what goes out
)

from . import ops
from .ops import Op
from .symbol import Symbol, record

__all__ = (
    "abs",
    "arctan2",
    "cbrt",
    "clip",
    "columns",
    "dot",
    "exp",
    "log",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "norm",
    "power",
    "rows",
    "sign",
    "size",
    "sqrt",
    "square",
    "sum",
    "tanh",
    "total",
    "transpose",
    "where",
)


def sqrt(x: Any) -> Any:
    """The square root; nan below 0."""
    return apply(ops.SQRT, x)


def abs(x: Any) -> Any:  # noqa: A001  (Python's abs works in a rule as well)
    """The magnitude."""
    return apply(ops.ABS, x)


def sign(x: Any) -> Any:
    """1 above 0, -1 below, 0.0 at 0.0 and -0.0, nan at nan."""
    return apply(ops.SIGN, x)


def maximum(x: Any, y: Any) -> Any:
    """The larger one; nan if either is nan; y where they are equal (so for 0.0 and -0.0)."""
    return apply(ops.MAXIMUM, x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller one; nan if either is nan; y where they are equal (so for 0.0 and -0.0)."""
    return apply(ops.MINIMUM, x, y)


def where(condition: Any, x: Any, y: Any) -> Any:
    """X where the condition holds, y elsewhere. Both are computed."""
    return apply(ops.WHERE, condition, x, y)


def exp(x: Any) -> Any:
    """E to the power x."""
    return apply(ops.EXP, x)


def log(x: Any) -> Any:
    """The natural logarithm; -inf at 0, nan below."""
    return apply(ops.LOG, x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return apply(ops.TANH, x)


def arctan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y): the arctangent of y / x, from -pi to pi; 0 for two zeros."""
    return apply(ops.ARCTAN2, y, x)


def cbrt(x: Any) -> Any:
    """The cube root, negative for a negative x."""
    return apply(ops.CBRT, x)


def power(x: Any, y: Any) -> Any:
    """X to the power y, as `x**y`."""
    return x**y


def square(x: Any) -> Any:
    """X times x."""
    return x * x


def clip(x: Any, low: Any, high: Any) -> Any:
    """X where it lies between low and high, and the nearer of the two elsewhere; nan stays nan."""
    return minimum(maximum(x, low), high)


def sum(x: Any) -> Any:  # noqa: A001  (Python's own cannot take a tensor of a rule)
    """The sum of the elements of one tensor, added up in float64: one number for the tensor.

    On Python's numbers, here and below: as if it were a tensor of one element.
    """
    return apply(ops.SUM, x)


def dot(x: Any, y: Any) -> Any:
    """The sum of x * y over the elements of one tensor; products and sum are taken in float64."""
    return apply(ops.DOT, x, y)


def size(x: Any) -> Any:
    """How many elements the tensor has."""
    return apply(ops.SIZE, x)


def mean(x: Any) -> Any:
    """The mean of the elements of one tensor; nan for an empty one."""
    return sum(x) / size(x)


def norm(x: Any) -> Any:
    """The root of the sum of the squared elements of one tensor, its length; taken in float64."""
    return sqrt(dot(x, x))


def total(x: Any) -> Any:
    """The sum of one number of each tensor over all tensors of the optimizer.

    sqrt(total(dot(dw, dw))) is the norm of all gradients together. On arrays, the tensor at hand is
    the only one.
    """
    return apply(ops.TOTAL, x)


def matmul(x: Any, y: Any) -> Any:
    """The product of two matrices, as `x @ y`: tensors of two dimensions, taken as a whole.

    Only the engines that leave the work to the array library have it: "reference", "tensors".
    """
    return apply(ops.MATMUL, x, y)


def transpose(x: Any) -> Any:
    """A matrix with its rows as columns."""
    return apply(ops.TRANSPOSE, x)


def rows(x: Any) -> Any:
    """How many rows a matrix has: one number for the tensor, known as soon as its shape is."""
    return apply(ops.ROWS, x)


def columns(x: Any) -> Any:
    """How many columns a matrix has."""
    return apply(ops.COLUMNS, x)


def positive(x: Any) -> Any:
    """X itself, as `+x`."""
    return +x


def reciprocal(x: Any) -> Any:
    """1 / x."""
    return 1.0 / x


_NUMBERS = (int, float, bool)


def apply(op: Op, *operands: Any) -> Any:
    """The result of an operation on symbols, numbers or arrays."""
    if any(isinstance(operand, Symbol) for operand in operands):
        return record(op, *operands)
    # np.float64 is a float too, but a norm that is 0 may be divided by, as in every engine.
    if all(type(operand) in _NUMBERS for operand in operands):
        return op.number(*operands)
    return op.array(_library(operands), *operands)


def _library(operands: tuple[Any, ...]) -> ModuleType:
    """The module that holds the functions for these arrays. It is loaded, or they could not be."""
    roots = {type(operand).__module__.partition(".")[0] for operand in operands}
    if "torch" in roots:
        return sys.modules["torch"]
    if roots & {"jax", "jaxlib"}:
        return sys.modules["jax.numpy"]
    return sys.modules["numpy"]
