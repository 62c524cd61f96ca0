"""Where a rule goes on a surface, at the learning rate that suits it there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any  # hyperparameters are numbers, switches or schedules

import numpy as np

from ..language.rule import Rule
from ..numpy import Optimizer
from ..surfaces import Surface
from ..surfaces.surface import Array, Point

# Tried for every rule on every surface: 1e-5 to 1e2, ten in each power of ten.
RATES = tuple(float(f"{10 ** (k / 10):.2g}") for k in range(-50, 21))
LOWEST = 1e-9  # a loss below it is as good as 0: who comes closer is no faster on the way


@dataclass(frozen=True)
class Path:
    """A walk of a rule.

    rate     the learning rate, or its schedule; None for a rule that has none
    points   (steps + 1, 2): the weights, from the start on
    losses   (steps + 1,)
    """

    rate: Any
    points: Array
    losses: Array


def best_path(rule: Rule, surface: Surface, **options: Any) -> Path:
    """The walk at the learning rate of RATES that comes down fastest.

    options   those of `walk`

    Fastest is the lowest mean of the loss's logarithm over the second half of the walk. A walk that
    climbs higher than its start, or leaves the window of the surface, is taken only if every other
    one does; then it is that of the lowest rate.
    """
    if "learning_rate" not in rule.hyperparameters:
        return walk(rule, surface, None, **options)
    paths = (walk(rule, surface, rate, leaves=False, **options) for rate in RATES)
    best = min(paths, key=lambda path: _slowness(path, surface))
    return walk(rule, surface, best.rate, **options)


def walk(
    rule: Rule,
    surface: Surface,
    rate: Any,
    *,
    hyperparameters: Mapping[str, Any] | None = None,
    parameters: Mapping[str, float] | None = None,
    start: Point | None = None,
    steps: int | None = None,
    noise: float = 0.0,
    seed: int = 0,
    leaves: bool = True,
) -> Path:
    """The walk at one learning rate, or schedule of it; None for a rule that has none.

    hyperparameters   further ones; those that are not named have their defaults
    parameters        of the surface, likewise
    start, steps      instead of the surface's
    noise             a standard deviation on each part of the slope
    seed              of the noise: two rules with the same one meet the same noise
    leaves            whether it goes on where it leaves the window of the surface
    """
    # A matrix of one row, since some rules are for matrices; to the others the shape is nothing.
    w = np.array([surface.start if start is None else start], np.float64)
    given = dict(hyperparameters or {}) | ({} if rate is None else {"learning_rate": rate})
    optimizer = Optimizer(rule, w, **given)
    of_surface = dict(parameters or {})
    rng = np.random.default_rng(seed)
    points = [w[0].copy()]
    with np.errstate(all="ignore"):
        for _ in range(surface.steps if steps is None else steps):
            slope = surface.slope(w, **of_surface)
            optimizer.step(slope + noise * rng.standard_normal(w.shape) if noise else slope)
            points.append(w[0].copy())
            if not (leaves or _is_inside(points[-1:], surface)):
                break
        walked = np.array(points)
        return Path(rate, walked, surface.height(walked, **of_surface))


def _slowness(path: Path, surface: Surface) -> float:
    if not _is_inside(path.points, surface) or path.losses.max() > path.losses[0] * (1 + 1e-9):
        return np.inf
    return float(np.log10(path.losses[len(path.losses) // 2 :] + LOWEST).mean())


def _is_inside(points: Iterable[Array], surface: Surface) -> bool:
    left, right, bottom, top = surface.window
    return all(left < x < right and bottom < y < top for x, y in points)  # nan is nowhere
