"""The optimizer as its user sees it: state, hyperparameters, schedules, classes, copies."""

import copy
import inspect
import pickle
import sys

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import HyperparameterError

ENGINES = pytest.mark.parametrize("engine", ["cpu", "reference"])


@ENGINES
def test_t_counts_the_steps_from_1(engine):
    seen = ro.rule(lambda w, dw, t: w + t)
    w = np.zeros(2)
    optimizer = ro.Optimizer(seen, w, engine=engine)
    assert optimizer.t == 0

    for _ in range(3):
        optimizer.step(np.ones(2))

    assert optimizer.t == 3
    np.testing.assert_array_equal(w, [1 + 2 + 3] * 2)


def test_params_are_the_users_own_arrays():
    params = [np.zeros(2), np.zeros(3)]
    optimizer = ro.SGD(params)

    assert optimizer.params is params


@ENGINES
def test_state_is_a_view_that_can_be_written_to(engine):
    """A warm start: what is written into the state is what the next step finds there."""
    w = np.zeros(2)
    optimizer = ro.Momentum([w], learning_rate=1.0, beta1=0.5, engine=engine)
    assert list(optimizer.state) == ["m"]
    np.testing.assert_array_equal(optimizer.state["m"][0], [0.0, 0.0])

    optimizer.state["m"][0][:] = 8.0
    optimizer.step([np.ones(2)])

    np.testing.assert_array_equal(optimizer.state["m"][0], [3.0, 3.0])
    np.testing.assert_array_equal(w, [3.0, 3.0])


@pytest.mark.parametrize("state_dtype", [None, "float32", np.float64, np.dtype("float16")])
def test_state_has_the_dtype_of_the_weights_or_the_one_asked_for(state_dtype):
    w = np.zeros(2, "float16")

    optimizer = ro.Adam(w, state_dtype=state_dtype)

    assert optimizer.state["v"].dtype == (np.float16 if state_dtype is None else state_dtype)


def test_nbytes_is_the_memory_of_the_state():
    params = [np.zeros((10, 10), "float32"), np.zeros(5)]

    assert ro.Adam(params).nbytes == 2 * (400 + 40)
    assert ro.SGD(params).nbytes == 0
    assert ro.Momentum(params, state_dtype="float16").nbytes == 2 * 105


def test_the_repr_says_what_it_is():
    optimizer = ro.Momentum([np.zeros((40, 50)), np.zeros(3)], learning_rate=0.5)
    optimizer.step([np.ones((40, 50)), np.ones(3)])

    assert repr(optimizer) == (
        "<Optimizer momentum(learning_rate=0.5, beta1=0.9): t=1, 2,003 parameters in 2 arrays>"
    )
    assert "in 1 array>" in repr(ro.SGD(np.zeros(1)))


@ENGINES
def test_hyperparameters_are_a_mapping_settable_between_steps(engine):
    w = np.zeros(1)
    optimizer = ro.SGD(w, learning_rate=1.0, engine=engine)
    assert dict(optimizer.hyperparameters) == {"learning_rate": 1.0}
    assert len(optimizer.hyperparameters) == 1
    assert "learning_rate" in optimizer.hyperparameters
    assert "lr" not in optimizer.hyperparameters
    assert repr(optimizer.hyperparameters) == "{'learning_rate': 1.0}"

    for rate in (2, np.float32(0.5), np.array(4.0), lambda t: 8.0, 16.0):
        optimizer.hyperparameters["learning_rate"] = rate
        optimizer.step(np.ones(1))
    optimizer.hyperparameters.update(learning_rate=32.0)
    optimizer.step(np.ones(1))

    assert w[0] == -(2 + 0.5 + 4 + 8 + 16 + 32)


def test_a_refused_update_of_several_leaves_the_first_that_fit():
    """As a dict does: each name is set by itself."""
    optimizer = ro.Adam(np.zeros(1))

    with pytest.raises(HyperparameterError):
        optimizer.hyperparameters.update(eps=0.5, beta1=1.5)

    assert optimizer.hyperparameters["eps"] == 0.5
    assert optimizer.hyperparameters["beta1"] == 0.9


def test_two_optimizers_of_one_rule_share_nothing():
    a, b = (ro.Adam(np.zeros(2)) for _ in range(2))

    a.hyperparameters["eps"] = 0.5
    a.step(np.ones(2))

    assert b.hyperparameters["eps"] == ro.rules.adam.hyperparameters["eps"] == 1e-8
    assert b.t == 0
    assert not b.state["m"].any()


@ENGINES
def test_a_schedule_is_asked_once_a_step_with_t(engine):
    asked = []
    w = [np.zeros(1, "float32"), np.zeros(1)]  # two dtypes, two kernels
    optimizer = ro.SGD(w, learning_rate=lambda t: asked.append(t) or 2.0**t, engine=engine)

    for _ in range(4):
        optimizer.step([np.ones(1, "float32"), np.ones(1)])

    assert asked == [1, 2, 3, 4]
    assert w[1][0] == w[0][0] == -(2 + 4 + 8 + 16)


@pytest.mark.parametrize("number", [1, np.float32(1), np.array(1.0), np.int64(1)])
def test_a_schedule_may_give_any_kind_of_number(number):
    w = np.zeros(1)

    ro.SGD(w, learning_rate=lambda t: number).step(np.ones(1))

    assert w[0] == -1.0


@ENGINES
def test_scalar_state_is_a_number_that_goes_on(engine):
    def grows(w, dw, total: ro.Scalar, *, a=2.0):
        total = total + a
        return w - total * dw, total

    w = [np.zeros(1, "float32"), np.zeros(1)]
    optimizer = ro.Optimizer(ro.rule(grows), w, engine=engine)
    assert optimizer.state["total"] == 0.0

    for _ in range(3):
        optimizer.step([np.ones(1, "float32"), np.ones(1)])

    assert optimizer.state["total"] == 6.0
    assert w[1][0] == w[0][0] == -(2 + 4 + 6)


@ENGINES
@pytest.mark.parametrize(
    ("start", "options", "expected"),
    [
        (0.5, {}, 0.5),
        (3, {}, 3.0),
        ("first", {}, 0.25),
        ("first", {"first": 2.0}, 2.0),
        ("first", {"first": lambda t: 10.0 * t}, 10.0),
    ],
)
def test_state_starts_where_the_rule_says(start, options, expected, engine):
    """A number, or a hyperparameter, which may be a schedule: then its value at the first step."""

    def kept(w, dw, m, s: ro.Scalar, *, first=0.25):
        return w - m * s, m, s

    rule = ro.rule(initial={"m": start, "s": start})(kept)
    w = np.zeros(2, "float32")
    optimizer = ro.Optimizer(rule, w, engine=engine, **options)
    assert optimizer.state["s"] == expected
    np.testing.assert_array_equal(optimizer.state["m"], np.full(2, expected, "float32"))

    optimizer.step(np.ones(2, "float32"))

    np.testing.assert_array_equal(w, np.full(2, -expected * expected, "float32"))


def test_state_starts_where_its_group_says():
    rule = ro.rule(initial={"m": "first"})(lambda w, dw, m, *, first=0.25: (w, m))
    params = {"a": np.zeros(2), "b": np.zeros(2)}

    optimizer = ro.Optimizer(rule, params, groups={"b": {"first": 4.0}})

    assert optimizer.state["m"]["a"][0] == 0.25
    assert optimizer.state["m"]["b"][0] == 4.0


def test_a_class_has_the_hyperparameters_of_its_rule_as_its_signature():
    signature = inspect.signature(ro.Adam)

    names = ["params", "learning_rate", "beta1", "beta2", "eps"]
    names += ["groups", "engine", "state_dtype", "formats", "on_nonfinite"]
    assert list(signature.parameters) == names
    assert signature.parameters["beta2"].default == 0.999
    assert signature.parameters["eps"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    "name",
    ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "AdamSimplified", "Adam"],
)
def test_the_rules_of_the_card_have_their_class(name):
    """The class is called as the rule is, but for its capitals."""
    made = getattr(ro, name)

    assert made.rule_of_class.name.replace("_", "") == name.lower()
    assert ro.optimizer(made.rule_of_class).rule_of_class is made.rule_of_class
    assert made.__doc__


@ro.rule
def slow_signs(w, dw, *, learning_rate=0.5):
    """Step against the sign.

    More words.
    """
    return w - learning_rate * ro.sign(dw)


SlowSigns = ro.optimizer(slow_signs)


def test_a_class_is_made_for_any_rule():
    w = np.zeros(3)
    SlowSigns(w).step(np.array([2.0, -3.0, 0.0]))

    np.testing.assert_array_equal(w, [-0.5, 0.5, 0.0])
    assert SlowSigns.__name__ == "SlowSigns"
    assert SlowSigns.__module__ == __name__
    assert SlowSigns.__doc__.startswith("Step against the sign.")
    assert list(inspect.signature(SlowSigns).parameters)[:2] == ["params", "learning_rate"]
    assert ro.optimizer(slow_signs, "Other").__name__ == "Other"


def test_a_class_can_be_made_of_a_class():
    class Careful(ro.Adam):
        """An Adam with a smaller step."""

        def __init__(self, params, **options):
            super().__init__(params, learning_rate=1e-5, **options)

    optimizer = Careful(np.zeros(2), eps=0.5)

    assert optimizer.rule is ro.rules.adam
    assert dict(optimizer.hyperparameters)["learning_rate"] == 1e-5
    assert Careful.__doc__ == "An Adam with a smaller step."


def run(optimizer, steps, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        optimizer.step({name: rng.normal(size=w.shape) for name, w in optimizer.params.items()})


def some_optimizer(engine):
    base = np.linspace(0, 1, 240).reshape(12, 20)
    params = {
        "C": base[0:2].copy(),
        "F": np.asfortranarray(base[2:4]),
        "T": base.copy().T[::2, 1::3],  # strided, and nearer to Fortran order
        "half": np.ones(5, "float16"),
    }
    return ro.Adam(
        params,
        learning_rate=rate_of,
        groups={"F": {"eps": 1e-3}},
        engine=engine,
        state_dtype="float64",
    )


def rate_of(t):
    return 0.1 / t


def pickled(optimizer):
    return pickle.loads(pickle.dumps(optimizer))  # noqa: S301


@ENGINES
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_copy_goes_on_alone_as_the_original_would(copied, engine):
    original, whole = some_optimizer(engine), some_optimizer(engine)
    run(original, 3)
    run(whole, 3)

    twin = copied(original)
    run(twin, 3, seed=1)
    twin_weights = {name: w.copy() for name, w in twin.params.items()}
    run(original, 3, seed=2)  # does not reach the copy
    run(whole, 3, seed=1)

    assert twin.t == 6
    assert type(twin) is ro.Adam
    assert twin.rule is ro.rules.adam
    for name, w in whole.params.items():
        np.testing.assert_array_equal(twin_weights[name], w, err_msg=name, strict=True)
        np.testing.assert_array_equal(twin.params[name], w, err_msg=name, strict=True)
        for state in ("m", "v"):
            np.testing.assert_array_equal(twin.state[state][name], whole.state[state][name])
    twin.groups["F"]["eps"] = 1.0
    assert original.groups["F"]["eps"] == 1e-3


def test_a_copy_of_a_model_and_its_optimizer_belong_together():
    model = {"w": np.zeros(2)}
    both = {"model": model, "optimizer": ro.SGD(model, learning_rate=1.0)}

    twin = copy.deepcopy(both)
    twin["optimizer"].step({"w": np.ones(2)})

    np.testing.assert_array_equal(twin["model"]["w"], [-1.0, -1.0])
    np.testing.assert_array_equal(model["w"], [0.0, 0.0])


def test_an_optimizer_of_a_rule_without_a_name_can_be_copied_in_memory():
    rule = ro.rule(lambda w, dw, n: (w - dw, n + 1))
    twin = copy.deepcopy(ro.Optimizer(rule, np.zeros(2)))

    twin.step(np.ones(2))

    assert twin.rule is rule
    np.testing.assert_array_equal(twin.state["n"], [1.0, 1.0])


def test_what_a_subclass_adds_is_copied_too():
    optimizer = SlowSigns(np.zeros(2))
    optimizer.note = ["mine"]

    twin = pickled(optimizer)

    assert type(twin) is SlowSigns
    assert twin.note == ["mine"]


def test_scalars_and_their_groups_are_copied():
    optimizer = ro.Optimizer(totals, {"a": np.zeros(2), "b": np.zeros(2)}, groups={"b": {"a": 5.0}})
    gradients = {"a": np.ones(2), "b": np.ones(2)}
    optimizer.step(gradients)

    twin = pickled(optimizer)
    twin.step(gradients)

    assert optimizer.state["total"] == [2.0, 5.0]
    assert twin.state["total"] == [4.0, 10.0]


@ro.rule
def totals(w, dw, total: ro.Scalar, *, a=2.0):
    return w - dw, total + a


def test_the_gradient_is_only_read():
    dw = np.linspace(-1, 1, 7, dtype="float32")
    before = dw.copy()
    optimizer = ro.Adam(np.ones(7, "float32"), engine="cpu")

    for _ in range(3):
        optimizer.step(dw)

    np.testing.assert_array_equal(dw, before)


def test_large_gradients_are_not_kept_alive():
    """Small ones are: they may come back. A large one is memory that the next step needs."""
    optimizer = ro.SGD(np.zeros(100_000), engine="cpu")
    dw = np.ones(100_000)
    before = sys.getrefcount(dw)

    optimizer.step(dw)

    assert sys.getrefcount(dw) == before
