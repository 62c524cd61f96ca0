"""What the arguments of schedules must be: checked when a schedule is made, not when it is used."""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any  # an argument may be anything until it is checked

from ..errors import HyperparameterError

Rate = float | Callable[[int], float]

# No run is as long, and a count from 2**1024 up is no float: what comes later counts as this step.
FOREVER = 2**1000


def _number(value: Any, above: float = -math.inf) -> float:
    """A float, whatever library's number it was: a schedule prints and computes as plain Python."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError
    if not above < float(value) < math.inf:
        raise ValueError
    return float(value)


def _count(value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError
    count = int(value)
    if not least <= count <= FOREVER:
        raise ValueError
    return count


def _rate(value: Any) -> Rate:
    return value if callable(value) else _number(value)


def _boundaries(values: Any) -> tuple[int, ...]:
    counts = tuple(_count(value) for value in values)
    if list(counts) != sorted(set(counts)):
        raise ValueError
    return counts


_Need = tuple[Callable[[Any], Any], str]
_FINITE: _Need = (_number, "a finite number")
_POSITIVE: _Need = (lambda x: _number(x, above=0.0), "a finite number above 0")
_FROM_0: _Need = (lambda n: _count(n, least=0), "a whole number from 0 up")
_FROM_1: _Need = (_count, "a whole number from 1 up")

# How an argument is checked and kept, and what it must be; one that is not here must be finite.
# A dot names the argument of one schedule alone.
_NEEDS: dict[str, _Need] = {
    "steps": _FROM_1,  # each formula divides by it
    "warmup.steps": _FROM_0,
    "warmup": _FROM_0,
    "stable": _FROM_0,
    "decay": _FROM_1,
    "growth": _FROM_1,
    "factor": _POSITIVE,
    "power": _POSITIVE,
    "start_divisor": _POSITIVE,
    "final_divisor": _POSITIVE,
    "schedule": (_rate, "a finite number or a function of t"),
    "schedules": (lambda xs: tuple(map(_rate, xs)), "finite numbers or functions of t, in a list"),
    "boundaries": (_boundaries, "numbers of steps, from 1 up, each larger than the one before"),
}


def checked(schedule: str, name: str, value: Any) -> Any:
    """`value` as it is kept, or a HyperparameterError."""
    check, need = _NEEDS.get(f"{schedule}.{name}") or _NEEDS.get(name, _FINITE)
    try:
        return check(value)
    except (TypeError, ValueError, OverflowError):
        message = f"{schedule}: {name} is {value!r}; it must be {need}."
        raise HyperparameterError(message) from None


def check_together(schedule: str, values: dict[str, Any]) -> None:
    """What no argument shows on its own."""
    if schedule == "join" and len(values["schedules"]) != len(values["boundaries"]) + 1:
        raise HyperparameterError(
            f"join: {len(values['schedules'])} schedules have "
            f"{len(values['boundaries'])} boundaries; there must be one between each two."
        )
    if schedule == "one_cycle" and not 1 < values["rising"] * values["steps"] < values["steps"]:
        raise HyperparameterError(
            f"one_cycle: rising is {values['rising']!r} of {values['steps']} steps; at "
            "least one step must rise, and one fall."
        )
