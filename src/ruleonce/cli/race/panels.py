"""A panel for each learning rate, with a line for each rule: what the pictures of a race share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from .ink import GREY, Ink, Label, name_lines
from .network import Array
from .training import Run

WIDTH, HEIGHT = 3.9, 3.6  # inches of a panel with its labels
WINDOWS = 60  # a curve is averaged over the 60th part of itself
POINTS = 500  # drawn of each line; more would not be seen

Groups = Mapping[tuple[str, float | None], Sequence[Array]]


@dataclass(frozen=True)
class Plot:
    """What is drawn of the runs.

    values   of a run, the curve
    steps    the step of each value
    limits   of all curves, and what is drawn of them
    floor    what is below it is drawn at it; 0 for none
    label    of the vertical axis
    mark     where a grey line crosses the panels; None for none
    """

    values: Callable[[Run], Sequence[float]]
    steps: Sequence[int]
    limits: Callable[[Groups], tuple[float, float]]
    floor: float
    label: str
    mark: float | None = None


def panels(runs: Sequence[Run], plot: Plot, title: str) -> Figure:
    """Draw the curves against the step: the mean over the seeds, in a band of all of them.

    runs   in any order; of one length each

    A rule without a learning rate stands in every panel. A line that leaves the panel at the top,
    or becomes nan, ends in a cross.
    """
    labels = list(dict.fromkeys(run.rule for run in runs))
    rates = sorted({r.learning_rate for r in runs if r.learning_rate is not None}, reverse=True)
    shown: list[float | None] = [*rates] or [None]
    columns = min(len(shown), 3)
    lines = ceil(len(shown) / columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * lines + 0.5), layout="constrained")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    places = np.unique(np.linspace(0, len(plot.steps) - 1, POINTS).astype(int))
    curves = {
        (label, rate): [smooth(plot.values(r), places) for r in runs if _is(r, label, rate)]
        for label in labels
        for rate in (*rates, None)
    }
    limits = plot.limits(curves)
    for place, axes in enumerate(grid.flat):
        if place >= len(shown):
            axes.set_visible(False)
            continue
        rate = shown[place]
        axes.set_yscale("log")
        axes.set_ylim(limits)
        axes.set_title("" if rate is None else f"learning rate {rate:g}", fontsize=10)
        if plot.mark is not None:
            axes.axhline(plot.mark, color=GREY, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1)
        of_panel = {x: curves[x, rate] or curves[x, None] for x in labels}
        present = {
            label: [curve.clip(plot.floor) for curve in group]
            for label, group in of_panel.items()
            if group
        }
        _draw_panel(axes, np.array(plot.steps)[places], present, labels)
        axes.set_xlabel("step", fontsize=9)
        if place % columns == 0:
            axes.set_ylabel(plot.label, fontsize=9)
    figure.suptitle(fill(title, 56 * columns), fontsize=9.5, color=GREY)
    return figure


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


def averaged_over(steps: int, runs: Sequence[Run]) -> str:
    """The words for a title: over how many steps and seeds a curve is a mean."""
    seeds = len({run.seed for run in runs})
    over = f"; mean of {seeds} seeds, band from the lowest to the highest" if seeds > 1 else ""
    return f"averaged over {steps} steps{over}"


def _is(run: Run, label: str, rate: float | None) -> bool:
    return run.rule == label and run.learning_rate == rate


def _draw_panel(
    axes: Axes, steps: Array, groups: Mapping[str, Sequence[Array]], labels: Sequence[str]
) -> None:
    """Draw one line for each rule; its ink goes by its place among all, whoever else is here."""
    ends = []
    for label, group in groups.items():
        ink = Ink.of(labels.index(label))
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
        text = label if arrived else f"{label}: diverged"
        ends.append(Label(text, steps[last], end, ink, leads=arrived))
    axes.set_xlim(0, steps[-1])
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    name_lines(axes, HEIGHT - 0.9, ends)
