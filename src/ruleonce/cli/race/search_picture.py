"""search.png: the loss in the end against learning rate and momentum, a panel for each rule."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ...plot.ink import GREY
from .search import FORGOTTEN, RATES, Trial

WIDTH, HEIGHT = 3.1, 2.7  # inches of a panel
COLUMNS = 4
COLOURS = "viridis"  # a low loss is dark: that is what one looks for
LOWEST = 1e-8  # of a loss that has a colour
SPAN = 100.0  # a loss this many times the best one, or more, has the last colour


def search_picture(trials: Sequence[Trial], name: str) -> Figure:
    """Draw a point for each trial, coloured by its loss; its best has a ring, a cross diverged.

    trials   of one rule or more
    name     of the data, for the title

    A rule without momentum has the loss itself as its vertical axis, and one without a learning
    rate stands at its left end.
    """
    rules = list(dict.fromkeys(trial.rule for trial in trials))
    columns = min(len(rules), COLUMNS)
    lines = ceil(len(rules) / columns)
    figure = Figure(figsize=(WIDTH * columns + 1.0, HEIGHT * lines + 0.5), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    losses = [trial.test_loss for trial in trials if np.isfinite(trial.test_loss)]
    low = max(min(losses, default=1e-3), LOWEST)
    high = min(max(losses, default=1.0), low * SPAN)
    points = ScalarMappable(LogNorm(low, max(high, low * 10), clip=True), COLOURS)
    for place, axes in enumerate(grid.flat):
        if place >= len(rules):
            axes.set_visible(False)
            continue
        own = [trial for trial in trials if trial.rule == rules[place]]
        _draw_panel(axes, own, points)
        axes.set_title(rules[place], fontsize=10)
        if place >= len(rules) - columns:
            axes.set_xlabel("learning rate", fontsize=9)
    bar = figure.colorbar(points, ax=grid, shrink=0.9, pad=0.02, extend="max")
    bar.set_label("test loss", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
    figure.suptitle(
        f"{name}: learning rate and momentum drawn at random; ring: the best, cross: diverged",
        fontsize=9.5,
        color=GREY,
    )
    return figure


def _draw_panel(axes: Axes, trials: Sequence[Trial], colours: ScalarMappable) -> None:
    """Draw the trials of one rule."""
    low, high = colours.get_clim()
    assert low is not None and high is not None  # noqa: S101, PT018  (they were given)
    has_momentum = trials[0].momentum is not None
    loss = np.array([trial.test_loss for trial in trials])
    x = np.array([trial.learning_rate or RATES[0] for trial in trials])
    y = np.array([1 - t.momentum if t.momentum is not None else t.test_loss for t in trials])
    fine = np.isfinite(loss)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(RATES[0] / 1.5, RATES[1] * 1.5)
    if has_momentum:
        axes.set_ylim(FORGOTTEN[1] * 1.3, FORGOTTEN[0] / 1.3)  # more momentum is higher
        axes.yaxis.set_major_formatter(FuncFormatter(lambda left, _: f"{1 - left:g}"))
        axes.set_ylabel("momentum", fontsize=9)
    else:
        axes.set_ylim(low / 2, high * 2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_ylabel("test loss", fontsize=9)
        y = np.where(fine, y, high).clip(low, high)
    axes.plot(x[~fine], y[~fine], "x", color=GREY, markersize=4, markeredgewidth=0.8)
    axes.scatter(x[fine], y[fine], c=colours.to_rgba(loss[fine]), s=26, zorder=3)
    if fine.any():
        best = int(np.argmin(np.where(fine, loss, np.inf)))
        axes.plot(
            x[best], y[best], "o", markersize=10, mfc="none", mec="#D55E00", mew=1.6, zorder=4
        )
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.5)
    axes.set_axisbelow(True)
