"""The picture of a rule's page: its walk on each surface, and the loss on the way."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path as FilePath

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from ...plot.axes import make_plain
from ...plot.ink import GREY
from ...plot.maps import FAR, draw_points, draw_surface, draw_walk
from ...plot.walks import Path
from ...surfaces import Surface
from ..race.results import appearing

COLOUR = "#D55E00"  # of the rule
PLAIN = "#0072B2"  # of the rule that it is compared to
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
    draw_surface(axes, surface, {})
    for place, (_, path) in reversed(list(enumerate(walks))):
        colour = PLAIN if place else COLOUR
        draw_walk(axes, path.points, colour, zorder=3 if place else 4, is_main=place == 0)
    draw_points(axes, surface.start, surface.lowest)
    axes.set_title(f"{surface.captioned()}, {surface.steps} steps", fontsize=10)


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
    make_plain(axes)
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
