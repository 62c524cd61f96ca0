"""Is the gradient that of the function? Centred differences tell, as CS231n describes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # what a function takes beside x

import numpy as np

from ..engines import Array
from ..errors import StructureError
from .run import start

_STEP = 1e-5  # CS231n's; with centred differences the error is of its square


@dataclass(frozen=True)
class GradientCheck:
    """What a check found.

    relative_error   the largest |numeric - given| / max(|numeric|, |given|) of all elements
    numeric, given   the two gradients
    worst            the place of the element that is furthest off
    advice           what may be the reason, in words
    """

    relative_error: float
    numeric: Array
    given: Array
    worst: tuple[int, ...]
    advice: str

    @property
    def is_right(self) -> bool:
        """Whether the error is that of a right gradient of a smooth function in float64."""
        return self.relative_error < 1e-6

    def __str__(self) -> str:
        place = ", ".join(map(str, self.worst))
        return (
            f"relative error {self.relative_error:.1e} at [{place}]: "
            f"{self.numeric[self.worst]:.10g} by differences, {self.given[self.worst]:.10g} given. "
            f"{self.advice}"
        )


def check_gradient(
    fun: Callable[..., Any],
    jac: Callable[..., Any],
    x: Any,
    *,
    args: tuple[Any, ...] = (),
    step: float = _STEP,
) -> GradientCheck:
    """Compare a gradient with centred differences of its function.

    fun    x, *args -> a number
    jac    x, *args -> the gradient, of the shape of x
    x      where to look; take a point of typical values, not one where much is 0
    step   of the differences; it is made larger with the elements of x

    Source: CS231n notes, "Gradient checks", https://cs231n.github.io/neural-networks-3/#gradcheck

    Raises StructureError if the gradient has another shape than x.
    """
    at = start(x)
    is_single = at.dtype != np.float64
    at = at.astype(np.float64)
    given = np.asarray(jac(at.copy(), *args), np.float64)
    if given.shape != at.shape:
        raise StructureError(f"the gradient has shape {given.shape}, and x has {at.shape}.")
    numeric, kinked = np.zeros_like(at), np.zeros(at.shape, bool)
    middle = float(fun(at.copy(), *args))
    for place in np.ndindex(at.shape):
        h = step * max(1.0, abs(float(at[place])))
        ends = []
        for shift in (h, -h):
            moved = at.copy()
            moved[place] += shift
            ends.append(float(fun(moved, *args)))
        numeric[place] = (ends[0] - ends[1]) / (2 * h)
        sides = (ends[0] - middle) / h, (middle - ends[1]) / h
        kinked[place] = abs(sides[0] - sides[1]) > 0.1 * max(abs(sides[0]), abs(sides[1]))
    scale = np.maximum(np.abs(numeric), np.abs(given))
    errors = np.abs(numeric - given) / np.where(scale > 0, scale, 1.0)
    errors[~np.isfinite(errors)] = np.inf
    worst = np.unravel_index(int(np.argmax(errors)), at.shape) if at.size else ()
    error = float(errors[worst]) if at.size else 0.0
    place = tuple(int(i) for i in worst)
    has_kink = bool(at.size and kinked[place])
    return GradientCheck(
        error, numeric, given, place, _advice(error, is_single=is_single, has_kink=has_kink)
    )


def _advice(error: float, *, is_single: bool, has_kink: bool) -> str:
    if error < 1e-6:
        return "The gradient is right."
    if has_kink:
        return (
            "The slopes on both sides of x differ, as at a kink (max, abs, relu): there "
            "differences say little. Look at another point."
        )
    if is_single:
        return "x was float32: if the function computes in it, differences have few digits left."
    if error < 1e-4:
        return "That is much for a smooth function, and usual where there are kinks (max, relu)."
    return "The gradient is most likely wrong."
