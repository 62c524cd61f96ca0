"""Where a run may be: the array that it starts from, and its bounds."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol  # Any: x0 and bounds are whatever NumPy can read

import numpy as np

from ..engines import Array
from ..errors import TensorError, TensorTypeError


class BothBounds(Protocol):
    """What scipy.optimize.Bounds is: two numbers, or two arrays."""

    lb: Any
    ub: Any


Pair = tuple[float | None, float | None]
Bounds = Iterable[Pair] | BothBounds


class Limits(NamedTuple):
    """The lowest and the highest x, of its shape and dtype; infinite where there is no bound."""

    low: Array
    high: Array

    def project(self, x: Array) -> None:
        """Put x back between the bounds, in place."""
        np.minimum(np.maximum(x, self.low, out=x), self.high, out=x)

    def projected(self, x: Array, gradient: Array) -> Array:
        """The way that a step of the length of the gradient goes before it meets a bound.

        It is `x - clip(x - gradient, low, high)`, but without losing the gradient's digits where
        x is large.
        """
        down = np.minimum(gradient, x - self.low)
        held: Array = np.where(gradient > 0, down, np.maximum(gradient, x - self.high))
        return held


def start(x0: Any) -> Array:
    """A copy of x0 that steps may write to; what is not floating point becomes float64.

    Raises TensorTypeError for complex numbers, and for what is no array of numbers.
    """
    given = np.asarray(x0)
    if given.dtype.kind == "c":
        raise TensorTypeError(
            "x0 is complex, and a rule works on real numbers. Minimize over the real and the "
            "imaginary parts: start from x0.view(float), and let fun begin with x.view(complex)."
        )
    try:
        return np.array(given, given.dtype if given.dtype.kind == "f" else np.float64, order="C")
    except (TypeError, ValueError):
        raise TensorTypeError(
            f"x0 has dtype {given.dtype}; it must be an array of numbers."
        ) from None


def limits_of(bounds: Bounds | None, x: Array) -> Limits | None:
    """The bounds, as arrays like x.

    Raises TensorError for bounds of another size than x, and where no number lies between them.
    """
    if bounds is None:
        return None
    low, high = _sides(bounds, x)
    if not (low <= high).all() or (low == math.inf).any() or (high == -math.inf).any():
        place = int(np.argmin((low <= high) & (low < math.inf) & (high > -math.inf)))
        raise TensorError(
            f"the bounds of element {place} are {low.flat[place]} and {high.flat[place]}; the lower"
            " one must not be above the upper one, and a number must lie between them."
        )
    # Rounded inwards: where x is float32, it must not pass a bound by rounding.
    with np.errstate(over="ignore"):
        near = Limits(low.astype(x.dtype), high.astype(x.dtype))
    narrow = Limits(
        np.where(near.low < low, np.nextafter(near.low, np.array(math.inf, x.dtype)), near.low),
        np.where(
            near.high > high, np.nextafter(near.high, np.array(-math.inf, x.dtype)), near.high
        ),
    )
    crossed = narrow.low > narrow.high  # no number of this dtype is between: the nearest one
    return Limits(np.where(crossed, near.low, narrow.low), np.where(crossed, near.low, narrow.high))


def _sides(bounds: Bounds, x: Array) -> tuple[Array, Array]:
    """The lower and the upper bounds in float64, of the shape of x."""
    if isinstance(bounds, Iterable):
        pairs = [tuple(pair) for pair in bounds]
        if len(pairs) != x.size or any(len(pair) != 2 for pair in pairs):
            raise TensorError(
                f"bounds has {len(pairs)} entries, and x0 has {x.size} elements; it must be a "
                "pair (low, high) for each, with None for no bound, or a scipy.optimize.Bounds."
            )
        low: Any = [-math.inf if first is None else first for first, _ in pairs]
        high: Any = [math.inf if second is None else second for _, second in pairs]
    else:
        low, high = bounds.lb, bounds.ub
    return _side(low, x), _side(high, x)


def _side(values: Any, x: Array) -> Array:
    array = np.asarray(values, np.float64)
    if array.size == x.size:
        return array.reshape(x.shape)
    if array.size == 1:
        return np.full(x.shape, array.item())
    raise TensorError(f"the bounds have shape {array.shape}, and x0 has {x.shape}.")
