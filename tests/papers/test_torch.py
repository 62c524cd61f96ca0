"""The rules of the card against torch.optim, 100 steps in float64.

The formulas are the same; their sums associate differently, so they differ in the last bits.
"""

import numpy as np
import pytest
import torch

import ruleonce as ro

STEPS = 100
TOLERANCE = 1e-12

PAIRS = {
    "sgd": (ro.sgd, {}, lambda p: torch.optim.SGD(p, lr=0.01)),
    "momentum": (ro.momentum, {}, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    "nesterov": (
        ro.nesterov,
        {},
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    ),
    # torch starts the sum at 0, as the card does, and has eps=1e-10.
    "adagrad": (
        ro.adagrad,
        {"eps": 1e-10},
        lambda p: torch.optim.Adagrad(p, lr=0.01, initial_accumulator_value=0.0),
    ),
    "rmsprop": (ro.rmsprop, {"beta2": 0.99}, lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "adam": (ro.adam, {}, lambda p: torch.optim.Adam(p, lr=0.01)),
}


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("name", PAIRS)
def test_a_rule_agrees_with_torch(name, engine):
    rule, hyperparameters, peer = PAIRS[name]
    rng = np.random.default_rng(0)
    w = rng.normal(size=(7, 11))
    start = w.copy()
    ours = ro.Optimizer(rule, w, engine=engine, learning_rate=0.01, **hyperparameters)
    weights = torch.tensor(w)
    theirs = peer([weights])

    for _ in range(STEPS):
        dw = rng.normal(size=w.shape)
        ours.step(dw)
        weights.grad = torch.tensor(dw)
        theirs.step()

    np.testing.assert_allclose(w, weights.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    assert np.min(np.abs(w - start)) > 1e-6


def test_adam_without_bias_correction_takes_a_first_step_3_16_times_too_long():
    w, dw = np.zeros(3), np.array([1.0, -2.0, 1e-3])

    ro.Optimizer(ro.adam_simplified, w, learning_rate=0.1, eps=0.0).step(dw)

    first = (1 - 0.9) / np.sqrt(1 - 0.999)  # of the learning rate: 3.16
    np.testing.assert_allclose(w, -0.1 * first * np.sign(dw), rtol=1e-12)
    assert first == pytest.approx(3.16, abs=0.005)


def test_the_first_step_of_adam_is_as_long_as_the_learning_rate():
    w, dw = np.zeros(3), np.array([1.0, -2.0, 1e-3])

    ro.Adam(w, learning_rate=0.1, eps=0.0).step(dw)

    np.testing.assert_allclose(w, -0.1 * np.sign(dw), rtol=1e-12)


def test_rmsprop_is_adam_simplified_without_velocity():
    runs = []
    for rule, extra in ((ro.rmsprop, {}), (ro.adam_simplified, {"beta1": 0.0})):
        w = np.linspace(-1, 1, 9)
        optimizer = ro.Optimizer(rule, w, **extra)
        for _ in range(20):
            optimizer.step(np.cos(w))
        runs.append(w)

    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-15)


def test_momentum_without_a_share_kept_is_plain_descent():
    runs = []
    for rule, extra in ((ro.sgd, {}), (ro.momentum, {"beta1": 0.0}), (ro.nesterov, {"beta1": 0.0})):
        w = np.linspace(-1, 1, 9)
        optimizer = ro.Optimizer(rule, w, learning_rate=0.1, **extra)
        for _ in range(20):
            optimizer.step(np.cos(w))
        runs.append(w)

    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_adagrad_divides_by_the_root_of_all_squared_gradients():
    """By hand: gradients 3, then 4; v is 9, then 25; steps 3/3, then 4/5."""
    w = np.zeros(1)
    optimizer = ro.AdaGrad(w, learning_rate=1.0, eps=0.0)

    optimizer.step(np.array([3.0]))
    optimizer.step(np.array([4.0]))

    np.testing.assert_allclose(w, [-1.8], rtol=1e-15)
    np.testing.assert_allclose(optimizer.state["v"], [25.0], rtol=1e-15)
