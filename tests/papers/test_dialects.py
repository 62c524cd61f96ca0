"""docs/dialects.md: what it says of optax holds, and every rule stands in it.

What it says of torch.optim is held by test_torch_options.py.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from ruleonce import rules
from ruleonce.combinators import coupled_decay, decoupled_decay, with_momentum

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

STEPS = 50
RATE = 0.01
RNG = np.random.default_rng(0)
START = RNG.normal(size=9)
GRADIENTS = RNG.normal(size=(STEPS, 9))

DECAY = {"weight_decay": 0.1}
EQUAL = {
    "sgd": (rules.sgd, {}, optax.sgd(RATE)),
    "heavy_ball": (rules.heavy_ball, {}, optax.sgd(RATE, momentum=0.9)),
    "heavy_ball_nesterov": (
        rules.heavy_ball_nesterov, {}, optax.sgd(RATE, momentum=0.9, nesterov=True)
    ),
    "rmsprop": (rules.rmsprop, {"beta2": 0.9}, optax.rmsprop(RATE, eps_in_sqrt=False)),
    "rmsprop_centered": (
        rules.rmsprop_centered, {"beta2": 0.9},
        optax.rmsprop(RATE, eps_in_sqrt=False, centered=True),
    ),
    "with_momentum": (
        with_momentum(rules.rmsprop), {"beta2": 0.9, "momentum": 0.9},
        optax.rmsprop(RATE, eps_in_sqrt=False, momentum=0.9),
    ),
    "adadelta": (rules.adadelta, {}, optax.adadelta(RATE)),
    "adam": (rules.adam, {}, optax.adam(RATE)),
    "coupled_decay": (
        coupled_decay(rules.adam), DECAY,
        optax.chain(optax.add_decayed_weights(0.1), optax.adam(RATE)),
    ),
    "adamw": (rules.adamw, DECAY, optax.adamw(RATE, weight_decay=0.1)),
    "adamax": (rules.adamax, {}, optax.adamax(RATE)),
    "lion": (rules.lion, {}, optax.lion(RATE, weight_decay=0)),
    "decoupled_decay": (decoupled_decay(rules.lion), DECAY, optax.lion(RATE, weight_decay=0.1)),
}  # fmt: skip

# How far apart at the end, at least and at most; the weights move by 0.02 to 0.05.
APART = {
    "adagrad": (rules.adagrad, {}, optax.adagrad(RATE), 1e-3, 1e-1),
    "rprop": (rules.rprop, {}, optax.rprop(RATE), 1e-3, 1e-1),
    "amsgrad": (rules.amsgrad, {}, optax.amsgrad(RATE), 1e-3, 1e-1),
    "nadam": (rules.nadam, {}, optax.nadam(RATE), 1e-3, 1e-1),
    "radam": (rules.radam, {}, optax.radam(RATE), 1e-11, 1e-9),
}


def ours(rule, numbers):
    state = {}
    for name in rule.schema.returns[1:]:
        start = rule.schema.initial.get(name, 0.0)
        start = {**rule.hyperparameters, "learning_rate": RATE, **numbers}.get(start, start)
        state[name] = start if name in rule.scalars else np.full_like(START, start)
    w = START
    for t, dw in enumerate(GRADIENTS, 1):
        given = {"t": t, **state}
        rest = (given[name] for name in rule.schema.positional[2:])
        w, *new = rule(w, dw, *rest, learning_rate=RATE, **numbers)
        state = dict(zip(state, new, strict=True))
    return w


def theirs(transformation):
    with jax.enable_x64(True):
        w = jax.numpy.array(START)
        state = transformation.init(w)
        for dw in GRADIENTS:
            updates, state = transformation.update(jax.numpy.array(dw), state, w)
            w = optax.apply_updates(w, updates)
        return np.array(w)


@pytest.mark.parametrize("name", EQUAL)
def test_what_is_said_to_be_equal_to_optax_is(name):
    rule, numbers, transformation = EQUAL[name]
    np.testing.assert_allclose(ours(rule, numbers), theirs(transformation), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", APART)
def test_what_is_said_to_differ_from_optax_does(name):
    rule, numbers, transformation, least, most = APART[name]
    assert least < np.max(np.abs(ours(rule, numbers) - theirs(transformation))) < most


def test_every_rule_and_combinator_stands_in_the_table():
    text = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text()
    first_cells = [line.split("|")[1] for line in text.split("\n") if line.startswith("| `")]
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", " ".join(first_cells)))))

    assert named >= {rule.name for rule in rules.ALL}
    assert named >= {"coupled_decay", "decoupled_decay", "maximized", "scaled", "averaged"}
