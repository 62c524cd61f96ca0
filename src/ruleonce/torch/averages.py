"""The moving average of the weights: kept where a step leaves some out, and put in their place."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any  # the state of an optimizer

import torch
from torch import Tensor

from ..combinators import averaged
from ..errors import HyperparameterError
from ..formats import Storage
from ..language.graph import evaluate
from ..language.rule import rule
from .held import values_in, write
from .layout import local
from .settings import Settings
from .slots import AVERAGE, WEIGHTS

Held = Callable[[dict[str, Any]], Mapping[str, Storage]]  # what an entry is kept in, by key


class Averaging(torch.optim.Optimizer):
    """The part of an optimizer that has to do with the average."""

    _settings: Settings

    def _held_in(self, entry: dict[str, Any]) -> dict[str, Storage]:
        """How the state of a parameter is kept in parts, by key."""
        raise NotImplementedError

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
        return averaged_weights(self, self._held_in)


_still = averaged(rule(lambda w, _: w))


@torch.no_grad()
def average_others(
    state: Mapping[Any, Any], held: Held, parameters: Iterable[Tensor], decay: float
) -> None:
    """Have the averages of parameters that a step leaves out go on towards them."""
    program = _still.program()
    for parameter in parameters:
        entry = state.get(parameter, {})
        if AVERAGE in entry:
            storages = held(entry)
            average = values_in(entry, AVERAGE, storages.get(AVERAGE), parameter)
            weights = values_in(entry, WEIGHTS, storages.get(WEIGHTS), parameter)
            assert average is not None and weights is not None  # noqa: S101, PT018
            values = {"w": weights.to(average.dtype), AVERAGE: average, "average_decay": decay}
            (new,) = evaluate([program.outputs[AVERAGE]], values, torch, float)
            write(entry, AVERAGE, storages.get(AVERAGE), parameter, new)


@contextmanager
def averaged_weights(optimizer: torch.optim.Optimizer, held: Held) -> Iterator[None]:
    """Put the moving average of the weights in their place; afterwards they are back."""
    pairs = []
    with torch.no_grad():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                entry = optimizer.state.get(parameter, {})
                storage = held(entry).get(AVERAGE)
                average = values_in(entry, AVERAGE, storage, parameter)
                if average is not None:
                    pairs.append((local(parameter), average))
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
