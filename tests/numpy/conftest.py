"""What tests of the NumPy front end share."""

from contextlib import contextmanager

import numpy as np
import pytest


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


def everything(optimizer):
    """All that a step may change, as bytes and numbers."""
    leaves = optimizer._structure.flatten
    state = {
        name: [bits(x) for x in leaves(value, name)] if name in optimizer.rule.state else value
        for name, value in optimizer.state.items()
    }
    weights = [bits(x) for x in leaves(optimizer.params, "params")]
    groups = {pattern: dict(values) for pattern, values in optimizer.groups.items()}
    return weights, state, optimizer.t, dict(optimizer.hyperparameters), groups


@pytest.fixture
def unchanged():
    """`with unchanged(optimizer, *words):` something is refused with these words, and the weights,
    the state, t and the hyperparameters are bit for bit what they were.
    """

    @contextmanager
    def check(optimizer, error, *words):
        before = everything(optimizer)
        with pytest.raises(error) as caught:
            yield
        assert before == everything(optimizer)
        for word in words:
            assert word in str(caught.value)

    return check


@pytest.fixture
def untouched():
    """`with untouched(arrays, error, *words):` an optimizer is refused; no array was written to."""

    @contextmanager
    def check(arrays, error, *words):
        before = [np.array(x, copy=True, subok=True).tobytes() for x in arrays]
        with pytest.raises(error) as caught:
            yield
        assert before == [np.array(x, copy=True, subok=True).tobytes() for x in arrays]
        for word in words:
            assert word in str(caught.value)

    return check
