"""The wider family beside the libraries that have it: 100 steps in float64, in optax and in
pytorch_optimizer.

docs/dialects.md says which options make two of them equal; here they are.
"""

import contextlib
import io

import jax
import numpy as np
import optax
import pytest
import pytorch_optimizer
import torch
import walks
from optax import contrib

from ruleonce import Optimizer, rules
from ruleonce.combinators import clipped, decoupled_decay, lookahead, with_momentum

RATE = 0.03
MATRICES = ((5, 7), (40, 30))  # MARS of pytorch_optimizer takes vectors for something else
CLOSE = 1e-12


def assert_same(ours, theirs, rtol=CLOSE):
    walks.assert_same_end(ours[0], theirs[0], rtol)


def peer(name, **options):
    """An optimizer of pytorch_optimizer; some of them print."""

    def make(weights):
        with contextlib.redirect_stdout(io.StringIO()):
            return getattr(pytorch_optimizer, name)(weights, **options)

    return make


def corrected(number, beta, root=1.0):
    """A number that undoes the bias correction that the rule has, or does the one it has not."""
    return lambda t: number * (1 - beta**t) ** root


# Ours, its options, optax's.
OPTAX = {
    "adopt": (rules.adopt, {}, contrib.adopt(RATE)),
    "adopt-not-clipped": (
        rules.adopt, {"clipped": False}, contrib.adopt(RATE, use_clipping=False),
    ),
    "ademamix": (rules.ademamix, {}, contrib.ademamix(RATE)),
    "simplified_ademamix": (
        rules.ademamix,
        {"learning_rate": RATE * 0.5, "beta1": 0.0, "beta2": 0.95, "beta3": 0.99, "alpha": 200.0},
        contrib.simplified_ademamix(RATE, alpha=0.5),
    ),
    "cocob": (rules.cocob, {"learning_rate": None}, contrib.cocob()),
    "schedule_free_sgd": (rules.schedule_free_sgd, {}, contrib.schedule_free_sgd(RATE)),
    "schedule_free_adamw": (
        rules.schedule_free_adamw, {"weight_decay": 0.1},
        contrib.schedule_free_adamw(RATE, weight_decay=0.1),
    ),
    "signum": (rules.signum, {}, optax.signum(RATE)),
    "yogi": (
        rules.yogi, {"bias_correction": True, "initial_velocity": 1e-6}, optax.yogi(RATE),
    ),
    "amsgrad": (rules.amsgrad, {"corrected_first": True}, optax.amsgrad(RATE)),
    "adagrad": (
        rules.adagrad_decaying, {"initial_accumulator": 0.1, "eps": 1e-7, "eps_inside_sqrt": True},
        optax.adagrad(RATE),
    ),
    "rmsprop": (rules.rmsprop, {"beta2": 0.9, "eps_inside_sqrt": True}, optax.rmsprop(RATE)),
    "rmsprop-centered": (
        rules.rmsprop_centered, {"beta2": 0.9, "eps_inside_sqrt": True, "eps": 1e-3},
        optax.rmsprop(RATE, centered=True, eps=1e-3),
    ),
    "rmsprop-momentum": (
        with_momentum(rules.rmsprop), {"beta2": 0.9, "momentum": 0.8, "eps_inside_sqrt": True},
        optax.rmsprop(RATE, momentum=0.8),
    ),
    "radam": (rules.radam, {"eps": corrected(1e-8, 0.999, 0.5)}, optax.radam(RATE)),
    "adan": (
        decoupled_decay(rules.adan), {"beta2": 0.5, "weight_decay": 0.0},
        optax.adan(RATE, b2=0.5, eps_root=0.0),
    ),
    "optimistic_gradient": (
        rules.optimistic_gradient, {"alpha": 0.5, "correction": lambda t: 2.0 * (t > 1)},
        optax.optimistic_gradient_descent(RATE, alpha=0.5, beta=2.0),
    ),
    "optimistic_adam": (
        rules.optimistic_adam, {"nesterov": True, "correction": lambda t: 1.0 * (t > 1)},
        optax.optimistic_adam_v2(RATE),
    ),
    "clipped": (
        clipped(rules.sgd), {"clip_value": 0.7}, optax.chain(optax.clip(0.7), optax.sgd(RATE)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTAX)
def test_it_takes_the_steps_of_optax(name):
    rule, options, transformation = OPTAX[name]
    options = {"learning_rate": RATE} | options
    if options["learning_rate"] is None:
        del options["learning_rate"]

    assert_same(walks.by_rule(rule, **options), walks.by_optax(transformation))


def lookahead_of_adam(weights):
    with contextlib.redirect_stdout(io.StringIO()):
        inner = torch.optim.Adam(weights, lr=RATE)
        return pytorch_optimizer.Lookahead(inner, k=4, alpha=0.3)


def adamc_below_its_peak(weights):
    """A third of the way down its schedule; `normalized` are the layers that it is for."""
    optimizer = peer("AdamC", lr=3 * RATE, weight_decay=0.2, eps=TINY)(weights)
    for group in optimizer.param_groups:
        group |= {"lr": RATE, "normalized": True}
    return optimizer


TINY = 1e-30  # where a library adds eps at another place
ROOT = 1e-8  # it adds 1e-15 to v: next to nothing, but where a gradient is next to nothing too
SHORT = 1e-6  # so too, and its gradients are shortened first: here to a 35th

# Ours, its options, theirs, how close.
PYTORCH_OPTIMIZER = {
    "adabound": (
        rules.adabound, {"gamma": 0.05, "final_rate": 0.02},
        peer("AdaBound", lr=RATE, gamma=0.05, final_lr=0.02), ROOT,
    ),
    "qhm": (rules.qhm, {"beta1": 0.99}, peer("QHM", lr=RATE, momentum=0.99, nu=0.7), CLOSE),
    # Its averages have their weights in float32.
    "qhadam": (
        rules.qhadam, {"nu2": 0.8},
        peer("QHAdam", lr=RATE, betas=(0.995, 0.999), nus=(0.7, 0.8)), 1e-6,
    ),
    "grams": (rules.grams, {}, peer("Grams", lr=RATE, eps=1e-8), CLOSE),
    "mars": (
        rules.mars, {"weight_decay": 0.1, "eps": TINY},
        peer("MARS", lr=RATE, weight_decay=0.1, eps=TINY), SHORT,
    ),
    "tiger": (rules.tiger, {}, peer("Tiger", lr=RATE), CLOSE),
    "adamc": (
        rules.adamc, {"weight_decay": 0.2, "peak_rate": 3 * RATE, "eps": TINY},
        adamc_below_its_peak, ROOT,
    ),
    "adan": (rules.adan, {}, peer("Adan", lr=RATE), CLOSE),
    "adabelief": (
        rules.adabelief, {"eps": 1e-3, "eps_in_state": 1e-3},
        peer("AdaBelief", lr=RATE, eps=1e-3), CLOSE,
    ),
    "madgrad": (rules.madgrad, {"learning_rate": RATE + 1e-6}, peer("MADGRAD", lr=RATE), CLOSE),
    "lookahead": (
        lookahead(rules.adam), {"lookahead_steps": 4, "lookahead_share": 0.3},
        lookahead_of_adam, CLOSE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PYTORCH_OPTIMIZER)
def test_it_takes_the_steps_of_pytorch_optimizer(name):
    rule, options, make, rtol = PYTORCH_OPTIMIZER[name]
    ours = walks.by_rule(rule, MATRICES, **{"learning_rate": RATE} | options)

    assert_same(ours, walks.by_torch(make, MATRICES), rtol)


def test_madgrad_of_optax_takes_a_root_in_float32():
    ours = walks.by_rule(rules.madgrad, learning_rate=RATE + 1e-6)
    theirs = walks.by_optax(contrib.madgrad(RATE))

    assert_same(ours, theirs, 1e-6)
    with pytest.raises(AssertionError):
        assert_same(ours, theirs, CLOSE)


def test_sophia_takes_the_steps_of_optax_given_its_hessian():
    """Optax corrects the velocity for its start; h changes at every 3rd step."""
    told = optax.GradientTransformationExtraArgs(
        init=lambda _: (), update=lambda dw, state, params=None, **_: (50 * dw**2, state)
    )
    transformation = contrib.sophia(
        RATE, weight_decay=0.0, update_interval=3, hessian_diagonal_fn=told
    )
    gradients = np.random.default_rng(0).normal(size=(100, 9))
    w = np.linspace(-1.0, 1.0, 9)
    optimizer = Optimizer(
        rules.sophia, w, learning_rate=RATE, beta1=0.965,
        gamma=corrected(0.01, 0.965), eps=corrected(1e-8, 0.965),
    )  # fmt: skip
    clipped_steps = 0
    with jax.enable_x64(True):
        weights = jax.numpy.array(w)
        state = transformation.init(weights)
        for dw in gradients:
            before = w.copy()
            optimizer.state["h"][...] = state[0].nu
            optimizer.step(dw)
            updates, state = transformation.update(jax.numpy.array(dw), state, weights)
            weights = optax.apply_updates(weights, updates)
            clipped_steps += np.sum(np.abs(np.abs(w - before) - RATE) < 1e-9)
        np.testing.assert_allclose(w, weights, rtol=CLOSE)
    assert 0 < clipped_steps < gradients.size
