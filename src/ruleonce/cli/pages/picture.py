"""The picture of a rule's page: its walk on each surface, and the loss on the way."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path as FilePath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from ...surfaces.surface import Array, Surface
from ..race.ink import GREY
from ..race.results import appearing
from .paths import Path

COLOUR = "#D55E00"  # of the rule
PLAIN = "#0072B2"  # of the rule that it is compared to
GROUND = LinearSegmentedColormap.from_list("ground", ["#ffffff", "#eeeef3", "#cfd1dc"])
LEVELS = 14  # heights that are told apart
FAR = 1e3  # outside of every window and all limits: no number beyond it is drawn
GRID = 240  # points of a surface in each direction
LIMITS = (1e-5, 40.0)  # of every loss that is drawn, so that two pages can be compared
DPI = 96
SHADES = 128  # colours of the file: half the bytes, and no eye sees it

Walks = Sequence[tuple[str, Path]]


def page_picture(surfaces: Sequence[Surface], walks: Sequence[Walks]) -> Figure:
    """Draw a map for each surface, and below it the loss against the step.

    walks   for each surface: the walk of the rule, by its name, and after it that of the rule it is
            compared to, if that is another one
    """
    figure = Figure(figsize=(9.6, 5.2), layout="constrained")
    grid = figure.subplots(2, len(surfaces), squeeze=False, height_ratios=(2.6, 1))
    for place, (surface, of_surface) in enumerate(zip(surfaces, walks, strict=True)):
        _draw_map(grid[0, place], surface, of_surface)
        _draw_losses(grid[1, place], of_surface)
    grid[1, 0].set_ylabel("loss", fontsize=9)
    return figure


def save(path: FilePath, figure: Figure) -> None:
    """Write the figure as a small PNG that appears whole or not at all."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, facecolor="white")
    small = Image.open(drawn).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE)
    with appearing(path) as new:
        small.save(new, format="png", optimize=True)


def _draw_map(axes: Axes, surface: Surface, walks: Walks) -> None:
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID))
    height = np.log10(surface.height(np.stack([x, y], axis=-1)) + 1e-3)
    levels = np.linspace(height.min(), height.max(), LEVELS + 1)
    axes.contourf(x, y, height, levels=levels, cmap=GROUND)
    axes.contour(x, y, height, levels=levels, colors="#ffffff", linewidths=0.7, linestyles="solid")
    for place, (_, path) in reversed(list(enumerate(walks))):
        _draw_walk(axes, path.points, is_main=place == 0)
    axes.plot(*surface.start, "o", color="white", markeredgecolor="black", markersize=6, zorder=5)
    axes.plot(*zip(*surface.lowest, strict=True), "*", color="black", markersize=11, zorder=5)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal")  # only then a gradient is at right angles to a line of equal height
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{surface.captioned()}, {surface.steps} steps", fontsize=10)


def _draw_walk(axes: Axes, points: Array, *, is_main: bool) -> None:
    x, y = points.clip(-FAR, FAR).T
    if is_main:
        axes.plot(x, y, color=COLOUR, linewidth=1.1, zorder=4)
        axes.plot(x, y, ".", color=COLOUR, markersize=3.2, zorder=4)
    else:
        axes.plot(x, y, color=PLAIN, linewidth=0.9, alpha=0.75, zorder=3)


def _draw_losses(axes: Axes, walks: Walks) -> None:
    axes.set_yscale("log")
    for place, (name, path) in reversed(list(enumerate(walks))):
        is_main = place == 0
        rate = "" if path.rate is None else f" at {path.rate:g}"
        axes.plot(
            path.losses.clip(LIMITS[0], FAR),
            color=COLOUR if is_main else PLAIN,
            linewidth=1.6 if is_main else 0.9,
            label=f"{name}{rate}",
        )
    axes.set_ylim(LIMITS)
    axes.set_yticks([10.0, 1e-1, 1e-3, 1e-5], ["10", "0.1", "0.001", "1e-5"])
    axes.minorticks_off()
    axes.set_xlim(0, len(walks[0][1].losses) - 1)
    axes.set_xlabel("step", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    handles, names = axes.get_legend_handles_labels()
    legend = axes.legend(
        handles[::-1],
        names[::-1],
        fontsize=8,
        labelcolor=GREY,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        borderaxespad=0.2,
        handlelength=1.4,
    )
    legend.set_in_layout(False)  # a long name is no reason for small maps
