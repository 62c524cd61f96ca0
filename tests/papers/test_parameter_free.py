"""Rules that find their learning rate: against their authors' packages and optax, and in limits."""

import contextlib
import io

import numpy as np
import optax
import pytest
import walks
from dadaptation import DAdaptAdam
from prodigyopt import Prodigy

import ruleonce as ro
from ruleonce import rules
from ruleonce.errors import HyperparameterError

DECAY = {"weight_decay": 0.1}
ENGINES = pytest.mark.parametrize("engine", ["cpu", "reference"])


def quietly(optimizer, **options):
    """An optimizer that prints when it is made."""

    def make(weights):
        with contextlib.redirect_stdout(io.StringIO()):
            return optimizer(weights, **options)

    return make


def assert_same_walk(rule, numbers, engine, make):
    """The weights, and the distance that was found; it has to have been found."""
    ours, optimizer = walks.by_rule(rule, engine=engine, **DECAY, **numbers)
    theirs, peer = walks.by_torch(make)
    walks.assert_same_end(ours, theirs)
    distance = peer.param_groups[0]["d"]
    assert optimizer.state["distance"] == pytest.approx(distance, rel=1e-10)
    assert distance > 3 * numbers["initial_distance"]


@ENGINES
@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("safeguard", [False, True])
def test_prodigy_is_that_of_its_authors(safeguard, bias_correction, engine):
    numbers = {
        "learning_rate": 0.7,
        "initial_distance": 1e-2,
        "distance_factor": 1.5,
        "bias_correction": bias_correction,
        "safeguard_warmup": safeguard,
    }
    make = quietly(
        Prodigy,
        lr=0.7,
        d0=1e-2,
        d_coef=1.5,
        use_bias_correction=bias_correction,
        safeguard_warmup=safeguard,
        **DECAY,
    )
    assert_same_walk(rules.prodigy, numbers, engine, make)


@ENGINES
@pytest.mark.parametrize("bias_correction", [False, True])
def test_dadapt_adam_is_that_of_its_authors(bias_correction, engine):
    numbers = {
        "learning_rate": 0.7,
        "initial_distance": 1e-3,
        "bias_correction": bias_correction,
    }
    make = quietly(
        DAdaptAdam, lr=0.7, d0=1e-3, use_bias_correction=bias_correction, decouple=True, **DECAY
    )
    assert_same_walk(rules.dadapt_adam, numbers, engine, make)


@ENGINES
@pytest.mark.parametrize(
    ("rule", "make"),
    [(rules.prodigy, optax.contrib.prodigy), (rules.dadapt_adam, optax.contrib.dadapt_adamw)],
    ids=["prodigy", "dadapt_adam"],
)
def test_a_parameter_free_rule_is_that_of_optax(rule, make, engine):
    numbers = {"initial_distance": 1e-2, "bias_correction": True}
    ours, optimizer = walks.by_rule(rule, engine=engine, **DECAY, **numbers)
    theirs, state = walks.by_optax(make(1.0, estim_lr0=1e-2, **DECAY))
    walks.assert_same_end(ours, theirs)
    assert optimizer.state["distance"] == pytest.approx(float(state.estim_lr), rel=1e-10)


# What makes each itself


@pytest.mark.parametrize("distance", [1e-3, 0.25])
def test_prodigy_that_finds_nothing_is_adam_at_a_fixed_rate(distance):
    """With an estimate that stays below it, the distance is the learning rate of Adam."""
    ours, optimizer = walks.by_rule(
        rules.prodigy, initial_distance=distance, distance_factor=1e-9, learning_rate=2.0
    )
    plain, _ = walks.by_rule(rules.adam_simplified, learning_rate=2 * distance)
    assert optimizer.state["distance"] == distance
    walks.assert_same_end(ours, plain, rtol=1e-12)


def walk_to_targets(rule, scale):
    """A bowl around targets of that size, from 0: how far weights are from them, and distance."""
    rng = np.random.default_rng(5)
    targets = [scale * rng.uniform(-1, 1, size=shape) for shape in ((30, 4), (7,))]
    weights = [np.zeros_like(target) for target in targets]
    optimizer = ro.Optimizer(rule, weights, engine="cpu", initial_distance=1e-6 * scale)
    for _ in range(1000):
        optimizer.step([(w - x) / scale for w, x in zip(weights, targets, strict=True)])
    far = max(np.max(np.abs(w - x)) for w, x in zip(weights, targets, strict=True))
    return far / scale, optimizer.state["distance"] / scale


@pytest.mark.parametrize("rule", [rules.prodigy, rules.dadapt_adam], ids=lambda rule: rule.name)
def test_the_way_to_a_target_is_found_without_a_learning_rate(rule):
    """The distance becomes that to the farthest target, which is 1, or a share of it."""
    far, distance = walk_to_targets(rule, 1.0)
    assert far < 0.2
    assert 0.1 < distance < 1.5


@pytest.mark.parametrize("scale", [1e-3, 1e4])
@pytest.mark.parametrize("rule", [rules.prodigy, rules.dadapt_adam], ids=lambda rule: rule.name)
def test_the_unit_of_the_weights_does_not_matter(rule, scale):
    _, distance = walk_to_targets(rule, scale)
    assert distance == pytest.approx(walk_to_targets(rule, 1.0)[1], rel=1e-9)


@pytest.mark.parametrize("rule", [rules.prodigy, rules.dadapt_adam], ids=lambda rule: rule.name)
def test_gradients_of_0_move_nothing_and_divide_by_nothing(rule):
    w = np.ones(5)
    optimizer = ro.Optimizer(rule, w, engine="cpu")
    for _ in range(3):
        optimizer.step(np.zeros(5))
    np.testing.assert_array_equal(w, np.ones(5))
    assert optimizer.state["distance"] == 1e-6


@pytest.mark.parametrize("rule", [rules.prodigy, rules.dadapt_adam], ids=lambda rule: rule.name)
def test_the_first_distance_is_above_0(rule):
    with pytest.raises(HyperparameterError, match=r"initial_distance is 0\.0; it must be at least"):
        ro.Optimizer(rule, np.ones(3), initial_distance=0.0)


def test_prodigy_remembers_where_it_began():
    weights, optimizer = walks.by_rule(rules.prodigy, initial_distance=1e-2)
    first = walks.start(np.random.default_rng(0), walks.SHAPES)
    for start, w, expected in zip(optimizer.state["start"], weights, first, strict=True):
        np.testing.assert_array_equal(start, expected)
        assert np.all(w != expected)
