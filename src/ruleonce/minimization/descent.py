"""The inside of minimize: is this the end, and if not, a step."""

import math
from collections.abc import Callable
from functools import partial

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
        self._gtol = -1.0 if gtol is None else gtol
        self._ftol = ftol
        self._patience = patience
        self._best = math.inf
        self._waited = 0
        self._x_is_finite = _finiteness(x)
        self._gradient_is_finite = _finiteness(objective.gradient)
        # An element of the gradient by its place, the array taken as flat; 0 where there is none.
        self._element: Callable[[int], float] = objective.gradient.item if x.size else float
        self._steepest = 0

    def run(self, steps: int, follow: Callable[[Array, int], bool] | None) -> int:
        """Go on to the end of the run, or until so many steps are taken; the status there.

        follow   is told x and the number of steps after each; it says whether to stop
        """
        # Local names, and few calls: this is what a step costs beside its gradient.
        objective, gradient, limits = self._objective, self._objective.gradient, self._limits
        x, before, nit = self._x, self._before, self.nit
        has_batches, look, x_is_finite = objective.has_batches, self._look, self._x_is_finite
        take_step: Callable[[], object] = partial(self._optimizer.step, gradient)
        while nit < steps:
            if has_batches and not objective.next_batch():
                return ENDED
            if (status := look(x)) is not None:
                return status
            before[...] = x
            take_step()
            if limits is not None:
                limits.project(x)
            if not x_is_finite():
                x[...] = before
                return NOT_FINITE
            objective.moved()
            self.nit = nit = nit + 1
            if nit == 1:
                take_step = self._optimizer.repeater(gradient)
            if follow is not None and follow(x, nit):
                return STOPPED
        # It may have come to its end with the last step. Batches say nothing of that.
        status = None if objective.has_batches else self._look(x)
        return EXHAUSTED if status is None else status

    def _look(self, x: Array) -> int | None:
        """Find the gradient at x; the status, if the run is at its end there."""
        self._objective.find_gradient(x)
        if not self._gradient_is_finite():
            return NOT_FINITE
        # What was the largest element is mostly still too large; then there is no need to search.
        is_steep = self._limits is None and abs(self._element(self._steepest)) > self._gtol
        if not is_steep and self._is_flat():
            return CONVERGED if math.isfinite(self._objective.value(x)) else NOT_FINITE
        return None if self._ftol is None else self._stalled(self._ftol)

    def _is_flat(self) -> bool:
        gradient = self._objective.gradient
        if self._limits is not None:
            with np.errstate(over="ignore"):
                gradient = self._limits.projected(self._x, gradient)
        sizes = np.abs(gradient)
        if not sizes.size:
            return True
        self._steepest = int(sizes.argmax())
        largest: float = sizes.item(self._steepest)
        return largest <= self._gtol

    def _stalled(self, ftol: float) -> int | None:
        value = self._objective.value(self._x)
        if not math.isfinite(value):
            return NOT_FINITE
        if self._best == math.inf or value < self._best - ftol * max(1.0, abs(self._best)):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        return CONVERGED if self._waited >= self._patience else None


def _finiteness(array: Array) -> Callable[[], bool]:
    """What says whether all elements are finite; asked for at each step.

    Sums and products would be no faster, and NumPy warns where they overflow.
    """
    flat, answers = array.reshape(-1), np.empty(array.size, bool)
    isfinite = np.isfinite

    def is_finite() -> bool:
        isfinite(flat, answers)
        return 0 not in answers.tobytes()

    return is_finite
