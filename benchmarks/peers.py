"""The ways to take one Adam step that are compared, each over weights of its own.

A peer is made from the weights that all start from and the gradients that all use. What it gives
back is a function that takes a step, and one that tells the weights.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any  # arrays and optimizers of libraries that may not be installed

import numpy as np

import ruleonce as ro

Array = np.ndarray[Any, Any]
Arrays = list[Array]
Step = Callable[[], object]
Made = tuple[Step, Callable[[], Iterable[Array]]]

LEARNING_RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8

CARD = "the card's NumPy"
OURS = "ruleonce.Adam"
FRESH = "ruleonce.Adam, fresh gradients"
FUSED = "torch, fused"


@dataclass(frozen=True)
class Peer:
    """A way to take the step, and the library that it needs beside NumPy and ruleonce."""

    name: str
    needs: str
    make: Callable[[Arrays, Arrays], Made]


@dataclass
class Candidate:
    """A peer at work; its times are seconds a step, one a round."""

    name: str
    step: Step
    weights: Callable[[], Iterable[Array]]
    times: list[float] = field(default_factory=list)


def candidates(peers: Iterable[Peer], count: int, size: int) -> Iterator[Candidate]:
    """Those of the peers that are installed, over `count` tensors of `size` elements."""
    start, gradients = problem(count, size)
    for peer in peers:
        try:
            step, weights = peer.make(start, gradients)
        except ImportError:  # a missing peer is a gap in the table, not the end of it
            continue
        yield Candidate(peer.name, step, weights)


def problem(count: int, size: int) -> tuple[Arrays, Arrays]:
    """Weights to start from, and gradients."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(size, np.float32) for _ in range(count)]
    gradients = [rng.standard_normal(size, np.float32) for _ in range(count)]
    for dw in gradients:  # none near 0, where the place of eps, which libraries differ in, counts
        dw += np.copysign(np.float32(0.1), dw)
    return start, gradients


def check(all_: list[Candidate], steps: int = 5) -> None:
    """Raise AssertionError if a candidate does not take the card's steps: nobody is to be timed for
    doing less.

    Five steps move each weight by about 5e-3, so a fault in one of them is far above the tolerance.
    """
    for candidate in all_:
        for _ in range(steps):
            candidate.step()
    card = next(candidate for candidate in all_ if candidate.name == CARD)
    for candidate in all_:
        for w, expected in zip(candidate.weights(), card.weights(), strict=True):
            np.testing.assert_allclose(w, expected, rtol=0, atol=5e-6, err_msg=candidate.name)


def copies(arrays: Arrays) -> Arrays:
    """Arrays of one's own."""
    return [x.copy() for x in arrays]


# In the package no formula stands twice. Here the card's NumPy code is what is measured, so it
# stands here, as on the card.
def card(start: Arrays, gradients: Arrays) -> Made:
    """The lines of the card, for each tensor."""
    weights = copies(start)
    states = [[np.zeros_like(w), np.zeros_like(w)] for w in weights]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for w, dw, state in zip(weights, gradients, states, strict=True):
            m, v = state
            m = BETA1 * m + (1 - BETA1) * dw
            mt = m / (1 - BETA1**t)
            v = BETA2 * v + (1 - BETA2) * (dw**2)
            vt = v / (1 - BETA2**t)
            w += -LEARNING_RATE * mt / (np.sqrt(vt) + EPS)
            state[:] = m, v

    return step, lambda: weights


def careful(start: Arrays, gradients: Arrays) -> Made:
    """What one would write for speed: nothing is allocated in a step, and the numbers that are
    equal for all elements are multiplied first.
    """
    weights = copies(start)
    states = [tuple(np.zeros_like(w) for _ in range(3)) for w in weights]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        rate, root = LEARNING_RATE / (1 - BETA1**t), (1 - BETA2**t) ** 0.5
        for w, dw, (m, v, a) in zip(weights, gradients, states, strict=True):
            np.multiply(m, BETA1, out=m)
            np.multiply(dw, 1 - BETA1, out=a)
            np.add(m, a, out=m)
            np.multiply(v, BETA2, out=v)
            np.multiply(dw, dw, out=a)
            np.multiply(a, 1 - BETA2, out=a)
            np.add(v, a, out=v)
            np.sqrt(v, out=a)
            np.divide(a, root, out=a)
            np.add(a, EPS, out=a)
            np.divide(m, a, out=a)
            np.multiply(a, rate, out=a)
            np.subtract(w, a, out=w)

    return step, lambda: weights


def scikit_learn(start: Arrays, gradients: Arrays) -> Made:
    """The private optimizer of MLPClassifier."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    weights = copies(start)
    optimizer = AdamOptimizer(weights, LEARNING_RATE, BETA1, BETA2, EPS)
    return partial(optimizer.update_params, weights, gradients), lambda: weights


def torch_form(start: Arrays, gradients: Arrays, **form: bool) -> Made:
    """torch.optim.Adam; `form` says which of its three."""
    import torch

    weights = [torch.tensor(w, requires_grad=True) for w in start]
    for w, dw in zip(weights, gradients, strict=True):
        w.grad = torch.from_numpy(dw)  # the same memory: it is only read
    optimizer = torch.optim.Adam(weights, LEARNING_RATE, (BETA1, BETA2), EPS, **form)
    return optimizer.step, lambda: [w.detach().numpy() for w in weights]


def optax(start: Arrays, gradients: Arrays) -> Made:
    """optax.adam, compiled as one function that may overwrite the old weights and state."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    from optax import adam, apply_updates

    transformation = adam(LEARNING_RATE, BETA1, BETA2, EPS)

    def update(weights: Any, state: Any, dw: Any) -> tuple[Any, Any]:
        updates, state = transformation.update(dw, state, weights)
        return apply_updates(weights, updates), state

    compiled = jax.jit(update, donate_argnums=(0, 1))
    weights = [jax.numpy.array(w) for w in start]
    dw = [jax.numpy.array(x) for x in gradients]
    held = (weights, transformation.init(weights))

    def step() -> None:
        nonlocal held
        held = jax.block_until_ready(compiled(*held, dw))

    return step, lambda: map(np.asarray, held[0])


def ours(start: Arrays, gradients: Arrays) -> Made:
    """ruleonce, given the same gradient arrays at each step, as where they are filled in place."""
    weights = copies(start)
    return partial(ro.Adam(weights, learning_rate=LEARNING_RATE).step, gradients), lambda: weights


def ours_fresh(start: Arrays, gradients: Arrays) -> Made:
    """ruleonce, given gradient arrays that it did not have at the step before."""
    weights = copies(start)
    optimizer = ro.Adam(weights, learning_rate=LEARNING_RATE)
    sets = cycle([gradients, copies(gradients)])  # two in turn: none is made while time is taken
    return lambda: optimizer.step(next(sets)), lambda: weights


PEERS = (
    Peer(CARD, "", card),
    Peer("NumPy with out=", "", careful),
    Peer("scikit-learn", "scikit-learn", scikit_learn),
    Peer("torch, single tensor", "torch", partial(torch_form, foreach=False)),
    Peer("torch, foreach", "torch", partial(torch_form, foreach=True)),
    Peer(FUSED, "torch", partial(torch_form, fused=True)),
    Peer("optax, jitted", "optax", optax),
    Peer(OURS, "", ours),
    Peer(FRESH, "", ours_fresh),
)
