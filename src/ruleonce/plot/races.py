"""The loss of every rule of a race, in one picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, nan
from os import PathLike
from pathlib import Path
from textwrap import fill
from typing import Any  # what a file may hold

import numpy as np
from matplotlib.axes import Axes

from ..errors import PlotError
from ..surfaces.surface import Array
from .axes import axes_for, height_of
from .curves import averaged_over, draw_curves, drawn_places, finite, half_window, smooth
from .ink import GREY, Ink

SIZE = (6.4, 3.9)
TITLE = 64  # characters of a line of the title
FLOOR = 1e-6  # of the loss, where a network that is sure of every row has none


@dataclass(frozen=True)
class Run:
    """One run of a race: what the picture needs of it.

    rule            the name of its line
    learning_rate   None for a rule that has none
    seed            that decided its batches
    losses          of each step, before it
    """

    rule: str
    learning_rate: float | None
    seed: int
    losses: Sequence[float]


Results = str | PathLike[str] | Mapping[str, Any] | Sequence[Any]


def race(results: Results, *, learning_rate: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the training loss of every rule of a race against the step.

    results         race.json of `ruleonce race`, by its path or as it was read; or its runs, as
                    mappings or as objects
    learning_rate   the one that is shown; None: of each rule the one that ended lowest
    ax              where to draw; None for a new figure

    Lines are means over the seeds, in a band from the lowest to the highest, and averaged over the
    60th part of all steps. Raises PlotError for what is no race, and for a rate that nobody ran at.
    """
    runs = _runs(results)
    places = drawn_places(len(runs[0].losses))
    groups: dict[tuple[str, float | None], list[Array]] = {}
    for run in runs:
        groups.setdefault((run.rule, run.learning_rate), []).append(smooth(run.losses, places))
    shown = _shown(groups, learning_rate)
    curves = {
        name if learning_rate is not None or rate is None else f"{name} at {rate:g}": [
            curve.clip(FLOOR) for curve in groups[name, rate]
        ]
        for name, rate in shown
    }
    axes = axes_for(ax, SIZE)
    axes.set_yscale("log")
    starts = [run.losses[0] for run in runs]
    axes.set_ylim(loss_limits(starts, [curve for group in curves.values() for curve in group]))
    inks = {name: Ink.of(place) for place, name in enumerate(curves)}
    draw_curves(axes, places + 1, curves, inks, height_of(axes))
    axes.set_xlabel("step", fontsize=9)
    axes.set_ylabel("training loss", fontsize=9)
    window = 2 * half_window(len(runs[0].losses)) + 1
    at = "each rule at its best rate" if learning_rate is None else f"rate {learning_rate:g}"
    seeds = len({run.seed for run in runs})
    title = fill(f"{at}; {averaged_over(window, seeds)}", TITLE)
    axes.set_title(title, fontsize=9, color=GREY, loc="left")
    return axes


def loss_limits(starts: Sequence[float], curves: Sequence[Array]) -> tuple[float, float]:
    """From the lowest curve to a little above the highest start: a run that diverges leaves."""
    high = 2 * max((start for start in starts if np.isfinite(start)), default=1.0)
    low = max(float(finite(curves).min(initial=high)), FLOOR) / 1.5
    return min(low, high / 20), high  # at least a power of ten, or the axis would be bare


def _shown(
    groups: Mapping[tuple[str, float | None], Sequence[Array]], wanted: float | None
) -> list[tuple[str, float | None]]:
    """Of each rule the one pair of name and rate that is drawn."""
    if wanted is not None:
        found = [(name, rate) for name, rate in groups if rate in (wanted, None)]
        if not any(rate == wanted for _, rate in found):
            rates = sorted({rate for _, rate in groups if rate is not None}, reverse=True)
            raise PlotError(
                f"no run of this race has the learning rate {wanted:g}; there are "
                f"{', '.join(f'{rate:g}' for rate in rates) or 'none'}."
            )
        return found

    def end(pair: tuple[str, float | None]) -> float:
        return float(np.nan_to_num(np.mean([curve[-1] for curve in groups[pair]]), nan=inf))

    names = dict.fromkeys(name for name, _ in groups)
    return [min((pair for pair in groups if pair[0] == name), key=end) for name in names]


def _runs(results: Results) -> Sequence[Run]:
    found: Any = results
    if isinstance(results, (str, PathLike)):
        try:
            found = json.loads(Path(results).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PlotError(
                f"{results} cannot be read as the race.json of a race ({error}).\n"
                "  `ruleonce race --out FOLDER` writes one."
            ) from error
    if isinstance(found, Mapping):
        found = found.get("runs", ())
    try:
        runs = [_run(run) for run in found]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PlotError(
            f"these are not the results of a race ({error}): each run has a rule, a "
            "learning_rate, a seed and its losses, as `ruleonce race` writes them to race.json."
        ) from error
    lengths = {len(run.losses) for run in runs}
    if len(lengths) != 1 or 0 in lengths:
        held = "runs of different lengths" if len(lengths) > 1 else "no losses"
        raise PlotError(f"these results hold {held}; a race has runs of one length, of a step up.")
    return runs


def _run(found: Any) -> Run:
    """A run of race.json, where null stands for what is no number, or an object with its fields."""
    field = found.__getitem__ if isinstance(found, Mapping) else partial(getattr, found)
    rate = field("learning_rate")
    losses = [nan if loss is None else float(loss) for loss in field("losses")]
    return Run(
        str(field("rule")), None if rate is None else float(rate), int(field("seed")), losses
    )
