"""The inside of minimize: is this the end, and if not, a step."""

import math

import numpy as np

from ..engines import Array
from ..numpy import Optimizer
from .objective import Objective
from .points import Limits
from .result import CONVERGED, NOT_FINITE


class Descent:
    """One run over x, which changes in place.

    gtol       the largest element that a gradient may have at the end; None to go on anyway
    ftol       with `patience`, the least that the objective has to fall; None not to ask for it
    """

    def __init__(
        self,
        optimizer: Optimizer,
        x: Array,
        objective: Objective,
        limits: Limits | None,
        gtol: float | None,
        ftol: float | None,
        patience: int,
    ) -> None:
        self._optimizer = optimizer
        self._x = x
        self._before = x.copy()
        self._objective = objective
        self._limits = limits
        self._gtol = gtol
        self._ftol = ftol
        self._patience = patience
        self._best = math.inf
        self._waited = 0
        self._flat_x = x.reshape(-1)
        self._flat_gradient = objective.gradient.reshape(-1)
        # A gradient that is small enough has squares of at most this sum; twice, for rounding.
        self._little = -1.0 if gtol is None else 2 * x.size * gtol**2

    def look(self) -> int | None:
        """Find the gradient at x; the status, if the run is at its end there."""
        objective = self._objective
        objective.find_gradient(self._x)
        # One product says of nearly every gradient that it is finite, and not small.
        squares = _squares(self._flat_gradient)
        if not math.isfinite(squares) and not np.isfinite(objective.gradient).all():
            return NOT_FINITE
        if self._gtol is not None and (squares <= self._little or self._limits is not None):
            gradient = objective.gradient
            if self._limits is not None:
                with np.errstate(over="ignore"):
                    gradient = self._limits.projected(self._x, gradient)
            if np.max(np.abs(gradient), initial=0.0) <= self._gtol:
                return CONVERGED if math.isfinite(objective.value(self._x)) else NOT_FINITE
        return None if self._ftol is None else self._stalled(self._ftol)

    def step(self) -> bool:
        """Take a step; False, and x is where it was, if that leads to what is not finite."""
        x = self._x
        self._before[...] = x
        self._optimizer.step(self._objective.gradient)
        if self._limits is not None:
            self._limits.project(x)
        if not math.isfinite(_squares(self._flat_x)) and not np.isfinite(x).all():
            x[...] = self._before
            return False
        self._objective.moved()
        return True

    def _stalled(self, ftol: float) -> int | None:
        value = self._objective.value(self._x)
        if not math.isfinite(value):
            return NOT_FINITE
        if self._best == math.inf or value < self._best - ftol * max(1.0, abs(self._best)):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        return CONVERGED if self._waited >= self._patience else None


def _squares(array: Array) -> float:
    """Their sum; infinite or nan if an element is, and perhaps infinite if they are large."""
    if array.itemsize < 4:  # float16 overflows soon, and NumPy warns of it
        array = array.astype(np.float32)
    return float(array.dot(array))
