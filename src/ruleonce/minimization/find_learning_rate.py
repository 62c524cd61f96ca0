"""The learning rate range test: raise the rate from step to step, and see when the loss falls."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any  # x0 is whatever NumPy can read

import numpy as np

from ..engines import Array
from ..errors import HyperparameterError
from ..language.hyperparameters import Value
from ..language.rule import Rule
from ..numpy import Optimizer
from ..rules.adam import adam
from .objective import Function, Gradient, Objective
from .points import start

_RISE = 4.0  # how far above its least the loss may rise before the test is over


@dataclass(frozen=True)
class LearningRates:
    """What a range test found; the arrays are a curve, to be drawn with a logarithmic axis.

    rates       the learning rates, one a step
    losses      the loss before the step with that rate
    smooth      a moving average of the losses, corrected for its start as Adam's is
    suggestion  the rate where `smooth` falls steepest along log(rate); nan if it never falls
    """

    rates: Array
    losses: Array
    smooth: Array
    suggestion: float


def find_learning_rate(
    fun: Function,
    x0: Any,
    *,
    rule: Rule = adam,
    jac: Gradient = None,
    args: object = (),
    batches: Iterable[object] | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.05,
    engine: str = "auto",
    **hyperparameters: Value,
) -> LearningRates:
    """Take steps with a learning rate that grows from `lowest` to `highest`, as powers do.

    The steps follow one another from x0, which is not changed. The test ends sooner where the
    smoothed loss has risen above its least by four times the fall until there (or four times its
    first value, if that is more), or is not finite.

    fun, x0, rule, jac, args, batches   as ruleonce.minimize has them
    lowest, highest, steps              the rates: as many, from one to the other
    smoothing                           the share of the newest loss in the average; 1 for none
    engine, hyperparameters             as ruleonce.Optimizer has them

    Source: Smith 2017, arXiv:1506.01186, section 3.3; the moving average is fastai's.

    Raises HyperparameterError for a rule without a learning rate, for one that is given, and for a
    range that is none.
    """
    if "learning_rate" not in rule.hyperparameters:
        raise HyperparameterError(f"{rule.name} has no learning_rate to look for.")
    if "learning_rate" in hyperparameters:
        raise HyperparameterError(
            "learning_rate is what is looked for; say where: lowest=1e-6, highest=10.0."
        )
    if not 0 < lowest < highest < math.inf or steps < 2 or not 0 < smoothing <= 1:
        raise HyperparameterError(
            f"the range is {lowest!r} to {highest!r} in {steps!r} steps, smoothing {smoothing!r}; "
            "it needs 0 < lowest < highest, 2 steps or more, and 0 < smoothing <= 1."
        )
    x = start(x0)
    options: dict[str, Any] = dict(hyperparameters)  # as wide as Optimizer's own arguments
    optimizer = Optimizer(rule, x, engine=engine, **options)
    objective = Objective(fun, jac, args, batches, x)
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    smooth: list[float] = []
    average = 0.0
    for rate in rates:
        if not (np.isfinite(x).all() and objective.next_batch()):
            break
        loss = objective.value(x)
        objective.find_gradient(x)
        if not (math.isfinite(loss) and np.isfinite(objective.gradient).all()):
            break
        losses.append(loss)
        average += smoothing * (loss - average)
        smooth.append(average / (1 - (1 - smoothing) ** len(losses)))
        if smooth[-1] - min(smooth) > _RISE * max(smooth[0] - min(smooth), abs(smooth[0])):
            break
        optimizer.hyperparameters["learning_rate"] = float(rate)
        optimizer.step(objective.gradient)
        objective.moved()
    known = rates[: len(losses)]
    return LearningRates(known, np.array(losses), np.array(smooth), _steepest(known, smooth))


def _steepest(rates: Array, smooth: list[float]) -> float:
    """The rate of the step after which the loss falls most; they are equally far apart."""
    falls = -np.diff(smooth)
    return float(rates[int(np.argmax(falls))]) if falls.size and falls.max() > 0 else math.nan
