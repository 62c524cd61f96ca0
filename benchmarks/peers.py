"""The ways to take one Adam step that are compared, each over weights of its own.

A peer is made from the weights that all start from and the gradients that all use. What it gives
back is a function that takes a step, and one that tells the weights.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any  # arrays and optimizers of libraries that may not be installed

import numpy as np

import ruleonce as ro

Array = np.ndarray[Any, Any]
Arrays = list[Array]
Step = Callable[[], object]

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
    make: Callable[[Arrays, Arrays], "Candidate"]


@dataclass
class Candidate:
    """A peer at work.

    step      takes a step
    weights   tells what it has made of the weights
    refill    takes the gradients over again, where they lie in memory of the library's own
    times     seconds a step, one a round
    """

    step: Step
    weights: Callable[[], Iterable[Array]]
    refill: Callable[[], object] = tuple  # nothing
    name: str = ""
    times: list[float] = field(default_factory=list)


def candidates(peers: Iterable[Peer], count: int, size: int) -> list[Candidate]:
    """Those of the peers that are installed, over `count` tensors of `size` elements; checked."""
    start, gradients = problem(count, size)
    made = []
    for peer in peers:
        try:
            candidate = peer.make(start, gradients)
        except ImportError:  # a missing peer is a gap in the table, not the end of it
            continue
        candidate.name = peer.name
        made.append(candidate)
    check(made, gradients)
    return made


def problem(count: int, size: int) -> tuple[Arrays, Arrays]:
    """Weights to start from, and gradients."""
    rng = np.random.default_rng(0)
    start = [rng.random(size, np.float32) for _ in range(count)]
    gradients = [rng.standard_normal(size, np.float32) for _ in range(count)]
    for dw in gradients:  # none near 0, where the place of eps, which libraries differ in, counts
        dw += np.copysign(np.float32(0.1), dw)
    return start, gradients


def check(all_: list[Candidate], gradients: Arrays) -> None:
    """Raise AssertionError if a candidate does not take the card's steps: nobody is to be timed for
    doing less.

    The gradients change between the steps, or a wrong mean of them would not show; in the end they
    are what they were. A step moves a weight by up to 1e-3; rounding, by 1e-7.
    """
    for factor in (1, -8, -0.125):  # exact in binary
        for dw in gradients:
            dw *= np.float32(factor)
        for candidate in all_:
            candidate.refill()
            candidate.step()
    card = next(candidate for candidate in all_ if candidate.name == CARD)
    for candidate in all_:
        for w, expected in zip(candidate.weights(), card.weights(), strict=True):
            np.testing.assert_allclose(w, expected, rtol=0, atol=5e-7, err_msg=candidate.name)


def copies(arrays: Arrays) -> Arrays:
    """Arrays of one's own."""
    return [x.copy() for x in arrays]


# In the package no formula stands twice. Here the card's NumPy code is what is measured, so it
# stands here, as on the card.
def card(start: Arrays, gradients: Arrays) -> Candidate:
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

    return Candidate(step, lambda: weights)


def careful(start: Arrays, gradients: Arrays) -> Candidate:
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

    return Candidate(step, lambda: weights)


def scikit_learn(start: Arrays, gradients: Arrays) -> Candidate:
    """The private optimizer of MLPClassifier."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    weights = copies(start)
    optimizer = AdamOptimizer(weights, LEARNING_RATE, BETA1, BETA2, EPS)
    return Candidate(partial(optimizer.update_params, weights, gradients), lambda: weights)


def torch_form(start: Arrays, gradients: Arrays, **form: bool) -> Candidate:
    """torch.optim.Adam; `form` says which of its three."""
    import torch

    weights = [torch.tensor(w, requires_grad=True) for w in start]
    optimizer = torch.optim.Adam(weights, LEARNING_RATE, (BETA1, BETA2), EPS, **form)

    def refill() -> None:
        for w, dw in zip(weights, gradients, strict=True):
            w.grad = torch.tensor(dw)  # a copy: from NumPy's memory it is slower, a fifth at 1M

    return Candidate(optimizer.step, lambda: [w.detach().numpy() for w in weights], refill)


def optax(start: Arrays, gradients: Arrays) -> Candidate:
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
    held = (weights, transformation.init(weights))
    dw: list[Any] = []

    def refill() -> None:
        dw[:] = [jax.numpy.array(x) for x in gradients]

    def step() -> None:
        nonlocal held
        held = jax.block_until_ready(compiled(*held, dw))

    return Candidate(step, lambda: map(np.asarray, held[0]), refill)


def ours(start: Arrays, gradients: Arrays) -> Candidate:
    """ruleonce, given the same gradient arrays at each step, as where they are filled in place."""
    weights = copies(start)
    optimizer = ro.Adam(weights, learning_rate=LEARNING_RATE)
    return Candidate(partial(optimizer.step, gradients), lambda: weights)


def ours_fresh(start: Arrays, gradients: Arrays) -> Candidate:
    """ruleonce, given gradient arrays that it did not have at the step before."""
    weights = copies(start)
    optimizer = ro.Adam(weights, learning_rate=LEARNING_RATE)
    others = copies(gradients)
    sets = cycle([gradients, others])  # two in turn: none is made while time is taken

    def refill() -> None:
        for other, dw in zip(others, gradients, strict=True):
            np.copyto(other, dw)

    return Candidate(lambda: optimizer.step(next(sets)), lambda: weights, refill)


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
