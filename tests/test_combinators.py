"""Rules made of rules: each combinator by the limit in which it changes nothing, by torch, and in
any order in one kernel.
"""

import itertools
import pickle

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import ruleonce as ro
from ruleonce import combinators, rules
from ruleonce.combinators import (
    averaged,
    cautious,
    clipped,
    clipped_by_norm,
    coupled_decay,
    decoupled_decay,
    lookahead,
    maximized,
    nesterov,
    scaled,
    unscaled,
    with_momentum,
)
from ruleonce.errors import RuleError

ALL = (
    coupled_decay, decoupled_decay, maximized, scaled, unscaled, averaged, with_momentum,
    cautious, clipped, clipped_by_norm, lookahead, nesterov,
)  # fmt: skip
DECAYS = (coupled_decay, decoupled_decay)
CHANGING_NOTHING = (*DECAYS, scaled, unscaled, averaged)
STEPS = 20


def taken(rule, engine="reference", dtype=np.float64, **hyperparameters):
    """The optimizer and its weights after some steps with gradients that are always the same."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=37).astype(dtype)
    optimizer = ro.Optimizer(rule, w, engine=engine, **hyperparameters)
    if "average" in rule.state:
        optimizer.state["average"][...] = w
    for _ in range(STEPS):
        optimizer.step(rng.normal(size=37).astype(dtype))
    return optimizer, w


@pytest.mark.parametrize(
    ("combinator", "rule"),
    [
        pytest.param(combinator, rule, id=f"{combinator.__name__}-{rule.name}")
        for combinator, rule in itertools.product(CHANGING_NOTHING, rules.ALL)
        if "weight_decay" not in rule.hyperparameters or combinator not in DECAYS
        if "learning_rate" in rule.hyperparameters or combinator is not decoupled_decay
    ],
)
def test_with_the_default_of_what_it_adds_a_combined_rule_is_the_rule(combinator, rule):
    combined, w = taken(combinator(rule), engine="cpu")
    plain, expected = taken(rule, engine="cpu")

    np.testing.assert_array_equal(w, expected)
    for name in (*rule.state, *rule.scalars):
        np.testing.assert_array_equal(combined.state[name], plain.state[name], err_msg=name)


@pytest.mark.parametrize("combinator", ALL, ids=lambda c: c.__name__)
def test_equal_arguments_give_the_same_rule(combinator):
    assert combinator(rules.adagrad) is combinator(rules.adagrad)
    assert combinator(rules.adagrad) is not combinator(rules.rmsprop)
    assert combinator(rules.adagrad).name == f"adagrad_{combinator.__name__}"


def test_every_combinator_is_tested():
    made = {
        name
        for name, value in vars(combinators).items()
        if hasattr(value, "cache_info") and not name.startswith("_")
    }
    assert made == {c.__name__ for c in ALL}


IN_ANY_ORDER = {
    coupled_decay: {"weight_decay": 0.1},
    maximized: {},
    scaled: {"gradient_scale": 0.3},
    unscaled: {"grad_scale": 3.0},
    averaged: {"average_decay": 0.9},
}


def names_of(order):
    return "-".join(c.__name__ for c in order)


@pytest.mark.parametrize("order", list(itertools.permutations(IN_ANY_ORDER)), ids=names_of)
def test_they_combine_in_any_order_into_one_kernel(order):
    """One kernel with the bits of the plain rule, and one formula, up to the order of scalings."""
    rule = rules.nadam  # it has t and scalar state
    for combinator in order:
        rule = combinator(rule)
    numbers = {k: v for c in order for k, v in IN_ANY_ORDER[c].items()}
    runs = {engine: taken(rule, engine, np.float32, **numbers) for engine in ("cpu", "reference")}

    np.testing.assert_array_equal(runs["cpu"][1], runs["reference"][1])
    for name in (*rule.state, *rule.scalars):
        np.testing.assert_array_equal(*(run.state[name] for run, _ in runs.values()))
    assert runs["cpu"][0].state["product"] == taken(rules.nadam)[0].state["product"]
    assert set(rule.schema.positional) == {"w", "dw", "m", "v", "product", "t", "average"}


# Each does what it says


def test_coupled_decay_adds_the_weights_to_the_gradient():
    combined, _ = rules.adagrad(1.0, 0.25 + 0.5 * 1.0, 0.0)
    assert coupled_decay(rules.adagrad)(1.0, 0.25, 0.0, weight_decay=0.5)[0] == combined


def test_decoupled_decay_of_adam_is_adamw():
    options = {"learning_rate": 0.1, "weight_decay": 0.2}
    ours, w = taken(decoupled_decay(rules.adam), **options)
    adamw, expected = taken(rules.adamw, **options)
    np.testing.assert_array_equal(w, expected)
    np.testing.assert_array_equal(ours.state["v"], adamw.state["v"])


def test_maximized_climbs_as_far_as_the_rule_descends():
    down = rules.adam(0.0, 0.5, 0.0, 0.0, 1)
    assert maximized(rules.adam)(0.0, 0.5, 0.0, 0.0, 1) == (-down[0], -down[1], down[2])
    assert maximized(maximized(rules.adam))(0.0, 0.5, 0.0, 0.0, 1) == down


def test_the_decay_of_what_is_maximized_still_shrinks():
    """As in torch.optim: the gradient is turned first, the decay added then."""
    for decayed in DECAYS:
        (w,) = maximized(decayed(rules.sgd))(2.0, 0.0, learning_rate=0.5, weight_decay=0.1)
        assert w == pytest.approx(1.9)


def test_scaled_is_clipping_by_the_global_norm():
    rng = np.random.default_rng(0)
    w, gradients = rng.normal(size=(2, 50)), 10 * rng.normal(size=(STEPS, 50))
    weights = torch.tensor(w[0])
    theirs, ours = torch.optim.Adam([weights]), [w[0], np.zeros(50), np.zeros(50)]
    for t, dw in enumerate(gradients, 1):
        weights.grad = torch.tensor(dw)
        norm = torch.nn.utils.clip_grad_norm_([weights], 1.0)
        theirs.step()
        clip = min(1.0, 1.0 / (float(norm) + 1e-6))
        ours = scaled(rules.adam)(ours[0], dw, *ours[1:], t, gradient_scale=clip)
    np.testing.assert_allclose(ours[0], weights, rtol=1e-12)


def test_unscaled_is_what_the_fused_kernels_of_torch_do():
    """Gradients are divided by the scale; found_inf = 1 skips, and the step is not counted."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=50)
    weights = torch.tensor(start)
    theirs, ours, t = torch.optim.Adam([weights], fused=True), [start, 0 * start, 0 * start], 0
    theirs.grad_scale, theirs.found_inf = torch.tensor(3.0), torch.zeros(())
    for step in range(STEPS):
        dw = 3 * rng.normal(size=50)
        found = float(step % 4 == 2)
        theirs.found_inf.fill_(found)
        weights.grad = torch.tensor(dw)
        theirs.step()
        given = (dw * np.inf if found else dw, *ours[1:], t + 1)
        with np.errstate(invalid="ignore"):
            ours = unscaled(rules.adam)(ours[0], *given, grad_scale=3.0, found_inf=found)
        t += not found
    np.testing.assert_allclose(ours[0], weights, rtol=1e-12)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_a_step_with_an_infinite_gradient_changes_nothing_not_even_scalar_state(engine):
    rule = averaged(unscaled(rules.asgd))
    optimizer, w = taken(rule, engine, average_decay=0.5)
    skipping = ro.Optimizer(unscaled(averaged(rules.asgd)), w, engine=engine, found_inf=1.0)
    before = {name: np.copy(value) for name, value in skipping.state.items()} | {"w": w.copy()}

    with np.errstate(invalid="ignore"):
        skipping.step(np.full(37, np.nan))

    for name, value in {**skipping.state, "w": w}.items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert optimizer.state["eta"] != rules.asgd.hyperparameters["learning_rate"]


def test_averaged_is_the_averaged_model_of_torch():
    model = torch.nn.Linear(5, 1, bias=False, dtype=torch.float64)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average.update_parameters(model)  # the first call copies
    weights = model.weight
    theirs = torch.optim.SGD([weights], lr=0.1)
    w = ours = weights.detach().numpy().copy()
    for gradient in np.random.default_rng(0).normal(size=(STEPS, 1, 5)):
        weights.grad = torch.tensor(gradient)
        theirs.step()
        average.update_parameters(model)
        w, ours = averaged(rules.sgd)(w, gradient, ours, learning_rate=0.1, average_decay=0.9)
    np.testing.assert_allclose(ours, average.module.weight.detach(), rtol=1e-12)
    assert np.max(np.abs(ours - w)) > 1e-2


def test_with_momentum_of_sgd_is_the_heavy_ball():
    """To the bit but for -0.0: the velocity has the sign of the gradients."""
    ours, w = taken(with_momentum(rules.sgd), momentum=0.8, learning_rate=0.1)
    heavy_ball, expected = taken(rules.heavy_ball, beta1=0.8, learning_rate=0.1)
    np.testing.assert_array_equal(w, expected)
    np.testing.assert_array_equal(ours.state["velocity"], heavy_ball.state["m"])


def test_with_momentum_of_0_is_the_rule():
    _, w = taken(with_momentum(rules.rmsprop), momentum=0.0)
    np.testing.assert_allclose(w, taken(rules.rmsprop)[1], rtol=1e-14)


# As a rule among rules


@ro.rule(initial={"total": "first"}, ranges={"first": (0, 9)})
def odd(x, slope, total, count: ro.Scalar, t, *, lr=0.1, first=2.0, curved=False):
    """A rule whose names are its own.

    Source: none.
    """
    total = total + slope * slope if curved else total + slope
    return x - lr * slope / (total + count + t), total, count + 1


@pytest.mark.parametrize("combinator", [coupled_decay, maximized, scaled, unscaled, averaged])
def test_names_starts_ranges_and_switches_are_those_of_the_rule(combinator):
    combined = combinator(odd)
    schema = combined.schema
    assert list(combined.hyperparameters)[:3] == ["lr", "first", "curved"]
    assert schema.switches == {"curved": False}
    assert schema.initial == {"total": "first"}
    assert schema.ranges["first"] == (0, 9)
    assert combined.state[0] == "total"
    assert combined.scalars == ("count",)
    assert combined.summary == odd.summary
    assert taken(combined, curved=True)[0].state["count"] == STEPS
    assert combined.program(curved=True).outputs["x"] is not combined.program().outputs["x"]


def test_decoupled_decay_needs_a_learning_rate():
    with pytest.raises(
        RuleError, match=r"decoupled_decay\(odd\).*no hyperparameter `learning_rate`"
    ):
        decoupled_decay(odd)
    with pytest.raises(RuleError, match=r"with_momentum\(odd\).*it has lr, first, curved"):
        with_momentum(odd)


def kept(w, dw, average):
    return w - dw, average


@pytest.mark.parametrize(
    ("combinator", "rule", "argument"),
    [
        (decoupled_decay, rules.adamw, "weight_decay"),
        (coupled_decay, coupled_decay(rules.sgd), "weight_decay"),
        (averaged, averaged(rules.sgd), "average_decay"),
        (averaged, ro.rule(kept), "average"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_an_argument_that_the_rule_has_already_is_named(combinator, rule, argument):
    with pytest.raises(RuleError, match=f"has an argument `{argument}`"):
        combinator(rule)


def test_the_card_says_what_was_combined():
    text = str(averaged(decoupled_decay(rules.lion)))
    first, second = (text.find(f"{c}(lion") for c in ("averaged", "decoupled_decay"))
    assert 0 < first < second < text.find("w = w - learning_rate * sign(")
    assert "Chen et al. 2023" in text
    assert "Loshchilov & Hutter 2019" in text


def test_a_combined_rule_is_pickled_as_what_it_was_made_of():
    rule = scaled(averaged(rules.sgd))
    assert pickle.loads(pickle.dumps(rule)) is rule  # noqa: S301  (made here)


def test_nesterov_around_descent_is_the_heavy_ball_that_looks_ahead():
    combined, w = taken(nesterov(rules.sgd), learning_rate=0.1, momentum=0.8)
    plain, expected = taken(rules.heavy_ball_nesterov, learning_rate=0.1, beta1=0.8)

    np.testing.assert_allclose(w, expected, rtol=1e-14)
    np.testing.assert_allclose(combined.state["velocity"], plain.state["m"], rtol=1e-14)


def test_clipped_keeps_each_element_between_two_bounds():
    w, *_ = clipped(rules.sgd, 0.5)(np.zeros(4), np.array([0.1, -3.0, 0.5, 9.0]), learning_rate=1.0)

    np.testing.assert_array_equal(w, [-0.1, 0.5, -0.5, -0.5])
    assert clipped(rules.sgd, 0.5).hyperparameters["clip_value"] == 0.5


def test_lookahead_goes_back_a_share_of_the_way_after_k_steps():
    """By hand: three steps of 1 down from 10, then a quarter of the way from there, and again."""
    rule = lookahead(rules.sgd, k=3, alpha=0.25)
    w = np.array([10.0])
    optimizer = ro.Optimizer(rule, w, learning_rate=1.0)
    points = []
    for _ in range(6):
        optimizer.step(np.ones(1))
        points.append(float(w[0]))

    assert points == [9.0, 8.0, 9.25, 8.25, 7.25, 8.5]


def test_lookahead_that_goes_all_the_way_is_the_rule():
    _, w = taken(lookahead(rules.adam), lookahead_share=1.0)
    _, expected = taken(rules.adam)

    np.testing.assert_allclose(w, expected, rtol=1e-14)


@pytest.mark.parametrize("combined", [lookahead(rules.adam, k=7), clipped(rules.lion, 0.25)])
def test_what_a_combinator_was_given_is_pickled_too(combined):
    assert pickle.loads(pickle.dumps(combined)) is combined  # noqa: S301  (our own)
