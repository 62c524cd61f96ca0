"""To go on where another run was: what a result holds of its optimizer."""

from collections.abc import Mapping
from typing import Any  # a state is an array, or a number

import numpy as np

from ..errors import TensorError
from ..numpy import Optimizer

State = Mapping[str, Any]


def snapshot(optimizer: Optimizer) -> dict[str, Any]:
    """All that another run needs: the rule's name, the step count `t`, and the optimizer's state,
    which must not change any more.
    """
    return {"rule": optimizer.rule.name, "t": optimizer.t, **optimizer.state}


def resume(optimizer: Optimizer, given: State) -> None:
    """Go on from a snapshot.

    Raises TensorError, and then nothing has changed, if it is of another rule or another x0, or no
    snapshot at all.
    """
    rule = optimizer.rule
    try:
        name, t = given["rule"], int(given["t"])
        found = {key: np.asarray(given[key]) for key in optimizer.state if name == rule.name}
    except (KeyError, TypeError, ValueError):
        raise TensorError(
            f"the state must be that of an earlier result, such as result.state; found {given!r}."
        ) from None
    if name != rule.name:
        raise TensorError(f"the state is of the rule {name!r}, and this run is of {rule.name!r}.")
    for key, own in optimizer.state.items():
        if found[key].shape != np.shape(own):
            raise TensorError(
                f"the state {key} has shape {found[key].shape}, and this x0 needs {np.shape(own)}."
            )
    for key in rule.state:
        optimizer.set_state(key, found[key])
    optimizer.restore(t, [found[key].item() for key in rule.scalars])
