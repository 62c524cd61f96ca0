"""Curves against the step, a line for each rule: the mean of its runs, in a band of all of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from ..surfaces.surface import Array
from .axes import make_plain
from .ink import Ink, Label, name_lines

WINDOWS = 60  # a curve is averaged over the 60th part of itself
POINTS = 500  # drawn of each line; more would not be seen


def drawn_places(count: int) -> Array:
    """Which of `count` values are drawn."""
    return np.unique(np.linspace(0, count - 1, POINTS).astype(int))


def smooth(values: Sequence[float], places: Array) -> Array:
    """The mean of a value and its neighbours, over about 1/WINDOWS of all, at each of `places`.

    The window is narrow at the start, so that the first value is the first; at the end it only
    loses its right half. A window that holds nan or inf is nan.
    """
    known = np.array(values)
    half = half_window(len(known))
    means = np.array([known[i - min(i, half) : i + min(i, half) + 1].mean() for i in places])
    means[~np.isfinite(means)] = np.nan
    return means


def half_window(count: int) -> int:
    """How far a window reaches to either side."""
    return max(1, count // WINDOWS // 2)


def averaged_over(steps: int, seeds: int) -> str:
    """The words for a title: over how many steps and seeds a curve is a mean."""
    over = f"; mean of {seeds} seeds, band from the lowest to the highest" if seeds > 1 else ""
    return f"averaged over {steps} steps{over}"


def finite(curves: Sequence[Array]) -> Array:
    """All values that are numbers."""
    values = np.concatenate([np.ravel(curve) for curve in curves])
    found: Array = values[np.isfinite(values)]
    return found


def draw_curves(
    axes: Axes,
    steps: Array,
    groups: Mapping[str, Sequence[Array]],
    inks: Mapping[str, Ink],
    height: float,
) -> None:
    """Draw one line for each group of curves, and its name beside its end.

    steps    of each value
    groups   name -> the curves of its runs
    inks     name -> how its line is drawn
    height   of the axes, in inches, about

    A line that leaves the axes at the top, or becomes nan, ends in a cross. The vertical limits of
    the axes must be final.
    """
    ends = []
    for name, group in groups.items():
        ink = inks[name]
        curves = np.stack(group)
        mean = curves.mean(axis=0)
        axes.plot(steps, mean, color=ink.colour, dashes=ink.dashes, linewidth=1.6)
        if len(group) > 1:
            low, high = curves.min(axis=0), curves.max(axis=0)
            axes.fill_between(steps, low, high, color=ink.colour, alpha=0.15, linewidth=0)
        last = np.flatnonzero(mean <= axes.get_ylim()[1]).max(initial=0)  # nan is not below
        arrived = bool(last == len(mean) - 1)
        # A line that was never inside has its cross at the top.
        end = min(np.nan_to_num(mean[last], nan=np.inf), axes.get_ylim()[1])
        if not arrived:
            axes.plot(steps[last], end, marker="x", color=ink.colour)
        text = name if arrived else f"{name}: diverged"
        ends.append(Label(text, steps[last], end, ink, leads=arrived))
    axes.set_xlim(0, steps[-1])
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    make_plain(axes)
    name_lines(axes, height, ends)
