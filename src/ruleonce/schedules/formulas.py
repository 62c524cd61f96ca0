"""The schedules: formulas of the number of steps already done, each with its source."""

import math
from bisect import bisect_right
from collections.abc import Sequence

from .arguments import Rate
from .schedule import made_with_numbers


def _value(schedule: Rate, done: int) -> float:
    return schedule(done + 1) if callable(schedule) else schedule


def _power(factor: float, exponent: float) -> float:
    """A growth beyond every float is infinite: what takes it as a hyperparameter can name it."""
    try:
        return float(factor**exponent)
    except OverflowError:
        return math.inf


@made_with_numbers
def constant(done: int, value: float) -> float:  # noqa: ARG001
    """The same `value` at every step."""
    return value


@made_with_numbers
def step_decay(done: int, initial: float, steps: int, factor: float = 0.5) -> float:
    """`initial`, multiplied by `factor` each time that `steps` more steps are done.

    Source: CS231n notes, "Step decay", https://cs231n.github.io/neural-networks-3/#anneal
    """
    return initial * _power(factor, done // steps)


@made_with_numbers
def piecewise_constant(
    done: int, initial: float, boundaries: Sequence[int], factor: float = 0.1
) -> float:
    """`initial`, multiplied by `factor` once as many steps are done as each of `boundaries` says.

    Source: He et al. 2016, arXiv:1512.03385, section 4.2 (divided by 10 at 32k and 48k steps).
    """
    return initial * _power(factor, bisect_right(boundaries, done))


@made_with_numbers
def exponential(done: int, initial: float, steps: int, factor: float) -> float:
    """`initial`, multiplied by `factor` over every `steps` steps, smoothly.

    Source: CS231n notes, "Exponential decay", https://cs231n.github.io/neural-networks-3/#anneal;
    their k is -log(factor) / steps.
    """
    return initial * _power(factor, done / steps)


@made_with_numbers
def inverse_time(done: int, initial: float, steps: int) -> float:
    """1/t decay: half of `initial` after `steps` steps, a third after twice as many.

    Source: CS231n notes, "1/t decay", https://cs231n.github.io/neural-networks-3/#anneal;
    their k is 1 / steps.
    """
    return initial / (1 + done / steps)


@made_with_numbers
def inverse_square_root(done: int, initial: float, steps: int) -> float:
    """`initial` divided by the root of the time: half of it after 3 * `steps` steps.

    `warmup(n, inverse_square_root(peak, n))` is the schedule of the Transformer.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3.
    """
    return initial / math.sqrt(1 + done / steps)


@made_with_numbers
def polynomial(
    done: int, initial: float, steps: int, final: float = 0.0, power: float = 1.0
) -> float:
    """From `initial` to `final` in `steps` steps, as the share left to the power `power`.

    Source: Chen et al. 2016, arXiv:1606.00915, section 4.1 ("poly" learning rate policy).
    """
    left = max(0.0, 1 - done / steps)
    return final + (initial - final) * float(left**power)


@made_with_numbers
def linear(done: int, initial: float, steps: int, final: float = 0.0) -> float:
    """From `initial` to `final` in a straight line of `steps` steps.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2 (upwards, as a warm-up).
    """
    return initial + (final - initial) * min(1.0, done / steps)


@made_with_numbers
def cosine(done: int, initial: float, steps: int, final: float = 0.0) -> float:
    """From `initial` to `final` in `steps` steps, along half a wave of the cosine.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """
    wave = (1 + math.cos(math.pi * min(1.0, done / steps))) / 2
    return final + (initial - final) * wave


@made_with_numbers
def cosine_restarts(
    done: int, initial: float, steps: int, final: float = 0.0, growth: int = 1
) -> float:
    """Cosine from `initial` towards `final`, again and again, without an end.

    The first time takes `steps` steps, each later one `growth` times as long as the one before it.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983 (SGDR), equation 5; growth is T_mult.
    """
    while done >= steps and growth > 1:
        done, steps = done - steps, steps * growth
    wave = (1 + math.cos(math.pi * (done % steps) / steps)) / 2
    return final + (initial - final) * wave


@made_with_numbers
def join(done: int, schedules: Sequence[Rate], boundaries: Sequence[int]) -> float:
    """One of `schedules` after another, each beginning when one of `boundaries` steps are done.

    Each counts its own steps from where it begins; there is one boundary between each two.
    """
    place = bisect_right(boundaries, done)
    begun = boundaries[place - 1] if place else 0
    return _value(schedules[place], done - begun)


@made_with_numbers
def warmup(done: int, steps: int, schedule: Rate, start: float = 0.0) -> float:
    """In a line of `steps` steps from `start` to where `schedule` (or a number) begins, then that.

    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """
    if done >= steps:
        return _value(schedule, done - steps)
    return start + (_value(schedule, 0) - start) * done / steps


@made_with_numbers
def one_cycle(
    done: int,
    peak: float,
    steps: int,
    rising: float = 0.3,
    start_divisor: float = 25.0,
    final_divisor: float = 1e4,
) -> float:
    """Up to `peak` in a share `rising` of `steps` steps, then down to far below the start.

    Both ways are half a wave of the cosine. The first value is the peak divided by
    `start_divisor`, the last one, at t = steps, is the first divided by `final_divisor`.

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


@made_with_numbers
def warmup_stable_decay(
    done: int, peak: float, warmup: int, stable: int, decay: int, final: float = 0.0
) -> float:
    """From 0 to `peak` in `warmup` steps, `stable` steps there, down to `final` in `decay` steps.

    Source: Hu et al. 2024, arXiv:2404.06395 (MiniCPM), section 4; they leave the way down open,
    here it is a line.
    """
    if done < warmup:
        return peak * done / warmup
    share = min(1.0, max(0, done - warmup - stable) / decay)
    return peak + (final - peak) * share
