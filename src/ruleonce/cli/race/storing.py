"""How weights and state of an entry are stored: `ruleonce race --formats 8bit,bfloat16+8`."""

from collections.abc import Iterable, Mapping
from typing import Any  # a type checker cannot know that no number is called `engine`

import numpy as np

from ...errors import CommandError
from ...formats import BFLOAT16, Storage
from ...formats.choice import Choice, eight_bits, named
from ...language.hyperparameters import nearest
from ...language.rule import Rule
from ...numpy import Optimizer
from .network import Parameters, copies

FLOAT32 = "float32"

# name -> what the weights are stored as, and whether the state is stored in 8 bits
STORED: Mapping[str, tuple[str | None, bool]] = {
    FLOAT32: (None, False),
    "8bit": (None, True),
    "bfloat16": ("bfloat16", False),
    "bfloat16_stochastic": ("bfloat16_stochastic", True),
    "bfloat16+8": ("bfloat16+8", True),
    "bfloat16+16": ("bfloat16+16", False),
}


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, or float32 alone; CommandError for one that there is not."""
    found = tuple(dict.fromkeys(names)) or (FLOAT32,)
    for name in found:
        if name not in STORED:
            raise CommandError(
                f"--formats has {name!r}; the race has {', '.join(STORED)}{nearest(name, STORED)}"
            )
    return found


def optimizer_of(
    rule: Rule, parameters: Parameters, name: str, numbers: Mapping[str, Any]
) -> Optimizer:
    """A fresh optimizer whose `params` start as these weights do, as near as they are stored.

    Arrays of float32 are updated themselves, others are new.

    State that is not in 8 bits is float32, but for weights in plain bfloat16: all is bfloat16 then.
    """
    weights, is_short = STORED[name]
    schema = rule.schema
    switches = {switch: bool(rule.hyperparameters[switch]) for switch in schema.switches}
    formats: dict[str, Any] = dict(eight_bits(rule, switches)) if is_short else {}
    if weights is None:
        return Optimizer(rule, parameters, formats=formats or None, **numbers)
    narrow = {key: array.astype(BFLOAT16.dtype) for key, array in parameters.items()}
    if not isinstance(named(weights), Storage):
        return Optimizer(rule, narrow, **numbers)
    formats[schema.weights] = weights
    optimizer = Optimizer(rule, narrow, formats=Choice(formats), **numbers)
    optimizer.masters = copies(parameters)
    return optimizer


def computed_with(parameters: Parameters) -> Parameters:
    """What the network sees: the weights in float32, themselves where they are that."""
    return {name: array.astype(np.float32, copy=False) for name, array in parameters.items()}
