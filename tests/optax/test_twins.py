"""Each twin of optax: 100 steps in float64 beside optax's own, with defaults and with options."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ruleonce.optax
from ruleonce.optax.twins import NAMES

STEPS = 100
SHARE = 1e-12  # of how far the weights moved: sums associate differently


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def start():
    return {"w": jnp.linspace(-2.0, 3.0, 12).reshape(3, 4), "b": jnp.array([0.5, -1.0])}


def gradients(t):
    rng = np.random.default_rng(t)
    return {"w": jnp.asarray(rng.normal(size=(3, 4))), "b": jnp.asarray(rng.normal(size=2))}


def walk(transformation, steps=STEPS, gradients=gradients):
    """The weights after each step."""
    w = start()
    state = transformation.init(w)
    points = []
    for t in range(steps):
        updates, state = transformation.update(gradients(t), state, w)
        w = optax.apply_updates(w, updates)
        points.append(np.concatenate([np.ravel(w["w"]), np.ravel(w["b"])]))
    return np.array(points)


def assert_same(got, expected, share=SHARE):
    origin = np.concatenate([np.ravel(start()["w"]), np.ravel(start()["b"])])
    moved = np.max(np.abs(expected - origin))
    assert moved > 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=share * max(moved, 1.0))


# ours, optax's, the options of ours, those of optax's
CASES = {
    "sgd": ("sgd", optax.sgd, {}, {}),
    "momentum": ("momentum", optax.sgd, {"momentum": 0.8}, {"momentum": 0.8}),
    "nesterov": ("nesterov", optax.sgd, {}, {"momentum": 0.9, "nesterov": True}),
    "adam": ("adam", optax.adam, {}, {}),
    "adam-options": ("adam", optax.adam, o := {"b1": 0.8, "b2": 0.99, "eps": 1e-4}, o),
    "adamw": ("adamw", optax.adamw, {}, {}),
    "adamw-options": ("adamw", optax.adamw, o := {"weight_decay": 0.1, "b1": 0.5}, o),
    "adamax": ("adamax", optax.adamax, {}, {}),
    "adamaxw": ("adamaxw", optax.adamaxw, {}, {}),
    "nadam": ("nadam", optax.nadam, {}, {}),
    "nadamw": ("nadamw", optax.nadamw, {}, {}),
    "radam": ("radam", optax.radam, {}, {}),
    "amsgrad": ("amsgrad", optax.amsgrad, {}, {}),
    "adabelief": ("adabelief", optax.adabelief, {}, {}),
    "yogi": ("yogi", optax.yogi, {}, {}),
    "adan": ("adan", optax.adan, {}, {}),
    "adagrad": ("adagrad", optax.adagrad, {}, {}),
    "adagrad-options": (
        "adagrad", optax.adagrad, o := {"initial_accumulator_value": 0.0, "eps": 1e-3}, o
    ),
    "adadelta": ("adadelta", optax.adadelta, {}, {}),
    "rmsprop": ("rmsprop", optax.rmsprop, {}, {}),
    "rmsprop-options": ("rmsprop", optax.rmsprop, o := {"decay": 0.5, "eps": 1e-3}, o),
    "lion": ("lion", optax.lion, {}, {}),
    "sign_sgd": ("sign_sgd", optax.sign_sgd, {}, {}),
    "optimistic_gradient_descent": (
        "optimistic_gradient_descent", optax.optimistic_gradient_descent,
        o := {"alpha": 0.5, "beta": 2.0}, o,
    ),
    "lamb": ("lamb", optax.lamb, {}, {}),
    "lars": ("lars", optax.lars, {}, {}),
    "novograd": ("novograd", optax.novograd, {}, {}),
}  # fmt: skip

RATE = {"learning_rate": 0.03}

# Where optax is another one, with the reason; each is measured below.
DEVIATIONS = {
    "rprop": "optax.rprop emits each step one call late, and not at all where the sign turns then.",
    "adan": "optax takes 1 - b2 where its b2 is already 1 minus the paper's; eps_root is 1e-8.",
    "radam": "eps is added before the bias correction, as in PyTorch; optax adds it after.",
    "optimistic_gradient_descent": "optax takes the first gradient for the one before it.",
}


@pytest.mark.parametrize("case", [name for name in CASES if name not in DEVIATIONS])
def test_a_twin_takes_the_steps_of_optax(case):
    name, theirs, ours_options, their_options = CASES[case]
    ours = getattr(ruleonce.optax, name)

    assert_same(walk(ours(**RATE, **ours_options)), walk(theirs(**RATE, **their_options)))


def test_rprop_is_one_call_earlier_than_optaxs_while_no_sign_turns():
    def uphill(t):
        return jax.tree.map(jnp.abs, gradients(t))

    got = walk(ruleonce.optax.rprop(learning_rate=1e-4), 30, uphill)
    late = walk(optax.rprop(learning_rate=1e-4), 31, uphill)

    assert_same(late[1:], got)
    assert np.max(np.abs(late[:-1] - got)) > 1e-3


def test_adan_is_optaxs_where_b2_is_1_minus_itself():
    options = {"b2": 0.5}

    assert_same(
        walk(ruleonce.optax.adan(**RATE, **options)),
        walk(optax.adan(**RATE, **options, eps_root=0)),
    )
    assert np.max(np.abs(walk(ruleonce.optax.adan(**RATE)) - walk(optax.adan(**RATE)))) > 0.01


def test_radam_differs_from_optaxs_by_where_eps_is_added():
    options = {"eps": 1e-30}

    assert_same(
        walk(ruleonce.optax.radam(**RATE, **options)), walk(optax.radam(**RATE, **options)), 1e-11
    )
    apart = np.max(np.abs(walk(ruleonce.optax.radam(**RATE)) - walk(optax.radam(**RATE))))
    assert 1e-12 < apart < 1e-7


def test_the_first_step_of_optimistic_descent_knows_no_gradient_before_it():
    """Ours counts the missing gradient as 0, optax as the first one; from then on both agree."""
    _, theirs, options, _ = CASES["optimistic_gradient_descent"]
    got = walk(ruleonce.optax.optimistic_gradient_descent(**RATE, **options))
    expected = walk(theirs(**RATE, **options))
    first = np.concatenate([np.ravel(gradients(0)["w"]), np.ravel(gradients(0)["b"])])

    np.testing.assert_allclose(got - expected, -0.03 * 2.0 * np.tile(first, (STEPS, 1)), atol=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("momentum", "nesterov")])
def test_the_options_of_a_twin_are_optaxs_with_its_defaults(name):
    ours = inspect.signature(getattr(ruleonce.optax, name)).parameters
    theirs = inspect.signature(getattr(optax, name)).parameters

    for option, parameter in ours.items():
        if option in ("learning_rate", "mask", "mu_dtype", "formats"):
            continue
        assert option in theirs, option
        assert parameter.default == theirs[option].default, option


def test_every_twin_is_compared():
    assert {name for name, *_ in CASES.values()} | set(DEVIATIONS) == set(NAMES)
