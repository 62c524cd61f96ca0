"""What makes each rule itself: the limit in which it becomes another, or a number from its paper.

Rules are called as plain functions in float64; tests/papers/test_torch_options.py holds them
against torch.optim.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from ruleonce import rules, schedules

STEPS = 50


def run(rule, gradients, w=0.0, **hyperparameters):
    """The weights after each step, and the state after the last one."""
    state = {}
    for name in rule.schema.returns[1:]:
        start = rule.schema.initial.get(name, 0.0)
        start = {**rule.hyperparameters, **hyperparameters}.get(start, start)
        state[name] = start if name in rule.scalars else np.full(np.shape(gradients[0]), start)
    w = np.full(np.shape(gradients[0]), w)
    path = []
    for t, dw in enumerate(gradients, 1):
        numbers = {k: v(t) if callable(v) else v for k, v in hyperparameters.items()}
        given = {"t": t, **state}
        rest = (given[name] for name in rule.schema.positional[2:])
        w, *new = rule(w, np.asarray(dw, float), *rest, **numbers)
        state = dict(zip(state, new, strict=True))
        path.append(w)
    return np.array(path), state


@pytest.fixture
def gradients():
    return np.random.default_rng(0).normal(size=(STEPS, 9))


def same(path, other):
    """The same formula, associated differently."""
    np.testing.assert_allclose(path, other, rtol=1e-12, atol=1e-15)


# Descent


@pytest.mark.parametrize(("outside", "inside"), [
    (rules.heavy_ball, rules.momentum), (rules.heavy_ball_nesterov, rules.nesterov),
])  # fmt: skip
def test_where_the_learning_rate_stands_matters_only_when_it_changes(outside, inside, gradients):
    same(run(outside, gradients)[0], run(inside, gradients)[0])

    falling = {"learning_rate": schedules.exponential(0.1, steps=1, factor=0.5)}
    apart = run(outside, gradients, **falling)[0] - run(inside, gradients, **falling)[0]
    assert np.max(np.abs(apart)) > 1e-2


def test_a_falling_rate_takes_the_gathered_velocity_with_it():
    """After a gradient of 1 at the rate 1, the rate 0: the heavy ball stands, momentum rolls on."""
    stop = {"learning_rate": lambda t: 1.0 if t == 1 else 0.0, "beta1": 0.5}
    once = [1.0, 0.0, 0.0]

    np.testing.assert_array_equal(run(rules.heavy_ball, once, **stop)[0], [-1, -1, -1])
    np.testing.assert_array_equal(run(rules.momentum, once, **stop)[0], [-1, -1.5, -1.75])


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_heavy_ball_that_is_not_damped(nesterov, gradients):
    plain = rules.heavy_ball_nesterov if nesterov else rules.heavy_ball
    damped, _ = run(rules.heavy_ball_damped, gradients, nesterov=nesterov)
    np.testing.assert_array_equal(damped, run(plain, gradients)[0])


def test_the_first_gradient_is_not_damped_and_the_others_are():
    path, _ = run(rules.heavy_ball_damped, [1.0, 1.0], learning_rate=1.0, beta1=0.5, dampening=0.75)
    np.testing.assert_array_equal(path, [-1, -1 - (0.5 + 0.25)])


def test_asgd_without_decay_is_sgd_and_its_mean_the_weights_until_it_starts(gradients):
    path, state = run(rules.asgd, gradients, learning_rate=0.1, shrink=0.0)
    same(path, run(rules.sgd, gradients, learning_rate=0.1)[0])
    np.testing.assert_array_equal(state["mean"], path[-1])


def test_the_mean_of_asgd_is_the_mean_of_the_weights_since_it_started(gradients):
    """`mu` is that of the step before, so the first weights in it are those of step start + 2."""
    path, state = run(rules.asgd, gradients, start=10)
    same(state["mean"], path[11:].mean(axis=0))


def test_the_rate_of_asgd_falls_as_published(gradients):
    """Xu 2011: rate * (1 + decay * rate * t) ** -3/4, here of 16 at the end."""
    _, state = run(rules.asgd, gradients[:30], learning_rate=0.5, shrink=1.0)
    assert state["eta"] == pytest.approx(0.5 / 8)


# History


def test_adagrad_decaying_is_adagrad_with_a_schedule(gradients):
    slowed = {"learning_rate": lambda t: 0.1 / (1 + 0.5 * (t - 1))}
    path, _ = run(rules.adagrad_decaying, gradients, learning_rate=0.1, decay_rate=0.5, eps=1e-8)
    np.testing.assert_array_equal(path, run(rules.adagrad, gradients, **slowed)[0])


def test_a_sum_that_starts_above_0_is_a_gradient_that_came_before():
    path, _ = run(
        rules.adagrad_decaying, [3.0], learning_rate=1.0, initial_accumulator=16.0, eps=0.0
    )
    assert path[0] == -3 / 5


def test_centered_rmsprop_divides_by_the_spread():
    """Gradients that alternate have a mean near 0 and so the steps of RMSProp; constant ones have
    no spread, and the steps grow: v - mean**2 is 1 - b**t - (1 - b**t)**2 for a gradient of 1.
    """
    b = 0.9
    centered, _ = run(rules.rmsprop_centered, [1.0] * 20, learning_rate=1.0, beta2=b, eps=0.0)
    kept = b ** np.arange(1, 21)
    np.testing.assert_allclose(-np.diff(centered, prepend=0.0), ((1 - kept) * kept) ** -0.5)

    alternating = [(-1.0) ** t for t in range(4000)]
    centered, _ = run(rules.rmsprop_centered, alternating, beta2=0.999)
    plain, _ = run(rules.rmsprop, alternating, beta2=0.999)
    np.testing.assert_allclose(np.diff(centered)[-10:], np.diff(plain)[-10:], rtol=1e-5)


def test_rounding_makes_no_nan_of_a_spread_of_0():
    """Without a floor there is one: v - mean**2 falls below 0 for 0.3, 0.7 and others."""
    constant = np.linspace(0.05, 2.0, 40)
    path, state = run(rules.rmsprop_centered, [constant] * 600, beta2=0.9)
    assert np.any(state["v"] - state["mean"] ** 2 < 0)
    assert np.all(np.isfinite(path))


def test_adadelta_begins_with_steps_of_the_same_length_for_any_gradient():
    """From u = 0 it is sqrt(eps / ((1 - rho) g**2)) g."""
    sizes = np.array([1e3, -1.0, 1e6])
    path, _ = run(rules.adadelta, [sizes], rho=0.9, eps=1e-6)
    np.testing.assert_allclose(path[0], -np.sign(sizes) * np.sqrt(1e-6 / 0.1), rtol=1e-5)


def test_adadelta_has_the_unit_of_the_weights(gradients):
    """Zeiler 2012, section 3.2: weights in another unit, c times as long, go c times as far. eps is
    a square of a gradient in one root and of a step in the other, so it has to be out of the way.
    """
    free = {"rho": 0.5, "eps": 1e-200}
    warm = {"w": np.zeros(9), "v": np.ones(9), "u": np.ones(9)}
    c = 1024.0
    w, v, u = warm.values()
    far, fv, fu = w * c, v / c**2, u * c**2
    for dw in gradients:
        w, v, u = rules.adadelta(w, dw, v, u, **free)
        far, fv, fu = rules.adadelta(far, dw / c, fv, fu, **free)
    np.testing.assert_array_equal(far, w * c)


def test_rprop_by_hand():
    """+ + - + +: it grows, shrinks where the sign turns and rests there, stays, and grows again."""
    lengths = [0.1, 0.12, 0.06, 0.06, 0.072]
    moves = [-0.1, -0.12, 0.0, -0.06, -0.072]
    path, state = run(rules.rprop, [1.0, 5.0, -0.1, 2.0, 0.5], learning_rate=0.1)
    np.testing.assert_allclose(np.diff(path, prepend=0.0), moves, rtol=1e-12)
    assert state["length"] == pytest.approx(lengths[-1])


def test_rprop_keeps_its_steps_between_the_shortest_and_the_longest():
    _, grown = run(rules.rprop, [1.0] * 60)
    _, shrunk = run(rules.rprop, [(-1.0) ** (t // 2) for t in range(200)], grow=1.0)
    assert grown["length"] == 50
    assert shrunk["length"] == 1e-6


# Adam


def test_adamw_without_decay_is_adam(gradients):
    adamw, _ = run(rules.adamw, gradients, weight_decay=0.0, w=1.0)
    np.testing.assert_array_equal(adamw, run(rules.adam, gradients, w=1.0)[0])


def test_adamw_shrinks_weights_that_have_no_gradient():
    path, _ = run(rules.adamw, [0.0] * 20, w=3.0, learning_rate=0.1, weight_decay=0.5)
    np.testing.assert_allclose(path, 3 * 0.95 ** np.arange(1, 21), rtol=1e-14)


def test_amsgrad_is_adam_while_the_history_grows(gradients):
    growing = np.sort(np.abs(gradients), axis=0) * np.sign(gradients)
    amsgrad, _ = run(rules.amsgrad, growing)
    np.testing.assert_array_equal(amsgrad, run(rules.adam, growing)[0])


def test_amsgrad_is_right_where_adam_is_wrong():
    """Reddi et al. 2018, section 3: every third gradient is C, the others are -1, so w should go
    to -1; Adam, with beta1 = 0 and beta2 = 1 / (1 + C**2), goes to 1.
    """
    c = 5.0
    ends = {}
    for rule in (rules.adam, rules.amsgrad):
        state = [0.0] * (len(rule.schema.returns) - 1)
        w = 0.0
        for t in range(1, 3001):
            dw = c if t % 3 == 1 else -1.0
            rate = 0.5 / t**0.5
            w, *state = rule(w, dw, *state, t, learning_rate=rate, beta1=0.0, beta2=1 / (1 + c**2))
            w = min(max(w, -1.0), 1.0)
        ends[rule.name] = w
    assert ends["adam"] > 0.9
    assert ends["amsgrad"] < -0.9


def test_adamax_takes_steps_of_the_learning_rate_for_a_constant_gradient():
    path, _ = run(rules.adamax, [np.array([4.0, -1e-3])] * 20, learning_rate=0.1, eps=0.0)
    same(path, -0.1 * np.outer(np.arange(1, 21), [1, -1]))


def test_adamax_is_adam_with_a_higher_norm():
    """Kingma & Ba 2015, section 7.1: u is max(beta2**(t - i) * abs(g_i)), the limit of p-norms."""
    sizes = np.abs(np.random.default_rng(0).normal(size=STEPS))
    _, state = run(rules.adamax, sizes, beta2=0.9, eps=0.0)
    ages = np.arange(STEPS)[::-1]
    p = 200
    decayed = 0.9**ages * sizes / 10  # below 1, so that no power overflows
    norm = 10 * np.sum(decayed**p) ** (1 / p)
    assert state["u"] == pytest.approx(norm, rel=1e-3)


def test_nadam_without_momentum_is_adam_without_momentum(gradients):
    nadam, _ = run(rules.nadam, gradients, beta1=0.0, learning_rate=1e-3)
    same(nadam, run(rules.adam, gradients, beta1=0.0)[0])


def test_the_momentum_of_nadam_grows_from_half_to_the_whole():
    """Dozat 2016: beta1 * (1 - 0.96**(t / 250) / 2)."""
    _, first = run(rules.nadam, [1.0], momentum_decay=1 / 250)
    _, late = run(rules.nadam, [1.0] * 2, momentum_decay=1e6)
    assert first["product"] == pytest.approx(0.9 * (1 - 0.96 ** (1 / 250) / 2), rel=1e-15)
    assert late["product"] == 0.9**2


def test_a_constant_gradient_takes_nadam_one_learning_rate_a_step():
    """Both means are bias-corrected: the step looks ahead, but is no longer for it."""
    path, _ = run(rules.nadam, [2.0] * 2000, learning_rate=0.1, eps=0.0)
    assert -np.diff(path)[-1] == pytest.approx(0.1, rel=1e-3)


def test_radam_starts_as_momentum_alone():
    """With beta2 = 0.999 rho is above 5 from step 6 on; before, steps scale with the gradients."""
    small, _ = run(rules.radam, [0.01] * 8)
    large, _ = run(rules.radam, [1.0] * 8)
    same(small[:5], large[:5] * 0.01)
    assert not np.allclose(np.diff(small)[5:], np.diff(large)[5:] * 0.01, rtol=0.5)
    same(large[:5], -1e-3 * np.arange(1, 6))


def test_radam_becomes_adam(gradients):
    w, dw, m = gradients[:3]
    late = (w, dw, m, dw**2 + 0.1, 100_000)
    same(rules.radam(*late), rules.adam(*late))


def test_radam_never_trusts_a_history_that_is_too_short(gradients):
    """With beta2 = 0.6 it is worth 4 gradients, for ever."""
    path, _ = run(rules.radam, gradients, beta2=0.6)
    same(path, run(rules.radam, gradients, beta2=0.0)[0])
    same(run(rules.radam, gradients * 8, beta2=0.6)[0], path * 8)


# Signs


def test_lion_sees_no_magnitude(gradients):
    """Chen et al. 2023: the step is a sign, so it is as long for gradients 1000 times as large."""
    path, _ = run(rules.lion, gradients)
    np.testing.assert_array_equal(run(rules.lion, gradients * 1024)[0], path)
    np.testing.assert_allclose(np.abs(np.diff(path, axis=0)), 1e-4)


def test_lion_leans_on_the_newest_gradient_and_remembers_longer(gradients):
    """beta1 is for the step, beta2 for what is remembered: 1, then -5 turns the step, not m."""
    path, state = run(rules.lion, [1.0] * 200 + [-20.0])
    assert np.diff(path)[-1] > 0
    assert state["m"] > 0

    signs, _ = run(rules.lion, gradients, beta1=0.0, learning_rate=1.0)
    np.testing.assert_array_equal(np.diff(signs, axis=0), -np.sign(gradients[1:]))


def test_every_rule_that_is_not_on_the_card_is_tested_beside_this():
    files = Path(__file__).parent.glob("test_*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    card = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam_simplified", "adam"}
    others = [rule.name for rule in rules.ALL if rule.name not in card]
    assert not [name for name in others if not re.search(rf"\brules\.{name}\b", text)]
