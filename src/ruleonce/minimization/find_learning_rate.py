"""The learning rate range test: raise the rate from step to step, and see when the loss falls."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any  # what an objective takes beside x

import numpy as np

from ..engines import Array
from ..errors import HyperparameterError
from ..language.hyperparameters import Value
from ..language.rule import Rule
from ..numpy import Optimizer
from ..rules.adam import adam
from .objective import Objective
from .run import start


@dataclass(frozen=True)
class LearningRates:
    """What a range test found.

    rates       the learning rates, each one step
    losses      the loss before each step; `smooth` is a moving average of it
    suggestion  the rate where the smoothed loss falls steepest; nan if it never falls
    """

    rates: Array
    losses: Array
    smooth: Array
    suggestion: float


def find_learning_rate(
    fun: Callable[..., Any],
    x0: Any,
    *,
    rule: Rule = adam,
    jac: Callable[..., Any] | bool | str | None = None,
    args: tuple[Any, ...] = (),
    batches: Iterable[Any] | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.05,
    **hyperparameters: Value,
) -> LearningRates:
    """Take steps with a learning rate that grows from `lowest` to `highest`, from one start.

    fun, x0, jac, args, batches   as ruleonce.minimize has them
    steps       how many; it ends sooner where the loss is four times its least, or not finite
    smoothing   of the loss: the share of the newest one in the average

    Source: Smith 2017, arXiv:1506.01186, section 3.3.

    Raises HyperparameterError for a rule without a learning rate, and for a range that is none.
    """
    if "learning_rate" not in rule.hyperparameters:
        raise HyperparameterError(f"{rule.name} has no learning_rate to look for.")
    if not 0 < lowest < highest or steps < 2 or not 0 < smoothing <= 1:
        raise HyperparameterError(
            f"the range is {lowest!r} to {highest!r} in {steps!r} steps, smoothing {smoothing!r}; "
            "it needs 0 < lowest < highest, 2 steps or more, and 0 < smoothing <= 1."
        )
    x = start(x0)
    options: dict[str, Any] = dict(hyperparameters)
    optimizer = Optimizer(rule, x, **options)
    objective = Objective(fun, jac, tuple(args), batches, None)
    gradient = np.zeros_like(x)
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    smooth: list[float] = []
    average = 0.0
    for rate in rates:
        if not objective.next_batch():
            break
        objective.gradient(x, gradient)
        loss = objective.value(x)
        if not math.isfinite(loss) or not np.isfinite(gradient).all():
            break
        losses.append(loss)
        average = (1 - smoothing) * average + smoothing * loss
        smooth.append(average / (1 - (1 - smoothing) ** len(losses)))
        span = max(smooth[0] - min(smooth), abs(smooth[0]), 1e-300)
        if smooth[-1] > min(smooth) + 4 * span:
            break
        optimizer.hyperparameters["learning_rate"] = float(rate)
        optimizer.step(gradient)
    known = rates[: len(losses)]
    return LearningRates(known, np.array(losses), np.array(smooth), _steepest(known, smooth))


def _steepest(rates: Array, smooth: list[float]) -> float:
    if len(smooth) < 2:
        return math.nan
    slopes = np.diff(smooth) / np.diff(np.log(rates))
    return float(rates[int(np.argmin(slopes))]) if slopes.min() < 0 else math.nan
