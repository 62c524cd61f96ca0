"""A hyperparameter against the step."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Real

import numpy as np
from matplotlib.axes import Axes

from ..errors import PlotError
from ..schedules import Schedule
from .axes import axes_for, height_of, make_plain
from .given import check_steps, several
from .ink import Ink, Label, name_lines

SIZE = (5.6, 3.2)
MOST = 5000  # values that are computed; a line has no more points to show

Value = float | Callable[[int], float]


def schedule(
    schedules: Value | Sequence[Value] | Mapping[str, Value],
    *,
    steps: int = 1000,
    ax: Axes | None = None,
) -> Axes:
    """Draw the value of a schedule at the steps 1 to `steps`.

    schedules   a function of the step count t, as those of ruleonce.schedules, or a number; or
                several, in a sequence, or by the names that they are to have
    steps       how many
    ax          where to draw; None for a new figure

    Raises PlotError for what is no schedule, and for steps that are none.
    """
    named = _named(schedules)
    check_steps(steps)
    counted = np.unique(np.linspace(1, steps, MOST).astype(int))
    drawn = {name: [_at(name, value, int(t)) for t in counted] for name, value in named.items()}
    axes = axes_for(ax, SIZE)
    ends = []
    for place, (name, values) in enumerate(drawn.items()):
        ink = Ink.of(place if len(drawn) > 1 else 6)
        axes.plot(counted, values, color=ink.colour, dashes=ink.dashes, linewidth=1.6)
        ends.append(Label(name, counted[-1], values[-1], ink))
    axes.set_xlabel("step t", fontsize=9)
    axes.set_ylabel("value", fontsize=9)
    axes.set_xlim(0, steps)
    if min(map(min, drawn.values())) >= 0:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    make_plain(axes)
    name_lines(axes, height_of(axes), ends)
    return axes


def _named(schedules: Value | Sequence[Value] | Mapping[str, Value]) -> dict[str, Value]:
    if isinstance(schedules, Mapping):
        return dict(schedules)
    named: dict[str, Value] = {}
    for value in several(schedules):
        name = _name(value)
        again = sum(known.partition(" (")[0] == name for known in named)
        named[f"{name} ({again + 1})" if again else name] = value
    if not named:
        raise PlotError("there is no schedule to draw.")
    return named


def _name(value: Value) -> str:
    if isinstance(value, Schedule):
        return value.name
    if isinstance(value, Real) and not isinstance(value, bool):
        return f"{float(value):g}"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    raise PlotError(
        f"{value!r} is no schedule.\n"
        "  Give a function of the step count t, as ruleonce.schedules.cosine(1e-3, steps=1000) is."
    )


def _at(name: str, value: Value, t: int) -> float:
    found = value(t) if callable(value) else value
    if isinstance(found, bool) or not isinstance(found, Real):
        raise PlotError(f"the schedule {name} gives {found!r} at step {t}; it must be a number.")
    return float(found)
