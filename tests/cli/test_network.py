"""The network of the race: its gradients, its loss, its start."""

import numpy as np
import pytest

from ruleonce.cli.race.network import (
    accuracy,
    class_scores,
    initial_parameters,
    loss,
    loss_and_gradients,
)

# A centred difference of step h errs by about h**2 by its form and by eps / h by rounding; with
# h = 1e-5 in float64 both are near 1e-10.
STEP = 1e-5
BOUND = 1e-8


def network(dtype):
    rng = np.random.default_rng(0)
    parameters = initial_parameters(5, 7, 3, rng, dtype)
    parameters["b1"] += rng.standard_normal(7).astype(dtype)  # so that no bias hides by being 0
    parameters["b2"] += rng.standard_normal(3).astype(dtype)
    return parameters, rng.standard_normal((11, 5)).astype(dtype), rng.integers(0, 3, 11)


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_gradients_are_the_slopes_of_the_loss(name):
    parameters, x, y = network(np.float64)
    _, gradients = loss_and_gradients(parameters, x, y)
    slopes = np.zeros_like(parameters[name])
    for place in np.ndindex(slopes.shape):
        was = parameters[name][place]
        parameters[name][place] = was + STEP
        above = loss(parameters, x, y)
        parameters[name][place] = was - STEP
        slopes[place] = (above - loss(parameters, x, y)) / (2 * STEP)
        parameters[name][place] = was

    assert np.abs(slopes).max() > 0.01
    np.testing.assert_allclose(gradients[name], slopes, rtol=0, atol=BOUND)


def test_the_loss_with_gradients_is_the_loss():
    parameters, x, y = network(np.float64)

    assert loss(parameters, x, y) == loss_and_gradients(parameters, x, y)[0]


def test_a_network_that_knows_nothing_loses_the_logarithm_of_the_classes():
    parameters, x, y = network(np.float64)
    parameters["W2"][:] = parameters["b2"][:] = 0

    assert loss(parameters, x, y) == pytest.approx(np.log(3), rel=1e-15)


def test_huge_scores_do_not_overflow():
    """exp(1e4) is inf; the highest score is taken off first."""
    parameters, x, y = network(np.float32)
    parameters["b2"][:] = [1e4, 0, 0]

    value, gradients = loss_and_gradients(parameters, x, y)

    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradients.values())


def test_everything_stays_float32():
    parameters, x, y = network(np.float32)
    _, gradients = loss_and_gradients(parameters, x, y)

    assert {np.dtype(np.float32)} == {a.dtype for a in (*parameters.values(), *gradients.values())}


def test_accuracy_is_the_share_of_right_answers():
    parameters, x, _ = network(np.float32)
    answers = class_scores(parameters, x).argmax(axis=1)
    labels = answers.copy()
    labels[:2] = (labels[:2] + 1) % 3

    assert accuracy(parameters, x, answers) == 1
    assert accuracy(parameters, x, labels) == 9 / 11
