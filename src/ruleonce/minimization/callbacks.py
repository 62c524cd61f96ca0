"""Callbacks in both of SciPy's styles."""

import inspect
from collections.abc import Callable
from typing import Any  # a callback may return anything

from ..engines import Array
from .objective import Objective
from .result import Result

Callback = Callable[..., Any]
Teller = Callable[[Array, int], bool]


def wants_result(callback: Callback) -> bool:
    """Whether it takes a result: its one parameter is called `intermediate_result`."""
    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # some functions of C have no signature
        return False


def teller(callback: Callback | None, objective: Objective) -> Teller | None:
    """What is called with x and the number of steps after each step; it says whether to stop."""
    if callback is None:
        return None
    takes_result = wants_result(callback)

    def tell(x: Array, nit: int) -> bool:
        # Outside of the `try`: a StopIteration of the objective is not the callback's.
        known = Result(x=x.copy(), fun=objective.value(x), nit=nit) if takes_result else None
        try:
            if known is None:
                callback(x.copy())
            else:
                callback(intermediate_result=known)
        except StopIteration:
            return True
        return False

    return tell
