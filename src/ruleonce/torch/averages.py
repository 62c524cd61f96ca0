"""The moving average of the weights: kept where a step leaves some out, and put in their place."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any  # the state of an optimizer

import torch
from torch import Tensor

from ..combinators import averaged
from ..errors import HyperparameterError
from ..language.graph import evaluate
from ..language.rule import rule
from .layout import local
from .settings import Settings
from .slots import AVERAGE


class Averaging(torch.optim.Optimizer):
    """The part of an optimizer that has to do with the average."""

    _settings: Settings

    @property
    def ema(self) -> float | None:
        """The share of the average that a step keeps."""
        return self._settings.features.ema

    def average(self) -> AbstractContextManager[None]:
        """`with optimizer.average():` evaluate the model with the moving average of its weights.

        Raises HyperparameterError if the optimizer was made without `ema`.
        """
        if self.ema is None:
            raise HyperparameterError(
                f"there is no average: make the optimizer with one, {type(self).__name__}(..., "
                "ema=0.999)."
            )
        return averaged_weights(self)


_still = averaged(rule(lambda w, _: w))


@torch.no_grad()
def average_others(state: Mapping[Any, Any], parameters: Iterable[Tensor], decay: float) -> None:
    """Have the averages of parameters that a step leaves out go on towards them."""
    program = _still.program()
    for parameter in parameters:
        entry = state.get(parameter, {})
        if AVERAGE in entry:
            average, weights = local(entry[AVERAGE]), local(parameter)
            values = {"w": weights.to(average.dtype), AVERAGE: average, "average_decay": decay}
            average.copy_(*evaluate([program.outputs[AVERAGE]], values, torch, float))


@contextmanager
def averaged_weights(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put the moving average of the weights in their place; afterwards they are back."""
    pairs = [
        (local(parameter), local(optimizer.state[parameter][AVERAGE]))
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter in optimizer.state and AVERAGE in optimizer.state[parameter]
    ]
    with torch.no_grad():
        kept = [weights.clone() for weights, _ in pairs]
        for weights, average in pairs:
            weights.copy_(average)
    try:
        yield
    finally:
        with torch.no_grad():
            for (weights, _), own in zip(pairs, kept, strict=True):
                weights.copy_(own)
