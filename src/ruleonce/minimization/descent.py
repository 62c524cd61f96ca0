"""The inside of minimize: is this the end, and if not, a step."""

import math
from collections.abc import Callable

import numpy as np

from ..engines import Array
from ..numpy import Optimizer
from .objective import Objective
from .points import Limits
from .result import CONVERGED, ENDED, EXHAUSTED, NOT_FINITE, STOPPED


class Descent:
    """One run over x, which changes in place.

    gtol   the largest element that a gradient may have at the end; None to go on anyway
    ftol   with `patience`, the least that the objective has to fall; None not to ask for it

    nit    how many steps were taken
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
        self.nit = 0
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
        self._x_squares = _squares_of(x)
        self._gradient_squares = _squares_of(objective.gradient)
        # Where the gradient is small enough, its squares sum to this at most; twice, for rounding.
        # At a bound it need not be small.
        self._little = math.inf if limits is not None else 2 * x.size * (gtol or 0.0) ** 2

    def run(self, steps: int, follow: Callable[[Array, int], bool] | None) -> int:
        """Go on to the end of the run, or until so many steps are taken; the status there.

        follow   is told x and the number of steps after each; it says whether to stop
        """
        objective = self._objective
        while self.nit < steps:
            if not objective.next_batch():
                return ENDED
            if (status := self._look()) is not None:
                return status
            if not self._step():
                return NOT_FINITE
            self.nit += 1
            if follow is not None and follow(self._x, self.nit):
                return STOPPED
        # It may have come to its end with the last step. Batches say nothing of that.
        status = None if objective.has_batches else self._look()
        return EXHAUSTED if status is None else status

    def _look(self) -> int | None:
        """Find the gradient at x; the status, if the run is at its end there."""
        objective = self._objective
        objective.find_gradient(self._x)
        # One product says of nearly every gradient that it is finite, and not small.
        squares = self._gradient_squares()
        if not squares < math.inf and not np.isfinite(objective.gradient).all():
            return NOT_FINITE
        if squares <= self._little and self._gtol is not None and self._is_flat(self._gtol):
            return CONVERGED if math.isfinite(objective.value(self._x)) else NOT_FINITE
        return None if self._ftol is None else self._stalled(self._ftol)

    def _step(self) -> bool:
        """Take a step; False, and x is where it was, if that leads to what is not finite."""
        x = self._x
        self._before[...] = x
        self._optimizer.step(self._objective.gradient)
        if self._limits is not None:
            self._limits.project(x)
        if not self._x_squares() < math.inf and not np.isfinite(x).all():
            x[...] = self._before
            return False
        self._objective.moved()
        return True

    def _is_flat(self, gtol: float) -> bool:
        gradient = self._objective.gradient
        if self._limits is not None:
            with np.errstate(over="ignore"):
                gradient = self._limits.projected(self._x, gradient)
        return bool(np.max(np.abs(gradient), initial=0.0) <= gtol)

    def _stalled(self, ftol: float) -> int | None:
        value = self._objective.value(self._x)
        if not math.isfinite(value):
            return NOT_FINITE
        if self._best == math.inf or value < self._best - ftol * max(1.0, abs(self._best)):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        return CONVERGED if self._waited >= self._patience else None


def _squares_of(array: Array) -> Callable[[], float]:
    """Their sum, asked for again and again: infinite or nan if an element is, and perhaps infinite
    if they are large.
    """
    flat = array.reshape(-1)
    if array.itemsize > 2:
        dot = flat.dot

        return lambda: float(dot(flat))

    def in_single() -> float:  # float16 overflows soon, and NumPy warns of it
        wide = flat.astype(np.float32)
        return float(wide.dot(wide))

    return in_single
