"""Each schedule against its twin in PyTorch or optax, at every step of a run and beyond its end."""

import inspect
import math
import pickle

import jax
import numpy as np
import optax
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

import ruleonce as ro
from ruleonce import schedules
from ruleonce.errors import HyperparameterError

# PyTorch multiplies its last value again and again, in float64.
RUNNING = 1e-12
# optax computes in float64 under enable_x64, with its operations in another order.
REORDERED = 1e-14


def by_torch(make, count, lr):
    """The learning rates of the first `count` steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def by_optax(schedule, count):
    with jax.enable_x64(True):
        return [float(schedule(done)) for done in range(count)]


TORCH = {
    "constant": (
        schedules.constant(0.1),
        lambda o: lr_scheduler.ConstantLR(o, factor=1.0),
        30,
    ),
    "step_decay": (
        schedules.step_decay(0.1, steps=7, factor=0.5),
        lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.5),
        30,
    ),
    "piecewise_constant": (
        schedules.piecewise_constant(0.1, [5, 12], factor=0.1),
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[5, 12], gamma=0.1),
        30,
    ),
    "exponential": (
        schedules.exponential(0.1, steps=1, factor=0.9),
        lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9),
        30,
    ),
    "linear": (
        schedules.linear(0.1, steps=20, final=0.02),
        lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=20),
        30,
    ),
    "polynomial": (
        schedules.polynomial(0.1, steps=20, power=2.0),
        lambda o: lr_scheduler.PolynomialLR(o, total_iters=20, power=2.0),
        30,
    ),
    "cosine": (
        schedules.cosine(0.1, steps=20, final=0.01),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.01),
        20,  # PyTorch's rises again
    ),
    "cosine_restarts": (
        schedules.cosine_restarts(0.1, steps=5, final=0.01, growth=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=2, eta_min=0.01),
        60,
    ),
    "cosine_restarts of one length": (
        schedules.cosine_restarts(0.1, steps=5),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=5),
        60,
    ),
    "one_cycle": (
        schedules.one_cycle(0.1, steps=50),
        lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=50, cycle_momentum=False),
        50,
    ),
    "warmup": (
        schedules.warmup(5, 0.1, start=0.01),
        lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=5),
        30,
    ),
}

OPTAX = {
    "linear": (schedules.linear(0.1, 20, 0.02), optax.linear_schedule(0.1, 0.02, 20)),
    "polynomial": (
        schedules.polynomial(0.1, 20, 0.02, power=3),
        optax.polynomial_schedule(0.1, 0.02, 3, 20),
    ),
    "cosine": (
        schedules.cosine(0.1, 20, 0.01),
        optax.cosine_decay_schedule(0.1, 20, alpha=0.1),
    ),
    "exponential": (
        schedules.exponential(0.1, 7, 0.5),
        optax.exponential_decay(0.1, 7, 0.5),
    ),
    "step_decay": (
        schedules.step_decay(0.1, 7, 0.5),
        optax.exponential_decay(0.1, 7, 0.5, staircase=True),
    ),
    "piecewise_constant": (
        schedules.piecewise_constant(0.1, [5, 12], 0.1),
        optax.piecewise_constant_schedule(0.1, {5: 0.1, 12: 0.1}),
    ),
    "warmup": (
        schedules.warmup(5, schedules.cosine(0.1, 20)),
        optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, 25),
    ),
    "warmup_stable_decay": (
        schedules.warmup_stable_decay(0.1, warmup=5, stable=10, decay=8, final=0.01),
        optax.join_schedules(
            [
                optax.linear_schedule(0.0, 0.1, 5),
                optax.constant_schedule(0.1),
                optax.linear_schedule(0.1, 0.01, 8),
            ],
            [5, 15],
        ),
    ),
    "join": (
        schedules.join([0.3, schedules.linear(0.1, 4), 0.05], [3, 9]),
        optax.join_schedules(
            [
                optax.constant_schedule(0.3),
                optax.linear_schedule(0.1, 0.0, 4),
                optax.constant_schedule(0.05),
            ],
            [3, 9],
        ),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_schedule_equals_its_twin_in_torch(name):
    ours, make, count = TORCH[name]
    theirs = by_torch(make, count, lr=0.1)

    got = [ours(t) for t in range(1, count + 1)]

    np.testing.assert_allclose(got, theirs, rtol=RUNNING, atol=1e-17)


@pytest.mark.parametrize("name", OPTAX)
def test_a_schedule_equals_its_twin_in_optax(name):
    ours, theirs = OPTAX[name]

    got = [ours(t) for t in range(1, 41)]

    np.testing.assert_allclose(got, by_optax(theirs, 40), rtol=REORDERED, atol=1e-17)


def test_inverse_square_root_equals_scikit_learns_inverse_scaling():
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    theirs = SGDOptimizer([], 0.1, lr_schedule="invscaling", power_t=0.5)
    ours = schedules.inverse_square_root(0.1, steps=1)

    for t in range(1, 50):
        theirs.iteration_ends(t - 1)
        assert ours(t) == pytest.approx(theirs.learning_rate, rel=1e-15)


def test_warmed_up_it_is_the_schedule_of_the_transformer():
    """Equation 3 counts from 1 what is 0 steps done here: at the end of the warm-up both peak."""
    model, count = 512, 40
    peak = model**-0.5 * count**-0.5
    ours = schedules.warmup(count, schedules.inverse_square_root(peak, count))

    for step in range(1, 500):
        published = model**-0.5 * min(step**-0.5, step * count**-1.5)
        assert ours(step + 1) == pytest.approx(published, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "t", "value"),
    [
        (schedules.inverse_time(0.1, steps=10), 11, 0.05),
        (schedules.inverse_time(0.1, steps=10), 21, 0.1 / 3),
        (schedules.inverse_square_root(0.1, steps=10), 31, 0.05),
        (schedules.exponential(1.0, steps=1, factor=math.exp(-0.3)), 8, math.exp(-0.3 * 7)),
        (schedules.step_decay(0.1, steps=5), 6, 0.05),
        (schedules.warmup(10, 0.1), 1, 0.0),
        (schedules.warmup(10, 0.1), 6, 0.05),
        (schedules.warmup_stable_decay(0.1, 0, 2, 1), 1, 0.1),
    ],
)
def test_values_worked_out_by_hand(schedule, t, value):
    assert schedule(t) == pytest.approx(value, rel=1e-14)


ALL = [
    schedules.constant(0.1),
    schedules.step_decay(0.1, 10),
    schedules.piecewise_constant(0.1, [3, 30]),
    schedules.exponential(0.1, 10, 0.5),
    schedules.inverse_time(0.1, 10),
    schedules.inverse_square_root(0.1, 10),
    schedules.polynomial(0.1, 10, power=2),
    schedules.linear(0.1, 10, 0.01),
    schedules.cosine(0.1, 10, 0.01),
    schedules.cosine_restarts(0.1, 10, growth=2),
    schedules.join([0.1, 0.2], [5]),
    schedules.warmup(5, schedules.linear(0.1, 10)),
    schedules.one_cycle(0.1, 10),
    schedules.warmup_stable_decay(0.1, 2, 5, 3),
]
NAMED = pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: schedule.name)


def test_every_schedule_is_tried_here():
    made = {name for name, x in vars(schedules).items() if hasattr(x, "__wrapped__")}

    assert {schedule.name for schedule in ALL} == made


@NAMED
def test_a_schedule_prints_as_it_is_made_and_is_kept_by_value(schedule):
    again = eval(repr(schedule), vars(schedules).copy())  # noqa: S307

    assert again == schedule
    assert hash(again) == hash(schedule)
    assert pickle.loads(pickle.dumps(schedule)) == schedule  # noqa: S301


@NAMED
@given(t=st.integers(1, 10**15))
def test_a_schedule_is_a_rate_at_every_step_however_late(schedule, t):
    value = schedule(t)

    assert isinstance(value, float)
    assert 0 <= value <= 0.2


@NAMED
def test_a_step_later_than_any_float_still_has_a_value(schedule):
    """10**400 is no float: dividing it raises OverflowError."""
    value = schedule(10**400)

    assert isinstance(value, float)
    assert 0 <= value <= 0.2


def test_an_endless_growth_ends_in_infinity_which_the_optimizer_names():
    growing = schedules.step_decay(0.1, steps=1, factor=2.0)

    assert growing(3) == 0.4
    assert growing(5000) == math.inf
    optimizer = ro.SGD(np.ones(3), learning_rate=lambda t: growing(t + 5000))
    with pytest.raises(HyperparameterError, match="learning_rate is inf"):
        optimizer.step(np.ones(3))


@NAMED
def test_the_docstring_names_every_argument(schedule):
    make = getattr(schedules, schedule.name)

    unnamed = [
        name for name in inspect.signature(make).parameters if f"`{name}`" not in make.__doc__
    ]
    assert unnamed == []


@NAMED
def test_a_schedule_can_be_a_learning_rate(schedule):
    w = np.ones(3)
    optimizer = ro.SGD(w, learning_rate=schedule)

    for _ in range(3):
        optimizer.step(np.ones(3))

    np.testing.assert_allclose(w, 1 - sum(schedule(t) for t in (1, 2, 3)), rtol=1e-14)


@pytest.mark.parametrize(
    ("schedule", "steps", "first", "last"),
    [
        (schedules.linear(0.1, 10, 0.03), 10, 0.1, 0.03),
        (schedules.polynomial(0.1, 10, 0.03, power=2), 10, 0.1, 0.03),
        (schedules.cosine(0.1, 10, 0.03), 10, 0.1, 0.03),
        (schedules.piecewise_constant(0.1, [4, 10], 0.5), 10, 0.1, 0.025),
        (schedules.one_cycle(0.1, 11, 0.5, 10.0, 4.0), 10, 0.01, 0.0025),
        (schedules.warmup_stable_decay(0.1, 2, 5, 3, 0.03), 10, 0.0, 0.03),
        (schedules.warmup(4, schedules.linear(0.1, 6, 0.03)), 10, 0.0, 0.03),
        (schedules.join([0.2, schedules.cosine(0.1, 6, 0.03)], [4]), 10, 0.2, 0.03),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_the_last_value_is_held(schedule, steps, first, last):
    assert schedule(1) == pytest.approx(first, rel=1e-14)
    assert schedule(steps) != pytest.approx(last, rel=1e-6)
    assert schedule(steps + 1) == pytest.approx(last, rel=1e-14)
    assert schedule(steps + 2) == schedule(steps + 1) == schedule(10**9)


@given(steps=st.integers(1, 50), peak=st.floats(1e-6, 1.0), start=st.floats(0.0, 1.0))
def test_a_warmup_meets_its_schedule_in_equal_strides(steps, peak, start):
    schedule = schedules.warmup(steps, schedules.cosine(peak, 100), start)
    values = [schedule(t) for t in range(1, steps + 2)]

    assert values[0] == start
    assert values[-1] == schedules.cosine(peak, 100)(1)
    np.testing.assert_allclose(np.diff(values), (peak - start) / steps, rtol=0, atol=1e-15)


def test_a_warmup_of_no_steps_is_the_schedule():
    cosine = schedules.cosine(0.1, 10)

    assert [schedules.warmup(0, cosine)(t) for t in range(1, 15)] == [
        cosine(t) for t in range(1, 15)
    ]


def test_any_function_of_t_is_continued_from_its_own_first_step():
    schedule = schedules.warmup(2, lambda t: 10.0 * t)

    assert [schedule(t) for t in range(1, 6)] == [0.0, 5.0, 10.0, 20.0, 30.0]


def test_numbers_of_numpy_are_kept_as_python_numbers():
    """A np.float64 would print as one, and a np.float32 would pull the arithmetic down."""
    made = schedules.cosine(np.float32(0.5), np.int64(10), final=np.float64(0.25))

    assert repr(made) == "cosine(initial=0.5, steps=10, final=0.25)"
    assert type(made(3)) is float


def test_schedules_of_other_numbers_or_formulas_differ():
    assert schedules.cosine(0.1, 10) == schedules.cosine(initial=0.1, steps=10, final=0)
    assert schedules.cosine(0.1, 10) != schedules.cosine(0.1, 11)
    assert schedules.cosine(0.1, 10) != schedules.linear(0.1, 10)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: schedules.linear(0.1, steps=0), ["linear: steps is 0", "from 1 up"]),
        (lambda: schedules.linear(0.1, steps=2.5), ["steps is 2.5", "whole number"]),
        (lambda: schedules.cosine(0.1, steps=-1), ["steps is -1"]),
        (lambda: schedules.cosine(math.nan, steps=1), ["initial is nan", "finite"]),
        (lambda: schedules.cosine("0.1", steps=1), ["initial is '0.1'", "must be a finite number"]),
        (lambda: schedules.warmup_stable_decay(0.1, -1, 2, 3), ["warmup is -1", "from 0 up"]),
        (lambda: schedules.piecewise_constant(0.1, [3, 3]), ["[3, 3]", "larger than the one"]),
        (lambda: schedules.piecewise_constant(0.1, [0, 3]), ["[0, 3]", "from 1 up"]),
        (lambda: schedules.linear(0.1, steps=True), ["steps is True", "whole number"]),
        (lambda: schedules.linear(0.1, steps=2**1001), ["steps is 21430", "whole number"]),
        (lambda: schedules.linear(lambda t: 0.1, steps=9), ["initial is <fun", "finite number"]),
        (lambda: schedules.constant(10**400), ["value is 1000", "finite"]),
        (lambda: schedules.constant(True), ["value is True", "finite"]),
        (lambda: schedules.warmup(-1, 0.1), ["warmup: steps is -1", "from 0 up"]),
        (lambda: schedules.warmup(5, "0.1"), ["schedule is '0.1'", "function of t"]),
        (lambda: schedules.warmup_stable_decay(0.1, 1, -2, 3), ["stable is -2", "from 0 up"]),
        (lambda: schedules.warmup_stable_decay(0.1, 1, 2, 0), ["decay is 0", "from 1 up"]),
        (lambda: schedules.exponential(0.1, 5, -0.5), ["factor is -0.5", "above 0"]),
        (lambda: schedules.polynomial(0.1, 5, power=0), ["power is 0", "above 0"]),
        (lambda: schedules.one_cycle(0.1, 50, start_divisor=0), ["start_divisor is 0", "above 0"]),
        (lambda: schedules.one_cycle(0.1, 50, final_divisor=0), ["final_divisor is 0", "above 0"]),
        (lambda: schedules.one_cycle(0.1, 10, rising=1), ["rising is 1.0 of 10 steps"]),
        (lambda: schedules.cosine_restarts(0.1, 5, growth=0), ["growth is 0", "from 1 up"]),
        (lambda: schedules.cosine_restarts(0.1, 5, growth=1.5), ["growth is 1.5", "whole number"]),
        (lambda: schedules.piecewise_constant(0.1, [5, 3]), ["[5, 3]", "larger than the one"]),
        (lambda: schedules.piecewise_constant(0.1, [2.5]), ["boundaries is [2.5]", "from 1 up"]),
        (lambda: schedules.piecewise_constant(0.1, 3), ["boundaries is 3", "from 1 up"]),
        (lambda: schedules.join([0.1, "0.2"], [3]), ["schedules is [0.1, '0.2']", "in a list"]),
        (lambda: schedules.join([0.1], [3]), ["1 schedules have 1 boundaries"]),
        (lambda: schedules.one_cycle(0.1, steps=3, rising=0.1), ["rising is 0.1 of 3 steps"]),
    ],
)
def test_wrong_numbers_are_refused_when_a_schedule_is_made(make, words):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert isinstance(caught.value, ValueError)

    for word in words:
        assert word in str(caught.value)


def test_a_missing_number_is_named():
    with pytest.raises(TypeError, match="steps"):
        schedules.cosine(0.1)


def test_help_shows_the_numbers_without_the_step_count():
    assert str(inspect.signature(schedules.cosine)).startswith("(initial: float, steps: int, final")
