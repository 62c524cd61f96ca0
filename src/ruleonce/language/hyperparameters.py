"""What a hyperparameter may be: a finite number in its range, a switch, or a schedule of `t`."""

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

import numpy as np

from ..errors import HyperparameterError, UnknownNameError

Schedule = Callable[[int], float]
Value = float | bool | Schedule
Range = tuple[float, float]

# The field's standard names mean the same in every rule. A rule with another meaning for one of
# them, or with names of its own, says so: @rule(ranges={"beta1": (-1, 1)}).
RANGES: Mapping[str, Range] = {
    "learning_rate": (0.0, math.inf),
    "eps": (0.0, math.inf),
    "weight_decay": (0.0, math.inf),
    "beta": (0.0, 1.0),
    "beta1": (0.0, 1.0),
    "beta2": (0.0, 1.0),
    "beta3": (0.0, 1.0),
    "momentum": (0.0, 1.0),
    "decay_rate": (0.0, 1.0),
}


def checked_number(rule: str, name: str, value: object, allowed: Range | None) -> int | float:
    """`value` as Python's own number, if `name` may have it.

    Raises HyperparameterError for what is no real number, is nan, or lies outside `allowed` (low
    <= value < high).
    """
    if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise HyperparameterError(
            f"{rule}: {name} is {value!r}, a {type(value).__name__}; it must be a number, or a "
            "schedule (a function of the step count t)."
        )
    try:
        size = float(value)
    except OverflowError:
        raise HyperparameterError(f"{rule}: {name} is an integer beyond every float.") from None
    if math.isnan(size):
        raise HyperparameterError(f"{rule}: {name} is nan; it must be a number.")
    if allowed is not None and not allowed[0] <= value < allowed[1]:
        low, high = allowed
        raise HyperparameterError(
            f"{rule}: {name} is {value!r}; it must be at least {low:g} and below {high:g}."
        )
    return value


def check_names(rule: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownNameError for a name that the rule lacks; it names the nearest it has."""
    known = list(known)
    for name in given:
        if name not in known:
            raise UnknownNameError(f"{rule} has no hyperparameter {name!r}{nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'beta1'? It has ...`: the end of a message about a wrong name."""
    known = list(known)
    initials = [x for x in known if "".join(part[:1] for part in x.split("_")) == name]  # lr
    parts = [x for x in known if name in x.split("_")]  # rate
    close = initials or parts or get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"{hint} It has {', '.join(known) or 'none'}."
