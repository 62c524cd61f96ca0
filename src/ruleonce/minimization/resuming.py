"""To go on where another run was: what a result holds of its optimizer."""

from collections.abc import Mapping
from typing import Any  # a state is an array, or a number

import numpy as np

from ..errors import TensorError
from ..numpy import Optimizer

State = Mapping[str, Any]


def snapshot(optimizer: Optimizer) -> dict[str, Any]:
    """All that another run needs: the rule's name, the step count `t`, and copies of its state."""
    state = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in optimizer.state.items()
    }
    return {"rule": optimizer.rule.name, "t": optimizer.t, "state": state}


def resume(optimizer: Optimizer, given: State) -> None:
    """Go on from a snapshot.

    Raises TensorError, and then nothing has changed, if it is of another rule or another x0, or no
    snapshot at all.
    """
    try:
        name, t, state = given["rule"], int(given["t"]), dict(given["state"])
        found = {key: np.asarray(state[key]) for key in optimizer.state}
    except (KeyError, TypeError, ValueError):
        name = given.get("rule") if isinstance(given, Mapping) else None
        found = {}
    rule = optimizer.rule
    if name != rule.name or set(found) != set(optimizer.state):
        what = f"is of {name!r}" if isinstance(name, str) and name != rule.name else "is no state"
        raise TensorError(
            f"the state {what}, and this run needs one of {rule.name!r}: the `state` of an "
            f"earlier result."
        )
    for key, own in optimizer.state.items():
        if found[key].shape != np.shape(own):
            raise TensorError(
                f"the state {key} has shape {found[key].shape}, and this x0 needs {np.shape(own)}."
            )
    for key in rule.state:
        optimizer.state[key][...] = found[key]
    optimizer.restore(t, [found[key].item() for key in rule.scalars])
