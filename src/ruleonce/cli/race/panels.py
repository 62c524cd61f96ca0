"""A panel for each learning rate, with a line for each rule: what the pictures of a race share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from ...plot.curves import draw_curves, drawn_places, smooth
from ...plot.ink import GREY, Ink
from .network import Array
from .training import Run

WIDTH, HEIGHT = 3.9, 3.6  # inches of a panel with its labels

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
    places = drawn_places(len(plot.steps))
    # A rule's ink goes by its place among all, whoever else is in a panel.
    inks = {label: Ink.of(place) for place, label in enumerate(labels)}
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
        draw_curves(axes, np.array(plot.steps)[places], present, inks, HEIGHT - 0.9)
        axes.set_xlabel("step", fontsize=9)
        if place % columns == 0:
            axes.set_ylabel(plot.label, fontsize=9)
    figure.suptitle(fill(title, 56 * columns), fontsize=9.5, color=GREY)
    return figure


def _is(run: Run, label: str, rate: float | None) -> bool:
    return run.rule == label and run.learning_rate == rate
