"""The vocabulary: each operation, its arity, and what it means.

An operation has two meanings. `number` is for Python's own numbers: it is how the host part of a
program is evaluated, and it never raises where NumPy would give inf or nan, except for the
operators, which are Python's. `array` is for arrays and takes the library that they belong to
(NumPy, torch, jax.numpy) as its first argument. Where NumPy leaves a case open, the decision stands
here, once, and every engine follows it.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # a meaning takes numbers, or arrays of any library

from ..errors import TensorError

Meaning = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation of the language.

    number     its meaning on Python numbers
    array      its meaning on arrays: the array library, then the operands
    text       how it prints in mathematics, one `{}` an operand
    gives      "number" or "truth" (the answer of a comparison)
    takes      what each operand must be, "number" or "truth"
    exact      correctly rounded: every engine gives the same bits. The others have a tolerance.
    per_step   defined only for numbers that change once a step, never for tensors
    gives_one  what it makes one number of: "tensor" for the elements of a tensor, "optimizer" for
               the numbers of all tensors; "" for an operation on each
    whole      takes matrices as a whole: the array library does it, no kernel of ours
    """

    name: str
    number: Meaning
    array: Meaning
    text: str
    takes: tuple[str, ...] = ("number", "number")
    gives: str = "number"
    exact: bool = True
    per_step: bool = False
    gives_one: str = ""
    whole: bool = False

    @property
    def arity(self) -> int:
        """How many operands it takes."""
        return len(self.takes)

    def __repr__(self) -> str:
        return self.name


def _total(function: Callable[[float], float], *, pole: float = math.nan) -> Meaning:
    """`function` as NumPy has it: nan outside its domain, `pole` at 0, inf when it overflows."""

    def meaning(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return pole if x == 0 else math.nan

    return meaning


def _maximum(xp: Any, x: Any, y: Any) -> Any:
    # max(-0.0, 0.0) is left open by NumPy, and machines differ. Here: y on a tie; nan wins.
    return xp.where((x > y) | (x != x), x, y)  # noqa: PLR0124  (x != x is how nan shows itself)


def _minimum(xp: Any, x: Any, y: Any) -> Any:
    return xp.where((x < y) | (x != x), x, y)  # noqa: PLR0124


def _sign(xp: Any, x: Any) -> Any:
    # x + 0.0 gives 0.0 for -0.0, as NumPy does, and keeps nan.
    return xp.where(x > 0, 1.0, xp.where(x < 0, -1.0, x + 0.0))


def _cbrt(xp: Any, x: Any) -> Any:
    if hasattr(xp, "cbrt"):
        return xp.cbrt(x)
    return xp.sign(x) * abs(x) ** (1 / 3)  # torch has no cbrt


class _Numbers:
    """The part of an array library that the meanings above use, for Python's own numbers."""

    @staticmethod
    def where(condition: bool, x: float, y: float) -> float:
        return x if condition else y


def _on_numbers(meaning: Meaning) -> Meaning:
    return lambda *operands: meaning(_Numbers, *operands)


def _operator(function: Meaning) -> tuple[Meaning, Meaning]:
    """Python's operators mean the same on numbers and, element by element, on arrays."""
    return function, lambda _, *operands: function(*operands)


def _function(name: str, number: Meaning) -> tuple[Meaning, Meaning]:
    return number, lambda xp, x: getattr(xp, name)(x)


_ONE = ("number",)
_TRUTHS = ("truth", "truth")

ADD = Op("add", *_operator(operator.add), "({} + {})")
SUB = Op("sub", *_operator(operator.sub), "({} - {})")
MUL = Op("mul", *_operator(operator.mul), "({} * {})")
DIV = Op("div", *_operator(operator.truediv), "({} / {})")
NEG = Op("neg", *_operator(operator.neg), "(-{})", _ONE)
MOD = Op("mod", *_operator(operator.mod), "({} % {})", per_step=True)
FLOORDIV = Op("floordiv", *_operator(operator.floordiv), "({} // {})", per_step=True)
POWER = Op("power", *_operator(operator.pow), "({} ** {})", exact=False)

ABS = Op("abs", *_operator(abs), "abs({})", _ONE)
SQRT = Op("sqrt", *_function("sqrt", _total(math.sqrt)), "sqrt({})", _ONE)
SIGN = Op("sign", _on_numbers(_sign), _sign, "sign({})", _ONE)
MAXIMUM = Op("maximum", _on_numbers(_maximum), _maximum, "maximum({}, {})")
MINIMUM = Op("minimum", _on_numbers(_minimum), _minimum, "minimum({}, {})")
EXP = Op("exp", *_function("exp", _total(math.exp)), "exp({})", _ONE, exact=False)
LOG = Op("log", *_function("log", _total(math.log, pole=-math.inf)), "log({})", _ONE, exact=False)
TANH = Op("tanh", *_function("tanh", math.tanh), "tanh({})", _ONE, exact=False)
ARCTAN2 = Op(
    "arctan2", math.atan2, lambda xp, y, x: xp.arctan2(y, x), "arctan2({}, {})", exact=False
)
CBRT = Op("cbrt", math.cbrt, _cbrt, "cbrt({})", _ONE, exact=False)

LT = Op("lt", *_operator(operator.lt), "({} < {})", gives="truth")
LE = Op("le", *_operator(operator.le), "({} <= {})", gives="truth")
GT = Op("gt", *_operator(operator.gt), "({} > {})", gives="truth")
GE = Op("ge", *_operator(operator.ge), "({} >= {})", gives="truth")
EQ = Op("eq", *_operator(operator.eq), "({} == {})", gives="truth")
NE = Op("ne", *_operator(operator.ne), "({} != {})", gives="truth")
AND = Op("and", *_operator(operator.and_), "({} & {})", _TRUTHS, gives="truth")
OR = Op("or", *_operator(operator.or_), "({} | {})", _TRUTHS, gives="truth")
NOT = Op("not", operator.not_, lambda _, x: ~x, "(~{})", ("truth",), gives="truth")


def _where(xp: Any, condition: Any, x: Any, y: Any) -> Any:
    if isinstance(condition, bool):  # one answer for the whole tensor
        return x if condition else y
    return xp.where(condition, x, y)


WHERE = Op("where", _on_numbers(_where), _where, "where({}, {}, {})", ("truth", "number", "number"))


def _wide(xp: Any, x: Any) -> Any:
    """`x` in float64, so that a sum of many elements keeps its digits.

    JAX has float64 only where it is asked for, and Apple's GPUs have none.
    """
    if isinstance(x, (int, float)):
        return x
    if xp.__name__ == "numpy":
        return xp.asarray(x, xp.float64)
    if xp.__name__ == "torch":
        return x if x.device.type == "mps" else x.double()
    return x.astype(xp.promote_types(x.dtype, "float32"))


def _sum(xp: Any, x: Any) -> Any:
    return _wide(xp, x).sum()  # NumPy's and PyTorch's sums are pairwise


def _dot(xp: Any, x: Any, y: Any) -> Any:
    return (_wide(xp, x) * _wide(xp, y)).sum()


def _size(_: Any, x: Any) -> float:
    return float(x.numel() if callable(getattr(x, "numel", None)) else x.size)


# On a number these take it for a tensor of one element.
SUM = Op("sum", lambda x: x, _sum, "sum({})", _ONE, exact=False, gives_one="tensor")
DOT = Op("dot", operator.mul, _dot, "dot({}, {})", exact=False, gives_one="tensor")
SIZE = Op("size", lambda _: 1.0, _size, "size({})", _ONE, gives_one="tensor")
TOTAL = Op("total", lambda x: x, lambda _, x: x, "total({})", _ONE, gives_one="optimizer")


def matrix(x: Any) -> Any:
    """X itself. Raises TensorError if it has not two dimensions."""
    if x.ndim != 2:
        raise TensorError(
            f"a rule that multiplies matrices was given a tensor of shape {tuple(x.shape)}; it "
            "takes those of two dimensions. Give the others to an optimizer of their own."
        )
    return x


def _matmul(_: Any, x: Any, y: Any) -> Any:
    return matrix(x) @ matrix(y)


# A number is taken for a matrix of one row and one column.
MATMUL = Op("matmul", operator.mul, _matmul, "({} @ {})", exact=False, whole=True)
TRANSPOSE = Op(
    "transpose", lambda x: x, lambda _, x: matrix(x).T, "transpose({})", _ONE, whole=True
)
ROWS = Op(
    "rows",
    lambda _: 1.0,
    lambda _, x: float(matrix(x).shape[0]),
    "rows({})",
    _ONE,
    gives_one="tensor",
    whole=True,
)
COLUMNS = Op(
    "columns",
    lambda _: 1.0,
    lambda _, x: float(matrix(x).shape[1]),
    "columns({})",
    _ONE,
    gives_one="tensor",
    whole=True,
)

OPS: dict[str, Op] = {op.name: op for op in list(vars().values()) if isinstance(op, Op)}
DEVICE_OPS = tuple(
    op for op in OPS.values() if not op.per_step and not op.gives_one and not op.whole
)
