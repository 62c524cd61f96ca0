"""race.png: the loss of every rule, a panel for each learning rate."""

from collections.abc import Sequence
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
WINDOWS = 60  # a loss is averaged over the 60th part of the steps
FLOOR = 1e-6  # of the loss, where a network that is sure of every row has none
POINTS = 500  # drawn of each line; more would not be seen


def race_picture(runs: Sequence[Run], name: str) -> Figure:
    """Draw the training loss against the step: the mean over the seeds, in a band of all of them.

    runs   in any order; of one length each
    name   of the data, for the title

    A rule without a learning rate stands in every panel. A line that leaves the panel, or becomes
    nan, ends in a cross.
    """
    labels = list(dict.fromkeys(run.rule for run in runs))
    rates = sorted({r.learning_rate for r in runs if r.learning_rate is not None}, reverse=True)
    panels: list[float | None] = [*rates] or [None]
    columns = min(len(panels), 3)
    lines = ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * lines + 0.5), layout="constrained")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    count = len(runs[0].losses)
    places = np.unique(np.linspace(0, count - 1, POINTS).astype(int))
    curves = {
        (label, rate): [smooth(r.losses, places) for r in runs if _is(r, label, rate)]
        for label in labels
        for rate in (*rates, None)
    }
    limits = _limits([curve for group in curves.values() for curve in group], runs)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        rate = panels[place]
        axes.set_yscale("log")
        axes.set_ylim(limits)
        axes.set_title("" if rate is None else f"learning rate {rate:g}", fontsize=10)
        of_panel = {x: curves[x, rate] or curves[x, None] for x in labels}
        present = {label: group for label, group in of_panel.items() if group}
        _draw_panel(axes, places + 1, present, labels)
        axes.set_xlabel("step", fontsize=9)
        if place % columns == 0:
            axes.set_ylabel("training loss", fontsize=9)
    title = fill(_title(runs, name), 56 * columns)
    figure.suptitle(title, fontsize=9.5, color=GREY)
    return figure


def smooth(losses: Sequence[float], places: Array) -> Array:
    """The mean of a loss and its neighbours, over about 1/WINDOWS of all, at each of `places`.

    The window is narrow at the start, so that the first value is the first loss; at the end it only
    loses its right half. A window that holds nan or inf is nan.
    """
    known = np.array(losses)
    half = _half(len(known))
    means = np.array([known[i - min(i, half) : i + min(i, half) + 1].mean() for i in places])
    means[~np.isfinite(means)] = np.nan
    return means


def _half(count: int) -> int:
    """How far a window reaches to either side."""
    return max(1, count // WINDOWS // 2)


def _is(run: Run, label: str, rate: float | None) -> bool:
    return run.rule == label and run.learning_rate == rate


def _draw_panel(
    axes: Axes, steps: Array, groups: dict[str, list[Array]], labels: Sequence[str]
) -> None:
    """Draw one line for each rule; its ink goes by its place among all, whoever else is here."""
    ends = []
    for label, group in groups.items():
        ink = Ink.of(labels.index(label))
        curves = np.stack(group).clip(FLOOR)
        mean = curves.mean(axis=0)
        axes.plot(steps, mean, color=ink.colour, dashes=ink.dashes, linewidth=1.6)
        if len(group) > 1:
            low, high = curves.min(axis=0), curves.max(axis=0)
            axes.fill_between(steps, low, high, color=ink.colour, alpha=0.15, linewidth=0)
        last = np.flatnonzero(mean <= axes.get_ylim()[1]).max(initial=0)  # nan is not below
        arrived = bool(last == len(mean) - 1)
        if not arrived:
            axes.plot(steps[last], mean[last], marker="x", color=ink.colour)
        text = label if arrived else f"{label}: diverged"
        ends.append(Label(text, steps[last], mean[last], ink, leads=arrived))
    axes.set_xlim(0, steps[-1])
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    name_lines(axes, HEIGHT - 0.9, ends)


def _limits(curves: Sequence[Array], runs: Sequence[Run]) -> tuple[float, float]:
    """From the lowest curve to a little above the highest start: a run that diverges leaves."""
    finite = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    starts = [run.losses[0] for run in runs if np.isfinite(run.losses[0])]
    high = 2 * max(starts, default=1.0)
    low = max(float(finite.min(initial=high)), FLOOR) / 1.5
    return min(low, high / 20), high  # at least a power of ten, or the axis would have no number


def _title(runs: Sequence[Run], name: str) -> str:
    seeds = len({run.seed for run in runs})
    window = 2 * _half(len(runs[0].losses)) + 1
    over = f"; mean of {seeds} seeds, band from the lowest to the highest" if seeds > 1 else ""
    return f"{name}: loss of the batches, averaged over {window} steps{over}"
