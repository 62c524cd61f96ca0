"""Every rule x every front end: the same steps as the plain rule over NumPy arrays, in float64.

A rule is here because it stands in `ruleonce.rules`. The front ends share no loop: each gathers,
counts and hands on in its own way, and what comes out has to be the same walk.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
import torch

import ruleonce as ro
import ruleonce.optax
import ruleonce.scipy
import ruleonce.torch

STEPS = 20
START = np.linspace(-2.0, 3.0, 11)

# Sums of a reduction are taken in another order; all else is equal to the last bit or two.
SHARE = 1e-12


def gradient(w):
    """That of a smooth function with curvatures from 0.1 to 10, in NumPy or PyTorch or JAX."""
    return w * CURVATURES.reshape(-1)[: len(w)] + 0.01


CURVATURES = np.geomspace(0.1, 10.0, len(START))


def over_numpy(rule, engine):
    w = START.copy()
    optimizer = ro.Optimizer(rule, w, engine=engine)
    for _ in range(STEPS):
        optimizer.step(gradient(w))
    return w


def in_pytorch(rule, engine):
    w = torch.nn.Parameter(torch.from_numpy(START.copy()))
    optimizer = ruleonce.torch.optimizer(rule)([w], engine=engine)
    for _ in range(STEPS):
        w.grad = torch.from_numpy(gradient(w.detach().numpy()))
        optimizer.step()
    return w.detach().numpy()


def in_scipy(rule):
    found = scipy.optimize.minimize(
        lambda w: float(w @ (CURVATURES * w) / 2 + 0.01 * w.sum()),
        START.copy(),
        jac=gradient,
        method=ruleonce.scipy.method(rule),
        options={"maxiter": STEPS, "gtol": 0.0},
    )
    assert found.nit == STEPS
    return found.x


def in_optax(rule):
    with jax.enable_x64(True):
        transformation = ruleonce.optax.transformation(rule)()
        w = jnp.asarray(START)
        state = transformation.init(w)
        for _ in range(STEPS):
            updates, state = transformation.update(gradient(w), state, w)
            w = optax.apply_updates(w, updates)
        return np.asarray(w)


FRONT_ENDS = {
    "numpy-cpu": lambda rule: over_numpy(rule, "cpu"),
    "torch-cpu": lambda rule: in_pytorch(rule, "cpu"),
    "torch-tensors": lambda rule: in_pytorch(rule, "tensors"),
    "scipy": in_scipy,
    "optax": in_optax,
}


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_walks_the_same_way_through_every_front_end(rule, front_end):
    expected = over_numpy(rule, "reference")
    got = FRONT_ENDS[front_end](rule)
    moved = np.max(np.abs(expected - START))

    assert got.dtype == np.float64
    assert moved > 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=SHARE * max(moved, 1.0))
