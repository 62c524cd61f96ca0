"""Two surfaces to walk on: a ravine, and Rosenbrock's valley."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """A function of two weights, and where a walk on it begins.

    name      for titles
    height    (..., 2) -> (...): the loss
    slope     (..., 2) -> (..., 2): its gradient
    start     the first weights
    lowest    where the loss is 0
    window    x from, x to, y from, y to: what is drawn, and what a walk must not leave
    steps     how long a walk is
    """

    name: str
    height: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    start: tuple[float, float]
    lowest: tuple[float, float]
    window: tuple[float, float, float, float]
    steps: int


# One direction is STEEPNESS times as steep as the other, and neither is that of an axis: a rule
# that has a learning rate for each weight is to find it hard too.
STEEPNESS = 40.0
_TURN = np.deg2rad(25.0)
_AXES = np.array([[np.cos(_TURN), -np.sin(_TURN)], [np.sin(_TURN), np.cos(_TURN)]])
_RAVINE: Array = _AXES @ np.diag([1.0, STEEPNESS]) @ _AXES.T


def _ravine(w: Array) -> Array:
    found: Array = 0.5 * np.einsum("...i,ij,...j", w, _RAVINE, w)
    return found


def _rosenbrock(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    found: Array = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    return found


def _rosenbrock_slope(w: Array) -> Array:
    x, y = w[..., 0], w[..., 1]
    across = y - x**2
    return np.stack([-2 * (1 - x) - 400 * x * across, 200 * across], axis=-1)


SURFACES = (
    Surface(
        name=f"a ravine, {STEEPNESS:g} times as steep across as along",
        height=_ravine,
        slope=lambda w: w @ _RAVINE,
        start=(-1.7, -0.2),
        lowest=(0.0, 0.0),
        window=(-2.1, 0.9, -1.3, 0.8),
        steps=80,
    ),
    # Source: Rosenbrock 1960, "An automatic method for finding the greatest or least value of a
    # function", with his start.
    Surface(
        name="Rosenbrock's valley",
        height=_rosenbrock,
        slope=_rosenbrock_slope,
        start=(-1.2, 1.0),
        lowest=(1.0, 1.0),
        window=(-1.75, 1.75, -0.65, 1.8),
        steps=300,
    ),
)
