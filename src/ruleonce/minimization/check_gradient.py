"""Is the gradient that of the function? Centred differences tell, as CS231n describes it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # x is whatever NumPy can read

import numpy as np

from ..engines import Array
from ..errors import HyperparameterError
from .objective import Function, Objective
from .points import start

_STEP = 1e-5  # CS231n's; what centred differences leave out is of the order of its square
_RIGHT = 1e-6
_SINGLE = float(np.finfo(np.float32).eps / np.finfo(np.float64).eps)


@dataclass(frozen=True)
class GradientCheck:
    """What a check found.

    relative_error   the largest |numeric - given| / max(|numeric|, |given|) of all elements; 0 for
                     one whose difference is within the rounding of the function's values
    numeric, given   the two gradients, of the shape of x
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
        return self.relative_error < _RIGHT

    def __str__(self) -> str:
        if not self.given.size:
            return self.advice
        place = ", ".join(map(str, self.worst))
        return (
            f"relative error {self.relative_error:.1e} at [{place}]: "
            f"{self.numeric[self.worst]:.10g} by differences, {self.given[self.worst]:.10g} given. "
            f"{self.advice}"
        )


def check_gradient(
    fun: Function,
    jac: Function | bool,
    x: Any,
    *,
    args: object = (),
    step: float = _STEP,
) -> GradientCheck:
    """Compare a gradient with centred differences of its function, in float64.

    fun    x, *args -> a number; asked for twice for each element of x
    jac    x, *args -> the gradient, of the shape of x; True if fun returns the value and it
    x      where to look, of any shape; take a point of typical values, not one where much is 0
    args   further arguments of fun and jac: a tuple, or one thing that is none
    step   of the differences, for elements up to 1; larger ones take it as a share of their size

    Source: CS231n notes, "Gradient checks", https://cs231n.github.io/neural-networks-3/#gradcheck

    Raises HyperparameterError for a step that is none, StructureError for what fun or jac return.
    """
    if not 0 < step < math.inf:
        raise HyperparameterError(f"step is {step!r}; it must be a number above 0, such as 1e-5.")
    at = start(x).astype(np.float64)
    objective = Objective(fun, jac, args, None, at)
    middle = objective.value(at)
    objective.find_gradient(at)
    given, numeric = objective.gradient.copy(), np.zeros_like(at)
    values = [middle]

    def value(place: tuple[int, ...], change: float) -> float:
        moved = at.copy()
        moved[place] += change
        objective.moved()
        found = objective.value(moved)
        values.append(found)
        return found

    steps = step * np.maximum(1.0, np.abs(at))
    noise = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        h = float(steps[place])
        ends = value(place, h), value(place, -h)
        numeric[place] = (ends[0] - ends[1]) / (2 * h)
        # A value is known to an ulp or two, and the slope to that over h.
        noise[place] = 4 * np.finfo(float).eps * max(abs(middle), *map(abs, ends)) / h
    errors = _relative(numeric, given, noise)
    if not at.size:
        return GradientCheck(0.0, numeric, given, (), "There is nothing to check.")
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(errors)), at.shape))
    error = float(errors[worst])
    if error < _RIGHT:
        return GradientCheck(error, numeric, given, worst, "The gradient is right.")
    h, rounding = float(steps[worst]), float(noise[worst])
    if error == math.inf:
        advice = "Something is not finite: the gradient, or the function near x."
    elif abs(numeric[worst] - given[worst]) <= _SINGLE * rounding and _are_single(values):
        advice = (
            "The function computes in float32, where differences have few digits left. Let it "
            "compute in float64 for the check."
        )
    elif _is_kinked(lambda change: value(worst, change), middle, h, rounding):
        advice = (
            "The function has a kink here, as max, abs and relu have: differences across it say "
            "little. Look at another point, or take a smaller step."
        )
    elif error < 1e-4:
        advice = "That is much for a smooth function, and usual for one that has kinks."
    else:
        advice = "The gradient is most likely wrong."
    return GradientCheck(error, numeric, given, worst, advice)


def _relative(numeric: Array, given: Array, noise: Array) -> Array:
    """The relative error of each element; infinite where something is not finite."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(numeric - given)
        apart = np.where(apart <= noise, 0.0, apart)
        scale = np.maximum(np.abs(numeric), np.abs(given))
        errors = apart / np.where(scale > 0, scale, 1.0)
    return np.where(np.isfinite(errors), errors, np.inf)


def _is_kinked(value: Callable[[float], float], middle: float, h: float, noise: float) -> bool:
    """Whether the slope jumps between x - h and x + h.

    Between the two sides of x the slope of a smooth function differs in proportion to h, so with an
    eighth of h by an eighth. At a kink it differs as much as before, or, beyond it, not at all.
    """

    def jump(step: float) -> float:
        return (value(step) - 2 * middle + value(-step)) / step

    wide, narrow = jump(h), jump(h / 8)
    if not abs(wide) > 100 * noise:  # nothing but rounding
        return False
    return not 0.5 < 8 * narrow / wide < 2


def _are_single(values: list[float]) -> bool:
    """Whether all of them are numbers of float32: those of a function that computes in it."""
    with np.errstate(over="ignore"):
        return all(float(np.float32(value)) == value for value in values)
