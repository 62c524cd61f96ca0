"""An optimizer in a training program: autograd.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import warnings

import pytest
import torch
from torch import nn
from training import parameter

import ruleonce.torch as rt
from ruleonce.errors import (
    HyperparameterError,
)


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("layout", ["contiguous", "sliced"])
def test_a_backward_through_weights_of_before_the_step_is_an_error(layout, engine):
    def drive(cls, **options):
        base = torch.ones(3, 2, dtype=torch.float64)
        weights = nn.Parameter(base[:, 0] if layout == "sliced" else base)
        optimizer = cls([weights], lr=0.1, **options)
        loss = weights.square().sum()
        weights.grad = torch.ones_like(weights)
        before = weights._version
        optimizer.step()
        assert weights._version > before
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()

    drive(torch.optim.SGD)
    drive(rt.SGD, engine=engine)


def test_weights_without_a_gradient_keep_their_version():
    one, other = parameter(gradient=[1.0, 1.0, 1.0]), parameter()
    loss = other.square().sum()
    rt.Adam([one, other]).step()
    loss.backward()
    assert other._version == 0


@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_gradients_are_never_written_to(engine):
    for cls in (rt.AdamW, rt.SGD, rt.RMSprop, rt.Lion, rt.ASGD):
        weights = parameter([1.0, 2.0, 3.0], gradient=[1e3, -2e3, 0.0])
        optimizer = cls([weights], weight_decay=0.1, maximize=True, max_norm=0.5, engine=engine)
        gradient = weights.grad
        for _ in range(3):
            optimizer.step()
        assert weights.grad is gradient
        assert gradient.tolist() == [1e3, -2e3, 0.0]
        assert gradient._version == 0


def test_a_gradient_with_a_history_of_its_own_is_read():
    weights = parameter([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this makes a cycle is known
        weights.pow(3).sum().backward(create_graph=True)
    optimizer = rt.SGD([weights], lr=1.0, momentum=0.9, max_norm=1e9)
    optimizer.step()
    assert weights.tolist() == pytest.approx([-2.0, -10.0])
    assert not optimizer.state[weights]["momentum_buffer"].requires_grad
    assert weights.is_leaf


def test_differentiable_is_refused_or_differentiated():
    """With `differentiable=True` PyTorch's step is a part of the graph. Ours is not; it says so."""
    with pytest.raises((HyperparameterError, NotImplementedError), match="differentiable"):
        rt.Adam([parameter(gradient=[1.0, 1.0, 1.0])], differentiable=True).step()
