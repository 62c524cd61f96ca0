"""Rules and combinators that look at a whole tensor, against peers, and in their limits."""

import contextlib
import io
import itertools

import numpy as np
import optax
import pytest
import pytorch_optimizer
import torch
import walks

import ruleonce as ro
import ruleonce.torch
from ruleonce import rules
from ruleonce.combinators import cautious, clipped_by_norm, decoupled_decay
from ruleonce.errors import HyperparameterError

DECAY = {"weight_decay": 0.1}
MATRICES = ((5, 7), (64, 65), (2, 3, 4), (1, 6))  # a peer's LARS leaves vectors to plain descent


def peer(name, **options):
    """An optimizer of pytorch_optimizer; some of them print."""

    def make(weights):
        with contextlib.redirect_stdout(io.StringIO()):
            return getattr(pytorch_optimizer, name)(weights, **options)

    return make


OPTAX = {
    "lamb": (rules.lamb, {**DECAY, "learning_rate": 0.01}, optax.lamb(0.01, **DECAY)),
    "lars": (
        rules.lars,
        {**DECAY, "learning_rate": 0.3, "norm_of_sum": True},
        optax.lars(0.3, **DECAY),
    ),
    "lars-nesterov": (
        rules.lars,
        {**DECAY, "learning_rate": 0.3, "norm_of_sum": True, "nesterov": True, "eps": 1e-3},
        optax.lars(0.3, **DECAY, nesterov=True, eps=1e-3),
    ),
    "novograd": (
        rules.novograd,
        {**DECAY, "learning_rate": 0.03, "beta1": 0.9, "beta2": 0.25, "eps": 1e-6},
        optax.novograd(0.03, **DECAY),
    ),
}


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("name", OPTAX)
def test_a_layerwise_rule_is_that_of_optax(name, engine):
    rule, options, transformation = OPTAX[name]
    ours, _ = walks.by_rule(rule, engine=engine, **options)
    theirs, _ = walks.by_optax(transformation)
    walks.assert_same_end(ours, theirs)


# Without its slow momentum AdEMAMix is Adam, and its decay is not masked.
MIXED = {"lr": 0.01, "betas": (0.9, 0.999, 0.9), "alpha": 0.0, "weight_decouple": True}

TORCH = {
    "lars": (
        rules.lars,
        {**DECAY, "learning_rate": 0.3},
        peer("LARS", lr=0.3, **DECAY),
        MATRICES,
    ),
    "novograd": (
        rules.novograd,
        {**DECAY, "learning_rate": 0.03},
        peer("NovoGrad", lr=0.03, **DECAY),
        walks.SHAPES,
    ),
    "stable_adamw": (
        rules.stable_adamw,
        {**DECAY, "learning_rate": 0.03},
        peer("StableAdamW", lr=0.03, **DECAY),
        walks.SHAPES,
    ),
    "cautious lion": (
        cautious(rules.lion),
        {"learning_rate": 0.01},
        peer("Lion", lr=0.01, weight_decay=0.0, cautious=True),
        walks.SHAPES,
    ),
    "cautious adamw": (
        decoupled_decay(cautious(rules.adam)),
        {**DECAY, "learning_rate": 0.01},
        peer("AdEMAMix", **{**MIXED, **DECAY, "cautious": True}),
        walks.SHAPES,
    ),
}


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("name", TORCH)
def test_a_layerwise_rule_is_that_of_a_peer_in_pytorch(name, engine):
    rule, options, make, shapes = TORCH[name]
    ours, _ = walks.by_rule(rule, shapes, engine=engine, **options)
    theirs, _ = walks.by_torch(make, shapes)
    walks.assert_same_end(ours, theirs)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("max_norm", [0.5, 65.0, 1e3])
def test_clipping_by_norm_is_that_of_pytorch(max_norm, engine):
    """Always, now and then, and never: the norm of all gradients of the walk is about 65."""
    ours, _ = walks.by_rule(
        clipped_by_norm(rules.heavy_ball),
        engine=engine,
        learning_rate=0.01,
        max_norm=max_norm,
        norm_eps=1e-6,
    )

    class Clipped(torch.optim.SGD):
        def step(self):
            (group,) = self.param_groups
            torch.nn.utils.clip_grad_norm_(group["params"], max_norm)
            super().step()

    theirs, _ = walks.by_torch(lambda weights: Clipped(weights, lr=0.01, momentum=0.9))
    walks.assert_same_end(ours, theirs)


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipping_by_norm_is_that_of_optax(max_norm):
    """Where the norm is above, the gradients get that norm, and nothing is added to it."""
    ours, _ = walks.by_rule(clipped_by_norm(rules.sgd), max_norm=max_norm, learning_rate=0.1)
    clip = optax.clip_by_global_norm(max_norm)
    theirs, _ = walks.by_optax(optax.chain(clip, optax.sgd(0.1)))
    walks.assert_same_end(ours, theirs)


# What makes each itself

LENGTHS = (1e-3, 1.0, 1e5)


def one_step(rule, w, dw, **hyperparameters):
    w = w.copy()
    ro.Optimizer(rule, w, engine="cpu", **hyperparameters).step(dw)
    return w


@pytest.fixture
def tensor():
    rng = np.random.default_rng(3)
    return rng.normal(size=(2, 500))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("rule", "numbers", "share"),
    [(rules.lamb, {"eps": 0.0}, 0.01), (rules.lars, {"trust": 0.5}, 0.005)],
    ids=["lamb", "lars"],
)
def test_the_first_step_is_a_share_of_the_weights_however_long_the_gradient(
    rule, numbers, share, tensor, length
):
    """You et al.: a tensor moves by learning_rate times its own norm (LARS: times trust)."""
    w, dw = tensor
    moved = one_step(rule, w, dw * length, learning_rate=0.01, **numbers) - w
    assert np.linalg.norm(moved) == pytest.approx(share * np.linalg.norm(w))


@pytest.mark.parametrize(
    ("rule", "numbers", "plain"),
    [(rules.lamb, {"eps": 1e-8}, rules.adam), (rules.lars, {"trust": 1.0}, rules.momentum)],
    ids=["lamb", "lars"],
)
def test_weights_of_0_have_no_length_to_follow(rule, numbers, plain, tensor):
    w, dw = np.zeros(500), tensor[1]
    moved = one_step(rule, w, dw, **numbers, learning_rate=0.1)
    np.testing.assert_allclose(moved, one_step(plain, w, dw, learning_rate=0.1), rtol=1e-15)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_first_step_of_novograd_is_as_long_as_the_learning_rate(tensor, length):
    w, dw = tensor
    moved = one_step(rules.novograd, w, dw * length, learning_rate=0.01, eps=0.0) - w
    assert np.linalg.norm(moved) == pytest.approx(0.01)


def test_novograd_has_one_history_for_a_tensor(tensor):
    weights = [tensor[0].copy(), tensor[1, :7].copy()]
    optimizer = ro.Optimizer(rules.novograd, weights, engine="cpu")
    for factor in (1.0, 2.0):
        optimizer.step([factor * tensor[1], factor * tensor[0, :7]])
    for v, dw in zip(optimizer.state["v"], (tensor[1], tensor[0, :7]), strict=True):
        # 0.98 of the first squared length, and 0.02 of the second
        np.testing.assert_allclose(v, (0.98 + 0.02 * 4) * np.dot(dw, dw), rtol=1e-13)


def test_stable_adamw_is_adamw_until_a_gradient_jumps(tensor):
    w, dw = tensor
    stable, plain = w.copy(), w.copy()
    options = {"learning_rate": 0.1, "beta2": 0.99}
    optimizers = [
        ro.Optimizer(rules.stable_adamw, stable, **options),
        ro.Optimizer(rules.adamw, plain, **options),
    ]
    for t in range(1, 6):  # ever shorter gradients surprise no history
        for optimizer in optimizers:
            optimizer.step(dw * 0.5**t)
        np.testing.assert_allclose(stable, plain, rtol=1e-12)

    before = stable.copy(), plain.copy()
    for optimizer in optimizers:
        optimizer.step(dw * 1000)
    moved, usual = (np.linalg.norm(x - y) for x, y in zip((stable, plain), before, strict=True))
    # The history holds 0.01 / (1 - 0.99**6) of the square of the jump: it is sqrt of one over that.
    assert usual / moved == pytest.approx((0.01 / (1 - 0.99**6)) ** -0.5, rel=1e-3)


# Cautious


def test_a_cautious_step_never_goes_up_the_gradient(tensor):
    """Momentum that leads on where the gradient has turned stays where it is."""
    w, dw = tensor
    rule = cautious(rules.momentum)
    optimizer = ro.Optimizer(rule, w, engine="cpu", learning_rate=0.1)
    optimizer.step(dw)
    before, turned = w.copy(), np.where(np.arange(500) % 5 == 0, -dw, dw) / 10
    turned[np.arange(500) % 5 == 1] = 0.0  # nothing says that to go on is right
    optimizer.step(turned)

    moved = w - before
    np.testing.assert_array_equal(moved == 0, np.arange(500) % 5 < 2)
    assert np.all(moved[moved != 0] * turned[moved != 0] < 0)


@pytest.mark.parametrize("excess", [0.0, 1.0, 3.0])
def test_what_a_cautious_step_leaves_out_the_rest_makes_up_for(tensor, excess):
    w, dw = tensor
    moves = []
    for rule, options in (
        (rules.momentum, {}),
        (cautious(rules.momentum), {"mask_excess": excess}),
    ):
        weights = w.copy()
        optimizer = ro.Optimizer(rule, weights, engine="cpu", learning_rate=0.1, **options)
        optimizer.state["m"][...] = np.where(np.arange(500) % 5 == 0, dw, -dw)
        optimizer.step(dw / 10)
        moves.append(weights - w)
    usual, cautiously = moves
    stays = np.arange(500) % 5 != 0
    np.testing.assert_allclose(
        cautiously[stays], usual[stays] * 500 / (400 + excess), rtol=1e-9, atol=0
    )


def test_where_nothing_agrees_a_cautious_rule_stays(tensor):
    w, dw = tensor
    weights = w.copy()
    optimizer = ro.Optimizer(
        cautious(rules.momentum), weights, engine="cpu", learning_rate=0.1, mask_excess=0.0
    )
    optimizer.state["m"][...] = dw
    optimizer.step(dw / 10)
    np.testing.assert_array_equal(weights, w)


# Clipping


@pytest.mark.parametrize("engine", ["cpu", "tensors"])
def test_clipping_by_norm_is_a_class_of_pytorch_too(engine):
    """Its `max_norm` is the rule's, not the one that every class has; both would clip twice."""
    make = ruleonce.torch.optimizer(clipped_by_norm(rules.sgd))
    ours, optimizer = walks.by_torch(
        lambda weights: make(weights, lr=0.1, max_norm=0.5, engine=engine)
    )
    expected, _ = walks.by_rule(clipped_by_norm(rules.sgd), learning_rate=0.1, max_norm=0.5)
    walks.assert_same_end(ours, expected)
    assert optimizer.param_groups[0]["max_norm"] == 0.5
    assert optimizer.max_norm is None


def test_gradients_within_the_norm_are_not_touched(tensor):
    w, dw = tensor
    limit = float(np.linalg.norm(dw)) * (1 + 1e-12)
    np.testing.assert_array_equal(
        one_step(clipped_by_norm(rules.adagrad), w, dw, max_norm=limit),
        one_step(rules.adagrad, w, dw),
    )


def test_a_gradient_of_0_and_a_norm_of_0_are_allowed(tensor):
    w, dw = tensor
    for gradient in (dw, 0 * dw):
        stayed = one_step(clipped_by_norm(rules.sgd), w, gradient, max_norm=0.0, learning_rate=1.0)
        np.testing.assert_array_equal(stayed, w)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (clipped_by_norm(rules.sgd), "max_norm"),
        (clipped_by_norm(rules.sgd), "norm_eps"),
        (cautious(rules.sgd), "mask_excess"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_negative_number_is_refused(rule, name):
    with pytest.raises(HyperparameterError, match=f"{name} is -1.*at least 0"):
        ro.Optimizer(rule, np.ones(3), **{name: -1.0})


@pytest.mark.parametrize(
    "order",
    list(itertools.permutations((cautious, clipped_by_norm, decoupled_decay))),
    ids=lambda order: "-".join(combinator.__name__ for combinator in order),
)
def test_they_combine_in_any_order(order):
    rule = rules.nadam
    for combinator in order:
        rule = combinator(rule)
    numbers = {"weight_decay": 0.1, "max_norm": 3.0}
    ends = [walks.by_rule(rule, engine=e, steps=20, **numbers)[0] for e in ("cpu", "reference")]
    walks.assert_same_end(*ends, rtol=1e-13)
    assert cautious(rules.adam) is cautious(rules.adam)
