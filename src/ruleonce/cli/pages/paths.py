"""Where a rule goes on a surface, at the learning rate that suits it there."""

from dataclasses import dataclass

import numpy as np

from ...language.rule import Rule
from ...numpy import Optimizer
from ...surfaces.surface import Array, Surface

# Tried for every rule on every surface: 1e-5 to 1e2, ten in each power of ten.
RATES = tuple(float(f"{10 ** (k / 10):.2g}") for k in range(-50, 21))
LOWEST = 1e-9  # a loss below it is as good as 0: who comes closer is no faster on the way


@dataclass(frozen=True)
class Path:
    """A walk of a rule.

    rate     the learning rate; None for a rule that has none
    points   (steps + 1, 2): the weights, from the start on
    losses   (steps + 1,)
    """

    rate: float | None
    points: Array
    losses: Array


def best_path(rule: Rule, surface: Surface) -> Path:
    """The walk at the learning rate of RATES that comes down fastest.

    Fastest is the lowest mean of the loss's logarithm over the second half of the walk. A walk that
    climbs higher than its start, or leaves the window of the surface, is taken only if every other
    one does; then it is that of the lowest rate.
    """
    if "learning_rate" not in rule.hyperparameters:
        return walk(rule, surface, None)
    paths = (walk(rule, surface, rate) for rate in RATES)
    return min(paths, key=lambda path: _slowness(path, surface))


def walk(rule: Rule, surface: Surface, rate: float | None) -> Path:
    """The walk at one learning rate. All other hyperparameters have their defaults."""
    # A matrix of one row, since some rules are for matrices; to the others the shape is nothing.
    w = np.array([surface.start])
    optimizer = Optimizer(rule, w) if rate is None else Optimizer(rule, w, learning_rate=rate)
    points = [w[0].copy()]
    with np.errstate(all="ignore"):
        for _ in range(surface.steps):
            optimizer.step(surface.slope(w))
            points.append(w[0].copy())
        walked = np.array(points)
        return Path(rate, walked, surface.height(walked))


def _slowness(path: Path, surface: Surface) -> float:
    left, right, bottom, top = surface.window
    low, high = np.array([left, bottom]), np.array([right, top])
    is_inside = np.all((path.points > low) & (path.points < high))  # nan is nowhere
    if not is_inside or path.losses.max() > path.losses[0] * (1 + 1e-9):
        return np.inf
    return float(np.log10(path.losses[len(path.losses) // 2 :] + LOWEST).mean())
