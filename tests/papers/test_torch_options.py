"""Every option of every class of torch.optim: the rule that it asks for, called as a plain function
in float64, against torch itself.

No front end takes part: here a fault lies in a rule, a combinator, or the table of classes. The
gradient and the learning rate change at every step, so a rule that is right for constant ones only
is found out.
"""

import itertools
import math

import numpy as np
import pytest
import torch

import ruleonce.torch
from ruleonce.torch.settings import WORDS, option

STEPS = 100
TOLERANCE = 1e-12

DECAY = {"weight_decay": [0, 0.1], "maximize": [False, True]}
DECOUPLED = {**DECAY, "decoupled_weight_decay": [False, True]}

OPTIONS = {
    "SGD": {**DECAY, "momentum": [0, 0.9], "dampening": [0, 0.3], "nesterov": [False, True]},
    "Adam": {**DECOUPLED, "amsgrad": [False, True]},
    "AdamW": {**DECAY, "amsgrad": [False, True], "betas": [(0.9, 0.999), (0.0, 0.5)]},
    "Adagrad": {**DECAY, "lr_decay": [0, 0.1], "initial_accumulator_value": [0, 0.3]},
    "RMSprop": {**DECAY, "centered": [False, True], "momentum": [0, 0.9], "alpha": [0.9, 0.99]},
    "Adamax": {**DECAY, "eps": [1e-8, 0.1]},
    "NAdam": {**DECOUPLED, "momentum_decay": [4e-3, 0.1]},
    # With 0.6 the variance is never taken for finite, and torch's own divisor is 0.
    "RAdam": {**DECOUPLED, "betas": [(0.9, 0.999), (0.8, 0.6), (0.9, 0.9)]},
    "Adadelta": {**DECAY, "rho": [0.9, 0.5], "eps": [1e-6, 1e-3]},
    "Rprop": {
        "maximize": [False, True],
        "etas": [(0.5, 1.2), (0.3, 2.0)],
        "step_sizes": [(1e-6, 50), (1e-3, 0.02)],
    },
    "ASGD": {**DECAY, "lambd": [1e-4, 0.1], "alpha": [0.75, 0.5], "t0": [1e6, 0, 30]},
}


def cases():
    for name, options in OPTIONS.items():
        for values in itertools.product(*options.values()):
            chosen = dict(zip(options, values, strict=True))
            if chosen.get("nesterov") and chosen["momentum"] == 0:
                continue  # torch refuses it
            yield pytest.param(name, chosen, id=f"{name}-{'-'.join(map(str, values))}")


@pytest.fixture(autouse=True)
def numbers_of_float64():
    """Torch keeps NAdam's product and ASGD's rates in the default dtype; ours are float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Plain:
    """What RuleOptimizer does with a class, in a few lines: no kernels, no checks."""

    def __init__(self, ours, weights):
        self.ours = ours
        self.weights = weights
        self.state = {}

    def step(self, group, gradient, t):
        rule = self.ours.rule_of(group)
        numbers = {
            name: self.number(group, name)
            for name in rule.hyperparameters
            if name not in rule.schema.switches or self.ours.number_names.get(name, name) in group
        }
        for name in rule.schema.returns[1:]:
            start = rule.schema.initial.get(name, 0.0)
            start = numbers.get(start, start)
            full = float(start) if name in rule.scalars else np.full_like(self.weights, start)
            self.state.setdefault(name, full)
        given = {
            rule.schema.weights: self.weights,
            rule.schema.gradient: gradient,
            "t": t if self.ours.has_step else min(t, 2),
            **self.state,
        }
        results = rule(*(given[name] for name in rule.schema.positional), **numbers)
        new = dict(zip(rule.schema.returns, results, strict=True))
        self.weights = new.pop(rule.schema.weights)
        self.state |= new

    def number(self, group, name):
        return option(group, self.ours.number_names.get(name) or WORDS.get(name, name))


@pytest.mark.parametrize(("name", "options"), list(cases()))
def test_the_rule_of_a_class_is_the_step_of_torch(name, options):
    options = dict(options)
    later = {}
    if options.get("nesterov"):  # torch looks at dampening when it is made, not afterwards
        later = {"dampening": options.pop("dampening")}
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 7))
    weights = torch.tensor(start)
    theirs = getattr(torch.optim, name)([weights], lr=0.01, **options)
    (group,) = theirs.param_groups
    group |= later
    ours = Plain(getattr(ruleonce.torch, name), start.copy())

    for t in range(1, STEPS + 1):
        if t > 1:  # ASGD and Rprop have taken the learning rate into their state
            group["lr"] = 0.01 * (1 + 0.5 * math.sin(t))
        gradient = rng.normal(size=start.shape)
        weights.grad = torch.tensor(gradient)
        theirs.step()
        ours.step(group, gradient, t)

    assert_close(ours.weights, weights)
    assert np.min(np.abs(ours.weights - start)) > 1e-6
    kept = theirs.state[weights]
    keys = [ours.ours.state_names[n] for n in sorted(ours.state, key=place_in(ours.ours))]
    assert keys == [key for key in kept if key != "step"]
    assert ours.ours.has_step == ("step" in kept) or not kept
    for state, values in ours.state.items():
        assert_close(values, kept[ours.ours.state_names[state]])


def place_in(ours):
    return list(ours.state_names).index


def assert_close(got, expected):
    np.testing.assert_allclose(got, expected.numpy(), rtol=TOLERANCE, atol=1e-14)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_that_bears_on_the_formula_is_tested(name):
    """An option that torch gains is seen here; what changes no formula is listed."""
    ours = getattr(ruleonce.torch, name)
    without_formula = {"foreach", "fused", "capturable", "differentiable"}
    if name != "Adam":  # of which AdamW is the case with it
        without_formula |= {"decoupled_weight_decay"} - set(OPTIONS[name])
    made = ours([torch.nn.Parameter(torch.ones(1))])
    numbers = {"lr", "betas", "eps"}

    assert set(made.defaults) - without_formula - numbers <= set(OPTIONS[name])


@pytest.mark.parametrize("name", [*OPTIONS, "Lion"])
def test_the_rule_of_a_group_is_the_same_object_at_every_step(name):
    """A plan is kept as long as the rule is the same object."""
    options = {"weight_decay": 0.1} if name != "Rprop" else {}
    made = getattr(ruleonce.torch, name)(
        [torch.nn.Parameter(torch.ones(1))], maximize=True, **options
    )
    (group,) = made.param_groups

    assert made.rule_of(group) is made.rule_of(dict(group))


def test_lion_is_that_of_optax():
    """torch.optim has no Lion; optax has."""
    jax = pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 7))
    made = ruleonce.torch.Lion([torch.nn.Parameter(torch.ones(1))], lr=0.01, weight_decay=0.1)
    (group,) = made.param_groups
    ours = Plain(type(made), start.copy())
    with jax.enable_x64(True):
        theirs = optax.lion(0.01, b1=0.9, b2=0.99, weight_decay=0.1)
        weights = jax.numpy.array(start)
        state = theirs.init(weights)
        for t in range(1, STEPS + 1):
            gradient = rng.normal(size=start.shape)
            updates, state = theirs.update(jax.numpy.array(gradient), state, weights)
            weights = optax.apply_updates(weights, updates)
            ours.step(group, gradient, t)

    np.testing.assert_allclose(ours.weights, weights, rtol=TOLERANCE, atol=1e-14)
    np.testing.assert_allclose(ours.state["m"], state[0].mu, rtol=TOLERANCE, atol=1e-14)
    assert made.defaults["betas"] == (0.9, 0.99)
