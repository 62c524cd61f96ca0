"""The same walk by a rule and by a peer: tensors of several shapes at once, in float64."""

import numpy as np
import torch

import ruleonce as ro

# 0-d, short, more than one block of the cpu engine's sums, and more than two dimensions.
SHAPES = ((5, 7), (3,), (4097,), (2, 3, 4), (), (1, 6))
STEPS = 100


def start(rng, shapes):
    return [np.asarray(rng.normal(size=shape)) for shape in shapes]


def gradients(rng, weights):
    """Those of a bowl, with noise: they turn, shrink and are never 0."""
    return [0.3 * np.asarray(w) + np.asarray(rng.normal(size=w.shape)) for w in weights]


def by_rule(rule, shapes=SHAPES, engine="cpu", steps=STEPS, **hyperparameters):
    """The weights after a walk, and the optimizer."""
    rng = np.random.default_rng(0)
    weights = start(rng, shapes)
    optimizer = ro.Optimizer(rule, weights, engine=engine, **hyperparameters)
    for _ in range(steps):
        optimizer.step(gradients(rng, weights))
    return weights, optimizer


def by_torch(make, shapes=SHAPES, steps=STEPS):
    """The same for an optimizer of PyTorch, made of a list of tensors."""
    rng = np.random.default_rng(0)
    weights = [torch.tensor(w) for w in start(rng, shapes)]
    optimizer = make(weights)
    for _ in range(steps):
        for w, dw in zip(weights, gradients(rng, weights), strict=True):
            w.grad = torch.tensor(dw)
        optimizer.step()
    return [w.numpy() for w in weights], optimizer


def by_optax(transformation, shapes=SHAPES, steps=STEPS):
    """The same for a transformation of optax, and its state."""
    import jax
    import optax

    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        weights = [jax.numpy.asarray(w) for w in start(rng, shapes)]
        state = transformation.init(weights)
        update = jax.jit(transformation.update)
        for _ in range(steps):
            dws = [jax.numpy.asarray(dw) for dw in gradients(rng, weights)]
            updates, state = update(dws, state, weights)
            weights = optax.apply_updates(weights, updates)
        return [np.asarray(w) for w in weights], state


def assert_same_end(ours, theirs, rtol=1e-10):
    """Each tensor within `rtol` of its longest element: a weight may be on its way through 0."""
    for place, (w, expected) in enumerate(zip(ours, theirs, strict=True)):
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(w, expected, rtol=0, atol=rtol * scale, err_msg=str(place))
