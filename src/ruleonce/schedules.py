"""Hyperparameters as functions of the step count.

A schedule is any function of `t`, which is 1 at the first step. Those here are made with their
numbers (`cosine(1e-3, steps=1000)`), print as they were made, compare by value and can be pickled.
The formulas are written for the number of steps already done, `t - 1`, which is what PyTorch and
optax count. After its last step a schedule holds its last value.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec  # the arguments of a schedule are of several kinds

from .errors import HyperparameterError

P = ParamSpec("P")
Formula = Callable[Concatenate[int, P], float]


@dataclass(frozen=True, repr=False)
class Schedule:
    """A formula with its numbers: call it with the step count `t`, from 1 up."""

    name: str
    arguments: tuple[tuple[str, Any], ...]

    def __call__(self, t: int) -> float:
        """The value at step `t`."""
        return _FORMULAS[self.name](t - 1, **dict(self.arguments))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


_FORMULAS: dict[str, Callable[..., float]] = {}

# Arguments that count steps. A schedule without a single step would divide by 0.
_COUNTS = {"steps": 1, "warmup": 0, "stable": 0, "decay": 1}


def _schedule(formula: Formula[P]) -> Callable[P, Schedule]:
    """Make a formula of (steps done, numbers ...) a function of the numbers alone."""
    _FORMULAS[formula.__name__] = formula
    own = signature(formula)
    numbers = own.replace(parameters=list(own.parameters.values())[1:], return_annotation=Schedule)

    @wraps(formula)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        bound = numbers.bind(*args, **kwargs)
        bound.apply_defaults()
        name = formula.__name__
        made = Schedule(name, tuple((k, _checked(name, k, v)) for k, v in bound.arguments.items()))
        _check_together(name, dict(made.arguments))
        return made

    make.__signature__ = numbers  # type: ignore[attr-defined]  # help() and editors read it
    return make


def _checked(schedule: str, name: str, value: Any) -> Any:
    """`value` as it is kept, or a HyperparameterError."""
    place = f"{schedule}: {name} is {value!r}"
    if name in _COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or value < _COUNTS[name]:
            least = _COUNTS[name]
            raise HyperparameterError(f"{place}; it must be a whole number from {least} up.")
    elif name == "boundaries":
        value = tuple(value)
        if list(value) != sorted(set(value)) or (value and value[0] < 1):
            raise HyperparameterError(
                f"{place}; they are numbers of steps, from 1 up, each larger than the one before."
            )
    elif name == "schedules":
        value = tuple(value)
    elif not callable(value):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise HyperparameterError(f"{place}; it must be a number.")
        if not math.isfinite(value):
            raise HyperparameterError(f"{place}; it must be finite.")
    return value


def _check_together(schedule: str, values: dict[str, Any]) -> None:
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


def _value(schedule: float | Callable[[int], float], done: int) -> float:
    return schedule(done + 1) if callable(schedule) else schedule


@_schedule
def constant(done: int, value: float) -> float:  # noqa: ARG001
    """The same value at every step."""
    return value


@_schedule
def step_decay(done: int, initial: float, steps: int, factor: float = 0.5) -> float:
    """Multiplied by `factor` each time that `steps` steps are done.

    Source: CS231n notes, "Step decay", https://cs231n.github.io/neural-networks-3/#anneal
    """
    return initial * float(factor ** (done // steps))


@_schedule
def piecewise_constant(
    done: int, initial: float, boundaries: Sequence[int], factor: float = 0.1
) -> float:
    """Multiplied by `factor` when as many steps are done as each of the boundaries says.

    Source: He et al. 2016, arXiv:1512.03385, section 3.4 (divided by 10 twice).
    """
    return initial * float(factor ** bisect_right(boundaries, done))


@_schedule
def exponential(done: int, initial: float, steps: int, factor: float) -> float:
    """Shrinks by `factor` over every `steps` steps, smoothly.

    Source: CS231n notes, "Exponential decay", https://cs231n.github.io/neural-networks-3/#anneal;
    their k is -log(factor) / steps.
    """
    return initial * float(factor ** (done / steps))


@_schedule
def inverse_time(done: int, initial: float, steps: int) -> float:
    """1/t decay: half after `steps` steps, a third after twice as many.

    Source: CS231n notes, "1/t decay", https://cs231n.github.io/neural-networks-3/#anneal;
    their k is 1 / steps.
    """
    return initial / (1 + done / steps)


@_schedule
def inverse_square_root(done: int, initial: float, steps: int) -> float:
    """Divided by the root of the time: half after 3 * `steps` steps.

    `warmup(n, inverse_square_root(peak, n))` is the schedule of the Transformer.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3.
    """
    return initial / math.sqrt(1 + done / steps)


@_schedule
def polynomial(
    done: int, initial: float, steps: int, final: float = 0.0, power: float = 1.0
) -> float:
    """From `initial` to `final` along (1 - done / steps) to the power `power`.

    Source: Chen et al. 2016, arXiv:1606.00915, section 4.1 ("poly" learning rate policy).
    """
    left = max(0.0, 1 - done / steps)
    return final + (initial - final) * float(left**power)


@_schedule
def linear(done: int, initial: float, steps: int, final: float = 0.0) -> float:
    """From `initial` to `final` in a straight line of `steps` steps.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2 (upwards, as a warm-up).
    """
    return initial + (final - initial) * min(1.0, done / steps)


@_schedule
def cosine(done: int, initial: float, steps: int, final: float = 0.0) -> float:
    """From `initial` to `final` along half a wave of the cosine.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """
    wave = (1 + math.cos(math.pi * min(1.0, done / steps))) / 2
    return final + (initial - final) * wave


@_schedule
def cosine_restarts(
    done: int, initial: float, steps: int, final: float = 0.0, growth: int = 1
) -> float:
    """Cosine, again and again: the first time over `steps` steps, then each time `growth` as long.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983 (SGDR), equation 5; growth is T_mult.
    """
    while done >= steps and growth > 1:
        done, steps = done - steps, steps * growth
    wave = (1 + math.cos(math.pi * (done % steps) / steps)) / 2
    return final + (initial - final) * wave


@_schedule
def join(
    done: int, schedules: Sequence[float | Callable[[int], float]], boundaries: Sequence[int]
) -> float:
    """One schedule after another: each counts its own steps from the boundary where it begins."""
    place = bisect_right(boundaries, done)
    begun = boundaries[place - 1] if place else 0
    return _value(schedules[place], done - begun)


@_schedule
def warmup(
    done: int, steps: int, schedule: float | Callable[[int], float], start: float = 0.0
) -> float:
    """In a line from `start` to where another schedule (or number) begins, then go on with that.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """
    if done >= steps:
        return _value(schedule, done - steps)
    return start + (_value(schedule, 0) - start) * done / steps


@_schedule
def one_cycle(
    done: int,
    peak: float,
    steps: int,
    rising: float = 0.3,
    start_divisor: float = 25.0,
    final_divisor: float = 1e4,
) -> float:
    """Up from peak / start_divisor in a share `rising` of the steps, down to far below the start.

    Both ways are half a wave of the cosine; the last value is the first one / final_divisor.

    Source: Smith & Topin 2018, arXiv:1708.07120; the form is PyTorch's OneCycleLR.
    """
    start = peak / start_divisor
    top = rising * steps - 1
    if done <= top:
        share, first, last = done / top, start, peak
    else:
        share = min(1.0, (done - top) / (steps - 1 - top))
        first, last = peak, start / final_divisor
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


@_schedule
def warmup_stable_decay(
    done: int, peak: float, warmup: int, stable: int, decay: int, final: float = 0.0
) -> float:
    """In a line from 0 to the peak, there for a while, in a line down to `final`.

    Source: Hu et al. 2024, arXiv:2404.06395 (MiniCPM), section 4.
    """
    if done < warmup:
        return peak * done / warmup
    share = min(1.0, max(0, done - warmup - stable) / decay)
    return peak + (final - peak) * share
