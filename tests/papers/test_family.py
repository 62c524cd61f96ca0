"""What makes each rule of the wider family itself: a limit in which it is another one, or a step
that was worked out by hand.
"""

import numpy as np
import pytest

from ruleonce import Optimizer, rules

STEPS = 30
RNG = np.random.default_rng(0)
START = RNG.normal(size=7)
GRADIENTS = RNG.normal(size=(STEPS, 7)) * 0.1
STEADY = np.tile(np.abs(RNG.normal(size=7)) + 0.1, (STEPS, 1))  # the same at each step, uphill


def walk(rule, numbers, gradients=GRADIENTS):
    w = START.copy()
    optimizer = Optimizer(rule, w, engine="reference", **numbers)
    points = []
    for dw in gradients:
        optimizer.step(dw)
        points.append(w.copy())
    return np.array(points), optimizer


def first_step(rule, dw, **numbers):
    """How far a weight of 5 moves at the first step."""
    w = np.array([5.0])
    Optimizer(rule, w, engine="reference", **numbers).step(np.array([dw]))
    return float(w[0]) - 5.0


RATE = {"learning_rate": 0.1}
LIMITS = {
    "qhm-of-no-momentum": (rules.qhm, {"nu": 0.0}, rules.sgd, {}, GRADIENTS),
    "qhadam-of-averages-alone": (
        rules.qhadam, {"nu1": 1.0, "nu2": 1.0, "beta1": 0.9}, rules.adam, {}, GRADIENTS,
    ),
    "adamc-at-its-peak": (rules.adamc, {"peak_rate": 0.1}, rules.adamw, {}, GRADIENTS),
    "mars-without-correction": (
        rules.mars, {"gamma": 0.0}, rules.adam, {"beta1": 0.95, "beta2": 0.99}, GRADIENTS,
    ),
    "ademamix-without-the-slow-one": (rules.ademamix, {"alpha": 0.0}, rules.adam, {}, GRADIENTS),
    "grams-where-nothing-turns": (rules.grams, {}, rules.adam, {}, STEADY),
    "adan-where-nothing-changes": (
        rules.adan, {}, rules.adam, {"beta1": 0.98, "beta2": 0.99}, STEADY,
    ),
    "adam_nesterov-without-velocity": (
        rules.adam_nesterov, {"beta1": 0.0}, rules.adam, {"beta1": 0.0}, GRADIENTS,
    ),
    "adabound-that-has-closed": (
        rules.adabound, {"gamma": 1e15, "final_rate": 0.1},
        rules.qhm, {"nu": 1.0, "beta1": 0.9}, GRADIENTS,
    ),
    "sophia-without-curvature": (rules.sophia, {}, rules.signum, {"beta1": 0.96}, GRADIENTS),
    "tiger-without-decay": (
        rules.tiger, {"weight_decay": 0.0}, rules.signum, {"beta1": 0.965}, GRADIENTS,
    ),
    "signum-without-velocity": (rules.signum, {"beta1": 0.0}, rules.sign_sgd, {}, GRADIENTS),
    "optimistic_gradient-of-the-present": (
        rules.optimistic_gradient, {"correction": 0.0}, rules.sgd, {}, GRADIENTS,
    ),
    "amsgrad-of-growing-history": (
        rules.amsgrad, {"corrected_first": True}, rules.adam, {},
        STEADY * np.arange(1, STEPS + 1)[:, None],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS.values(), ids=LIMITS)
def test_in_a_limit_it_is_another_rule(case):
    rule, numbers, other, others, gradients = case
    got, _ = walk(rule, RATE | numbers, gradients)
    expected, _ = walk(other, RATE | others, gradients)

    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


def test_away_from_the_limits_they_are_not():
    for rule, numbers, other, others, _ in LIMITS.values():
        if rule in (rules.adamc, rules.amsgrad):
            continue
        kept = {k: v for k, v in numbers.items() if k.startswith("beta")}
        got, _ = walk(rule, RATE | kept, GRADIENTS)
        expected, _ = walk(other, RATE | others, GRADIENTS)
        if rule not in (rules.adam_nesterov, rules.signum, rules.sophia):
            assert np.max(np.abs(got - expected)) > 1e-4, rule.name


STEPS_BY_HAND = [
    # v is (1 - beta2) * (beta1 * dw)**2, so its root, corrected, is beta1 * |dw|
    (rules.adabelief, 3.0, RATE, -0.1 / 0.9),
    # v is (1 - beta2) * dw**2 and m is (1 - beta1) * dw, as in Adam without correction
    (rules.yogi, 2.0, RATE | {"initial_accumulator": 0.0, "eps": 0.0}, -0.1 * 0.1 / 0.001**0.5),
    # the angle of equal lengths is pi / 4, and no gradient is too small for it
    (rules.adam_atan2, 1e-100, RATE | {"scale": 4 / np.pi}, -0.1),
    (rules.adopt, 2.0, RATE, 0.0),  # it is only remembered
    (rules.sign_sgd, -7.0, RATE, 0.1),
    (rules.optimistic_gradient, 3.0, RATE, -0.6),
    (rules.optimistic_adam, 3.0, RATE | {"eps": 0.0}, -0.2),
    # s and v are 0.1 * dw and 0.1 * dw**2; the root is cbrt(0.8) = 0.928...; a tenth of the way
    (rules.madgrad, 8.0**0.5, RATE | {"eps": 0.0}, -0.1 * 0.1 * 8**0.5 / 0.8 ** (1 / 3)),
    (rules.schedule_free_sgd, 2.0, RATE, -0.2),  # the mean of one point is that point
    (rules.schedule_free_adamw, 2.0, RATE | {"eps": 0.0}, -0.1),
    (rules.cocob, 3.0, {}, -0.01),  # a hundredth: what is bet of nothing won
    (rules.adam_nesterov, 3.0, RATE | {"eps": 0.0}, -0.1 * (0.9 * 0.1 / (1 - 0.81) + 1.0)),
]


@pytest.mark.parametrize(
    ("rule", "dw", "numbers", "moved"), STEPS_BY_HAND, ids=[x[0].name for x in STEPS_BY_HAND]
)
def test_its_first_step_is_the_one_by_hand(rule, dw, numbers, moved):
    assert first_step(rule, dw, **numbers) == pytest.approx(moved, rel=1e-9, abs=1e-12)


def test_the_second_step_of_adopt_is_scaled_by_the_first_gradient_and_clipped_to_1():
    w = np.array([0.0, 0.0])
    optimizer = Optimizer(rules.adopt, w, learning_rate=1.0, beta1=0.5, engine="reference")
    optimizer.step(np.array([2.0, 2.0]))
    optimizer.step(np.array([1.0, 9.0]))

    np.testing.assert_allclose(w, [-0.25, -0.5])


def test_the_answer_of_schedule_free_descent_is_the_mean_of_all_z():
    w = START.copy()
    optimizer = Optimizer(rules.schedule_free_sgd, w, learning_rate=0.3, engine="reference")
    points = []
    for dw in GRADIENTS:
        optimizer.step(dw)
        points.append(optimizer.state["z"].copy())
    answer = (w - (1 - 0.9) * optimizer.state["z"]) / 0.9

    np.testing.assert_allclose(answer, np.mean(points, axis=0), rtol=1e-12)


def test_sophia_takes_newtons_step_where_the_curvature_is_large():
    w = np.array([5.0])
    optimizer = Optimizer(
        rules.sophia, w, learning_rate=1.0, beta1=0.0, gamma=1.0, engine="reference"
    )
    optimizer.state["h"][...] = 4.0
    optimizer.step(np.array([2.0]))

    assert w[0] == 5.0 - 2.0 / 4.0
    assert optimizer.state["h"][0] == 4.0


def test_mars_shortens_a_corrected_gradient_that_is_longer_than_1():
    long, _ = walk(rules.mars, RATE | {"eps": 1.0}, 100 * STEADY)
    short, _ = walk(rules.mars, RATE | {"eps": 1.0}, STEADY / np.linalg.norm(STEADY[0]))

    np.testing.assert_allclose(long, short, rtol=1e-12)


def test_cocob_bets_more_when_it_wins():
    points, _ = walk(rules.cocob, {}, STEADY)
    lengths = -np.diff(points, axis=0)

    assert np.all(lengths[1:] > lengths[:-1])


@pytest.mark.parametrize("rule", [rules.adagrad, rules.rmsprop])
def test_eps_inside_of_the_root_counts_as_a_squared_gradient(rule):
    inside = first_step(rule, 0.0, learning_rate=1.0, eps=0.25, eps_inside_sqrt=True)
    one = first_step(rule, 1.0, learning_rate=1.0, eps=3.0, eps_inside_sqrt=True)
    share = 1.0 if rule is rules.adagrad else 0.001

    assert inside == 0.0
    assert one == pytest.approx(-1 / (share + 3.0) ** 0.5)
