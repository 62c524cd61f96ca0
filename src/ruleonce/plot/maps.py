"""Where rules go on a surface, on a map of it."""

from collections.abc import Mapping, Sequence
from typing import Any  # hyperparameters are numbers, switches or schedules

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from ..language.rule import Rule
from ..surfaces import Surface
from ..surfaces.surface import Array, Point
from .axes import axes_for, height_of
from .given import check_steps, rules_of, surface_of
from .ink import LONGEST, Ink, Label, name_lines
from .walks import Path, best_path, walk

WIDTH, EDGE, TITLE = 5.2, 0.1, 0.35  # inches of a map, around it and above it
LEADER, LETTER = 0.5, 0.072  # inches to the names beside it, and of a letter of them
GROUND = LinearSegmentedColormap.from_list("ground", ["#ffffff", "#eeeef3", "#cfd1dc"])
LEVELS = 14  # heights that are told apart
FAR = 1e3  # outside of every window and all limits: no number beyond it is drawn
GRID = 240  # points of a surface in each direction
INKS = (5, 2, 4, 3, 6, 1, 0)  # the light ones last: the ground is not white


def path(
    rules: Rule | Sequence[Rule],
    surface: str | Surface = "ravine",
    *,
    learning_rate: Any = None,
    steps: int | None = None,
    start: Point | None = None,
    noise: float | None = None,
    seed: int = 0,
    parameters: Mapping[str, float] | None = None,
    ax: Axes | None = None,
    **hyperparameters: Any,
) -> Axes:
    """Draw the way of one rule or several on a map of a surface: a dot is a step.

    rules             they walk from the same start, and meet the same noise
    surface           one of ruleonce.surfaces, or its name
    learning_rate     a number or a schedule; None: for each rule the one that takes it down fastest
                      without climbing above its start or leaving the map
    steps, start      how many, and from where; None for those of the surface
    noise             a standard deviation on each part of the slope; None for that of the surface
    seed              decides the noise
    parameters        of the surface, such as {"condition": 200}
    ax                where to draw; None for a new figure
    hyperparameters   of the rules, such as beta1=0.5; every rule must have them

    Dark is high; white lines join points of equal height, and the loss changes by the same factor
    from each to the next. Raises PlotError for what is no rule, surface or number of steps, and
    HyperparameterError for what a rule or the surface cannot have.
    """
    chosen, ground = rules_of(rules), surface_of(surface)
    if steps is not None:
        check_steps(steps)
    options: dict[str, Any] = {
        "hyperparameters": hyperparameters,
        "parameters": parameters or {},
        "start": ground.start if start is None else start,
        "steps": steps,
        "noise": ground.noise if noise is None else noise,
        "seed": seed,
    }
    paths = [
        best_path(rule, ground, **options)
        if learning_rate is None or "learning_rate" not in rule.hyperparameters
        else walk(rule, ground, learning_rate, **options)
        for rule in chosen
    ]
    axes = _map_alone(ground) if ax is None else axes_for(ax, (0, 0))
    draw_surface(axes, ground, options["parameters"])
    labels = []
    for place, (rule, found) in reversed(list(enumerate(zip(chosen, paths, strict=True)))):
        ink = Ink.of(INKS[place % len(INKS)])
        draw_walk(axes, found.points, ink.colour, zorder=4 - place / len(chosen))
        labels.append(_label(rule, found, ink, ground))
    draw_points(axes, options["start"], ground.lowest)
    count = len(paths[0].points) - 1
    caption = ground.captioned(**options["parameters"])
    axes.set_title(f"{caption}, {count} step{'s' if count > 1 else ''}", fontsize=10)
    name_lines(axes, height_of(axes), labels)
    return axes


def draw_surface(axes: Axes, surface: Surface, parameters: Mapping[str, float]) -> None:
    """Draw the map: dark is high, and the lines between are powers of the height."""
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID))
    height = surface.height(np.stack([x, y], axis=-1), **parameters)
    height = np.log10(height - min(height.min(), 0) + 1e-3)
    levels = np.linspace(height.min(), height.max(), LEVELS + 1)
    axes.contourf(x, y, height, levels=levels, cmap=GROUND)
    axes.contour(x, y, height, levels=levels, colors="#ffffff", linewidths=0.7, linestyles="solid")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    # Only with equal units a gradient is at right angles to a line of equal height.
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def draw_walk(
    axes: Axes, points: Array, colour: str, *, zorder: float, is_main: bool = True
) -> None:
    """Draw a walk: with a dot a step if it is a main one, else as a thin line."""
    x, y = points.clip(-FAR, FAR).T
    if is_main:
        axes.plot(x, y, color=colour, linewidth=1.1, zorder=zorder)
        axes.plot(x, y, ".", color=colour, markersize=3.2, zorder=zorder)
    else:
        axes.plot(x, y, color=colour, linewidth=0.9, alpha=0.75, zorder=zorder)


def draw_points(axes: Axes, start: Point, lowest: Sequence[Point]) -> None:
    """Mark the start with a circle, and each lowest point with a star."""
    axes.plot(*start, "o", color="white", markeredgecolor="black", markersize=6, zorder=5)
    axes.plot(*zip(*lowest, strict=True), "*", color="black", markersize=11, zorder=5)


def _map_alone(surface: Surface) -> Axes:
    """Axes of the shape of the map, in a figure with room for the longest name beside it.

    A layout of matplotlib's own does not know how much of its place a map of equal units leaves.
    """
    left, right, bottom, top = surface.window
    width = WIDTH + 2 * EDGE + LEADER + LETTER * LONGEST
    height = WIDTH * (top - bottom) / (right - left)
    tall = height + EDGE + TITLE
    axes = axes_for(None, (width, tall))
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101  (it was made with it)
    figure.set_layout_engine("none")
    axes.set_position((EDGE / width, EDGE / tall, WIDTH / width, height / tall))
    return axes


def _label(rule: Rule, path: Path, ink: Ink, surface: Surface) -> Label:
    """The name of a walk at its last point that is on the map."""
    left, right, bottom, top = surface.window
    low, high = np.array([left, bottom]), np.array([right, top])
    inside = np.all((path.points >= low) & (path.points <= high), axis=-1)
    last = int(np.flatnonzero(inside).max(initial=0))
    gone = "" if inside[-1] else ": left the map"
    rate = f" at {path.rate:g}" if isinstance(path.rate, (int, float)) else ""
    x, y = path.points[last]
    return Label(f"{rule.name}{gone or rate}", float(x), float(y), ink)
