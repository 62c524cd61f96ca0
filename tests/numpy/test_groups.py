"""Groups: other hyperparameters for the parameters whose name matches a pattern."""

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import HyperparameterError

ENGINES = pytest.mark.parametrize("engine", ["cpu", "reference"])


def moved(params):
    """How far each parameter, at 0 in the beginning, went against a gradient of 1."""
    return {name: float(-w.flat[0]) for name, w in params.items()}


def zeros(*names):
    return {name: np.zeros(3) for name in names}


def ones(params):
    return {name: np.ones_like(w) for name, w in params.items()}


@ENGINES
@pytest.mark.parametrize(
    ("groups", "rates"),
    [
        ({}, [1, 1, 1, 1]),
        ({"*.bias": {"learning_rate": 2.0}}, [1, 2, 1, 2]),
        ({"0.*": {"learning_rate": 2.0}}, [2, 2, 1, 1]),
        ({"0.bias": {"learning_rate": 2.0}}, [1, 2, 1, 1]),
        ({"?.weight": {"learning_rate": 2.0}}, [2, 1, 2, 1]),
        ({"*": {"learning_rate": 2.0}}, [2, 2, 2, 2]),
        ({"0.*": {"learning_rate": 2.0}, "*.bias": {"learning_rate": 4.0}}, [2, 4, 1, 4]),
        ({"*.bias": {"learning_rate": 4.0}, "0.*": {"learning_rate": 2.0}}, [2, 2, 1, 4]),
        ({"*": {"learning_rate": 2.0}, "1.bias": {"learning_rate": 0.0}}, [2, 2, 2, 0]),
        ({"*.bias": {}}, [1, 1, 1, 1]),
    ],
)
def test_where_several_patterns_match_the_last_wins(groups, rates, engine):
    params = zeros("0.weight", "0.bias", "1.weight", "1.bias")
    optimizer = ro.SGD(params, learning_rate=1.0, groups=groups, engine=engine)

    optimizer.step(ones(params))

    assert list(moved(params).values()) == rates


@ENGINES
def test_where_several_patterns_match_all_apply(engine):
    """One sets the rate, the other the share of the velocity that stays."""
    params = zeros("a", "b")
    groups = {"*": {"learning_rate": 2.0}, "b": {"beta1": 0.5}}
    optimizer = ro.Momentum(params, learning_rate=1.0, beta1=0.0, groups=groups, engine=engine)

    for _ in range(2):
        optimizer.step(ones(params))

    assert moved(params) == {"a": 2 + 2, "b": 2 + (2 + 0.5 * 2)}


@ENGINES
def test_brackets_in_a_pattern_are_brackets(engine):
    params = zeros("w[0]", "w0")
    optimizer = ro.SGD(
        params, learning_rate=1.0, groups={"w[0]": {"learning_rate": 2.0}}, engine=engine
    )

    optimizer.step(ones(params))

    assert moved(params) == {"w[0]": 2.0, "w0": 1.0}


def test_capitals_matter():
    params = zeros("W", "w")
    optimizer = ro.SGD(params, learning_rate=1.0, groups={"w": {"learning_rate": 2.0}})

    optimizer.step(ones(params))

    assert moved(params) == {"W": 1.0, "w": 2.0}


@ENGINES
def test_groups_are_by_name_in_lists_and_for_one_array_too(engine):
    pair = [np.zeros(2), np.zeros(2)]
    ro.SGD(pair, learning_rate=1.0, groups={"1": {"learning_rate": 2.0}}, engine=engine).step(
        [np.ones(2), np.ones(2)]
    )
    alone = np.zeros(2)
    ro.SGD(alone, groups={"*": {"learning_rate": 4.0}}, engine=engine).step(np.ones(2))

    assert [-x[0] for x in (*pair, alone)] == [1.0, 2.0, 4.0]


@ENGINES
def test_what_is_set_holds_from_the_next_step_on(engine):
    params = zeros("a", "b")
    optimizer = ro.SGD(
        params, learning_rate=1.0, groups={"b": {"learning_rate": 10.0}}, engine=engine
    )
    gradients = ones(params)

    optimizer.step(gradients)
    optimizer.groups["b"]["learning_rate"] = 20.0
    optimizer.step(gradients)
    optimizer.hyperparameters["learning_rate"] = 2.0  # b's own still holds
    optimizer.step(gradients)
    del optimizer.groups["b"]["learning_rate"]
    optimizer.step(gradients)

    assert moved(params) == {"a": 1 + 1 + 2 + 2, "b": 10 + 20 + 20 + 2}
    assert dict(optimizer.groups["b"]) == {}


@ENGINES
def test_schedules_in_groups_are_asked_for_each_step(engine):
    params = zeros("a", "b", "c")
    asked = []

    def schedule(t):
        asked.append(t)
        return 10.0 * t

    optimizer = ro.SGD(
        params,
        learning_rate=lambda t: 1.0 * t,
        groups={"b": {"learning_rate": schedule}, "c": {"learning_rate": 100.0}},
        engine=engine,
    )
    gradients = ones(params)

    for _ in range(3):
        optimizer.step(gradients)

    assert moved(params) == {"a": 1 + 2 + 3, "b": 10 + 20 + 30, "c": 300}
    assert asked == [1, 2, 3]


turned = ro.rule(lambda w, dw, *, a=1.0, up=False: w + a * dw if up else w - a * dw)


@ENGINES
def test_a_switch_may_differ_between_groups_and_be_set_later(engine):
    params = zeros("a", "b")
    optimizer = ro.Optimizer(turned, params, groups={"b": {"up": True}}, engine=engine)
    gradients = ones(params)

    optimizer.step(gradients)
    assert moved(params) == {"a": 1.0, "b": -1.0}
    optimizer.groups["b"]["up"] = False
    optimizer.step(gradients)
    assert moved(params) == {"a": 2.0, "b": 0.0}
    optimizer.hyperparameters["up"] = True
    optimizer.step(gradients)
    assert moved(params) == {"a": 1.0, "b": 1.0}


@ENGINES
def test_a_switch_set_between_steps_works_with_the_gradients_of_the_last_step(engine):
    """The new kernel knows no gradient yet, though the front end has seen this one."""
    w, dw = np.zeros(3), np.ones(3)
    optimizer = ro.Optimizer(turned, w, engine=engine)

    optimizer.step(dw)
    optimizer.step(dw)
    optimizer.hyperparameters["up"] = True
    optimizer.step(dw)

    np.testing.assert_array_equal(w, [-1.0, -1.0, -1.0])


def test_numpys_bools_are_switches_too():
    optimizer = ro.Optimizer(turned, np.zeros(2), up=np.True_)

    assert optimizer.hyperparameters["up"] is True


@ENGINES
def test_groups_and_dtypes_cross(engine):
    """Two dtypes, two switches: four kernels, one step."""
    params = {f"{d}.{s}": np.zeros(5, d) for d in ("float32", "float64") for s in "ab"}
    optimizer = ro.Optimizer(turned, params, groups={"*.b": {"up": True, "a": 2.0}}, engine=engine)

    optimizer.step(ones(params))

    assert list(moved(params).values()) == [1.0, -2.0, 1.0, -2.0]


@ENGINES
def test_scalar_state_is_one_number_a_group(engine):
    def counts(w, dw, n: ro.Scalar, *, a=1.0):
        return w - n * dw, n + a

    params = zeros("a", "b", "c")
    optimizer = ro.Optimizer(
        ro.rule(initial={"n": "a"})(counts), params, groups={"b": {"a": 10.0}}, engine=engine
    )

    for _ in range(3):
        optimizer.step(ones(params))

    assert moved(params) == {"a": 1 + 2 + 3, "b": 10 + 20 + 30, "c": 1 + 2 + 3}
    assert optimizer.state["n"] == [4.0, 40.0]


def test_an_override_can_be_taken_back_but_not_the_rules_own():
    optimizer = ro.Adam({"a": np.ones(2)}, groups={"a": {"eps": 0.1, "beta1": 0.5}})

    assert optimizer.groups["a"].pop("eps") == 0.1
    optimizer.groups["a"].clear()

    assert dict(optimizer.groups["a"]) == {}
    with pytest.raises(HyperparameterError, match="needs its hyperparameter 'eps'"):
        del optimizer.hyperparameters["eps"]
    with pytest.raises(KeyError):
        optimizer.groups["a"]["eps"]
