"""What goes along with a run: the callback, the points on the way, the mean of the last ones."""

import inspect
from collections.abc import Callable
from typing import Any  # a callback may return anything

import numpy as np

from ..engines import Array
from .objective import Objective
from .result import Result

Callback = Callable[..., Any]


def wants_result(callback: Callback) -> bool:
    """Whether it takes a result: its one parameter is called `intermediate_result`."""
    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # some functions of C have no signature
        return False


class Follower:
    """Looks at the point after each step.

    after    the mean is that of the points after so many steps
    points   all points, or None where they are not kept
    """

    def __init__(
        self,
        x: Array,
        objective: Objective,
        callback: Callback | None,
        after: float,
        *,
        keeps: bool,
    ) -> None:
        self.points = [x.copy()] if keeps else None
        self._objective = objective
        self._callback = callback
        self._takes_result = callback is not None and wants_result(callback)
        self._after = after
        self._count = 0
        self._mean = np.zeros(x.shape)  # in float64, whatever x is

    def __call__(self, x: Array, nit: int) -> bool:
        """Look at the point after `nit` steps; whether the callback wants to stop."""
        if nit > self._after:
            self._count += 1
            self._mean += (x - self._mean) / self._count
        if self.points is not None:
            self.points.append(x.copy())
        return self._callback is not None and self._tell(self._callback, x, nit)

    def mean(self, like: Array) -> Array | None:
        """The mean, in the dtype of `like`; None where there is none."""
        return self._mean.astype(like.dtype) if self._count else None

    def _tell(self, callback: Callback, x: Array, nit: int) -> bool:
        # Outside of the `try`: a StopIteration of the objective is not the callback's.
        value = self._objective.value(x) if self._takes_result else None
        try:
            if self._takes_result:
                callback(intermediate_result=Result(x=x.copy(), fun=value, nit=nit))
            else:
                callback(x.copy())
        except StopIteration:
            return True
        return False
