"""The options of an optimizer, in PyTorch's words and in ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # the options of a param group are whatever a class has

import torch
from torch import Tensor

from ..errors import HyperparameterError, TensorTypeError
from .features import Features
from .layout import DTYPES
from .storing import Storing

Group = Mapping[str, Any]

# A key of the param group, or a place in a tuple that it holds.
Word = str | tuple[str, int]

# PyTorch's words for the hyperparameters of rules, where they differ.
WORDS: Mapping[str, Word] = {
    "learning_rate": "lr",
    "beta1": ("betas", 0),
    "beta2": ("betas", 1),
    "beta3": ("betas", 2),
}


@dataclass(frozen=True)
class Settings:
    """What an optimizer was made with, beside its param groups."""

    engine: str
    state_dtype: torch.dtype | None
    features: Features
    storing: Storing | None = None


def labels_of(groups: Sequence[Group]) -> list[str]:
    """What parameters are called: the name given with each, or else its number in a state dict."""
    labels: list[str] = []
    for group in groups:
        count = len(group["params"])
        named = group.get("param_names") or []
        labels += [*named[:count], *map(str, range(len(labels) + len(named), len(labels) + count))]
    return labels


def option(group: Group, word: Word) -> Any:
    """The value of a word in a param group. Raises HyperparameterError for a tensor of several."""
    value = group[word] if isinstance(word, str) else group[word[0]][word[1]]
    if isinstance(value, Tensor) and value.numel() != 1:
        raise HyperparameterError(
            f"{word if isinstance(word, str) else word[0]} is a tensor of {value.numel()} "
            "elements; it must be one number."
        )
    return value


def as_start(value: Any, name: str, state: str) -> float:
    """The number that a state starts at; raises HyperparameterError if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise HyperparameterError(f"{name}={value!r}: {state} cannot start there.") from error


def is_on_device(group: Group) -> bool:
    """Whether the numbers of a group are to stay on the device, as for a CUDA graph."""
    if group.get("capturable"):
        return True
    rate = group.get("lr")
    return isinstance(rate, Tensor) and rate.device.type != "cpu"


def checked_state_dtype(dtype: object) -> torch.dtype | None:
    """A dtype for the state; raises TensorTypeError for what is none."""
    if dtype is None or dtype in DTYPES.values():
        return dtype  # type: ignore[return-value]  # it is one of torch's
    known = ", ".join(map(str, DTYPES.values()))
    raise TensorTypeError(f"state_dtype is {dtype!r}; it must be None or one of {known}.")
