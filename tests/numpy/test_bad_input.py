"""Bad input gets an error that says what was found and what is needed, and nothing is written.

Each case takes two good steps first, so that there is state to lose, and a good step afterwards, so
that a refused one leaves nothing half prepared.
"""

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import (
    EngineError,
    HyperparameterError,
    RuleError,
    StructureError,
    TensorError,
    TensorTypeError,
    UnknownNameError,
)

ENGINES = ["cpu", "reference"]
GOOD = {"a": np.full((2, 3), 0.5, "float32"), "b": np.full(4, -0.25)}


def started(engine="auto", **hyperparameters):
    """An optimizer of two parameters, of different dtypes, after two steps."""
    params = {"a": np.linspace(1, 2, 6, dtype="float32").reshape(2, 3), "b": np.ones(4)}
    optimizer = ro.Adam(params, engine=engine, **hyperparameters)
    for _ in range(2):
        optimizer.step(GOOD)
    return optimizer


def assert_goes_on(optimizer, engine):
    """The next good step is the one that it would have been."""
    never_refused = started(engine)
    for each in (optimizer, never_refused):
        each.step(GOOD)
    for name in "ab":
        np.testing.assert_array_equal(optimizer.params[name], never_refused.params[name])


def read_only(array):
    array.flags.writeable = False
    return array


FLOATS = ["float64", "float32", "float16", "bfloat16"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("gradient", "error", "words"),
    [
        (np.ones((3, 2)), TensorError, ["(3, 2)", "(2, 3)", "dw.T"]),
        (np.ones(6), TensorError, ["(6,)", "(2, 3)"]),
        (np.ones((2, 1)), TensorError, ["(2, 1)", "(2, 3)"]),
        (np.ones((1, 2, 3)), TensorError, ["(1, 2, 3)", "(2, 3)"]),
        (np.ones(()), TensorError, ["()", "(2, 3)"]),
        (np.ones((2, 3), "int64"), TensorTypeError, ["int64", *FLOATS, "astype"]),
        (np.ones((2, 3), "uint8"), TensorTypeError, ["uint8", "astype"]),
        (np.ones((2, 3), "bool"), TensorTypeError, ["bool", "astype"]),
        (np.ones((2, 3), "complex64"), TensorTypeError, ["complex64", "view"]),
        (np.full((2, 3), None), TensorTypeError, ["object", *FLOATS]),
        (np.full((2, 3), "x"), TensorTypeError, ["str", *FLOATS]),
        (np.zeros((2, 3), "M8[s]"), TensorTypeError, ["datetime64", *FLOATS]),
        (np.zeros((2, 3), "f4,f4"), TensorTypeError, ["dtype", *FLOATS]),
        (np.ones((2, 3), "longdouble"), TensorTypeError, ["dtype", *FLOATS]),
        (np.ma.ones((2, 3)), TensorTypeError, ["MaskedArray", "must be a NumPy array"]),
        (None, TensorTypeError, ["missing (None)", "zeros"]),
        ([[1.0] * 3] * 2, TensorTypeError, ["a list", "must be a NumPy array", "np.array"]),
        (1.0, TensorTypeError, ["1.0, a float", "must be a NumPy array"]),
        (np.float32(1), TensorTypeError, ["float32", "must be a NumPy array"]),
        ("dw", TensorTypeError, ["'dw', a str"]),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused(gradient, error, words, engine, unchanged):
    """It comes second, so that a good one comes before it; and first, so that one comes after."""
    for names in ("ab", "ba"):
        optimizer = started(engine)
        gradients = {**GOOD, "a": gradient}
        gradients = {name: gradients[name] for name in names}

        with unchanged(optimizer, error, "the gradient of 'a'", *words):
            optimizer.step(gradients)

        assert_goes_on(optimizer, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        ({"a": GOOD["a"]}, ["lack 'b'"]),
        ({}, ["lack 'a', 'b'"]),
        ({**GOOD, "c": GOOD["a"]}, ["'c'", "no parameter", "It has a, b"]),
        ({"a": GOOD["a"], "B": GOOD["b"]}, ["lack 'b'", "found 'B' instead"]),
        ([GOOD["a"], GOOD["b"]], ["must be a dict", "'a', 'b'", "found list"]),
        (GOOD["a"], ["must be a dict", "numpy.ndarray of shape (2, 3)"]),
        (None, ["must be a dict", "NoneType"]),
    ],
)
def test_gradients_that_are_not_those_of_the_parameters_are_refused(
    gradients, words, engine, unchanged
):
    optimizer = started(engine)

    with unchanged(optimizer, StructureError, "the gradients", *words):
        optimizer.step(gradients)

    assert_goes_on(optimizer, engine)


@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        ([np.ones(2)], ["1 gradients for 2 parameters"]),
        ([np.ones(2)] * 3, ["3 gradients for 2 parameters"]),
        ({"0": np.ones(2), "1": np.ones(2)}, ["must be a list of 2", "found dict"]),
        (np.ones((2, 2)), ["must be a list of 2", "numpy.ndarray of shape (2, 2)"]),
        (None, ["must be a list of 2", "NoneType"]),
        ((x for x in [np.ones(2)] * 2), ["must be a list of 2", "generator"]),
    ],
)
def test_gradients_for_a_list_that_are_no_list_of_its_length_are_refused(
    gradients, words, unchanged
):
    optimizer = ro.Adam([np.ones(2), np.ones(2)])
    optimizer.step([np.ones(2), np.ones(2)])

    with unchanged(optimizer, StructureError, *words):
        optimizer.step(gradients)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0], np.int64(1), np.array(True)])
def test_a_number_for_a_0_dimensional_parameter_must_be_a_real_one(value, unchanged):
    optimizer = ro.SGD(np.array(2.0))

    with unchanged(optimizer, TensorTypeError, "the gradient"):
        optimizer.step(value)


def test_a_number_that_no_float_can_hold_is_refused(unchanged):
    optimizer = ro.SGD(np.array(2.0))

    with unchanged(optimizer, TensorError, "too large"):
        optimizer.step(10**400)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: np.ones(3, "int32"), TensorTypeError, ["int32", *FLOATS, "astype('float32')"]),
        (lambda: np.ones(3, "bool"), TensorTypeError, ["bool", "astype"]),
        (lambda: np.ones(3, "complex128"), TensorTypeError, ["complex128", "x.view('float64')"]),
        (lambda: np.array([None]), TensorTypeError, ["object"]),
        (lambda: np.array(["a"]), TensorTypeError, ["str"]),
        (lambda: np.ones(3, "longdouble"), TensorTypeError, FLOATS),
        (lambda: np.ma.ones(3), TensorTypeError, ["MaskedArray", "must be a NumPy array"]),
        (lambda: read_only(np.ones(3)), TensorError, ["read-only", "x.copy()"]),
        (lambda: np.broadcast_to(1.0, 3), TensorError, ["read-only", "x.copy()"]),
        (
            lambda: np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,)),
            TensorError,
            ["one place in memory", "x.copy()"],
        ),
        (
            lambda: np.lib.stride_tricks.as_strided(np.ones(8), (2, 3), (0, 8)),
            TensorError,
            ["one place in memory"],
        ),
        (
            lambda: np.lib.stride_tricks.sliding_window_view(np.ones(5), 3, writeable=True),
            TensorError,
            ["one place in memory", "slides"],
        ),
        (
            lambda: np.lib.stride_tricks.as_strided(np.ones(8), (3, 4), (16, 8)),
            TensorError,
            ["one place in memory"],
        ),
    ],
)
def test_weights_that_cannot_be_updated_in_place_are_refused(make, error, words, untouched):
    array, other = make(), np.ones(2)

    with untouched([array, other], error, "the parameter 'odd'", *words):
        ro.Adam({"other": other, "odd": array})


def test_strides_that_cross_but_never_meet_are_fine():
    """Strides 2 and 3 of a shape (2, 2): the places 0, 3, 2, 5, each once."""
    base = np.arange(6.0)
    crossed = np.lib.stride_tricks.as_strided(base, (2, 2), (16, 24))

    ro.SGD(crossed, learning_rate=1.0).step(np.ones((2, 2)))

    np.testing.assert_array_equal(base, [-1, 1, 1, 2, 4, 4])


@pytest.mark.parametrize("params", [None, 3, 1.5, "w", np.float32(1), {"w": None}, [[1.0, 2.0]]])
def test_parameters_that_are_no_arrays_are_refused(params):
    with pytest.raises(TensorTypeError, match="must be a NumPy array"):
        ro.Adam(params)


@pytest.mark.parametrize(
    ("slices", "names"),
    [
        ([np.s_[:], np.s_[:]], "'0' and the parameter '1'"),
        ([np.s_[:6], np.s_[5:]], "'0' and the parameter '1'"),
        ([np.s_[0:2], np.s_[2:8], np.s_[7:9]], "'1' and the parameter '2'"),
        ([np.s_[::2], np.s_[::3]], "'0' and the parameter '1'"),
        ([np.s_[5:], np.s_[::-1]], "'0' and the parameter '1'"),
    ],
)
def test_weights_that_overlap_are_refused_and_named(slices, names, untouched):
    base = np.arange(10.0)

    with untouched([base], TensorError, names, "share memory", "copies"):
        ro.Adam([base[s] for s in slices])


def test_the_same_array_twice_is_refused(untouched):
    tied = np.ones((3, 3))

    with untouched([tied], TensorError, "'encoder' and the parameter 'decoder'", "Pass it once"):
        ro.Adam({"encoder": tied, "decoder": tied})
    with untouched([tied], TensorError, "share memory"):
        ro.Adam([tied, tied.T])


def test_slices_that_interleave_are_no_overlap():
    base = np.zeros(10)

    ro.SGD([base[::2], base[1::2]], learning_rate=1.0).step([np.ones(5), np.full(5, 2.0)])

    np.testing.assert_array_equal(base, [-1.0, -2.0] * 5)


def test_two_parameters_of_one_name_are_refused(untouched):
    """Both are 'a.b' to a group and to a saved file."""
    params = {"a": {"b": np.ones(2)}, "a.b": np.ones(2)}

    with untouched([params["a.b"]], StructureError, "two parameters are called 'a.b'"):
        ro.Adam(params)


WRONG_NUMBERS = [
    ("learning_rate", -1e-3, ["learning_rate is -0.001", "at least 0"]),
    ("learning_rate", np.inf, ["learning_rate is inf", "below inf"]),
    ("learning_rate", np.nan, ["learning_rate is nan"]),
    ("learning_rate", np.float32("nan"), ["learning_rate is nan"]),
    ("beta1", 1.0, ["beta1 is 1.0", "at least 0 and below 1"]),
    ("beta2", -0.1, ["beta2 is -0.1", "at least 0 and below 1"]),
    ("eps", -1e-8, ["eps is -1e-08", "at least 0"]),
    ("eps", True, ["eps is True, a bool", "must be a number"]),
    ("eps", "1e-8", ["eps is '1e-8', a str", "must be a number", "schedule"]),
    ("eps", None, ["eps is None", "must be a number"]),
    ("eps", 1j, ["eps is 1j, a complex"]),
    ("eps", np.ones(1), ["a ndarray", "must be a number"]),
    ("eps", [1e-8], ["a list", "must be a number"]),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG_NUMBERS)
def test_a_hyperparameter_that_cannot_be_is_refused_wherever_it_is_given(
    name, value, words, unchanged, untouched
):
    w = np.ones(3)
    with untouched([w], HyperparameterError, "adam", *words):
        ro.Adam(w, **{name: value})
    with untouched([w], HyperparameterError, "adam", *words):
        ro.Adam([w], groups={"0": {name: value}})

    optimizer = started()
    with unchanged(optimizer, HyperparameterError, "adam", *words):
        optimizer.hyperparameters[name] = value
    grouped = ro.Adam([w], groups={"0": {"eps": 1e-3}})
    with unchanged(grouped, HyperparameterError, "adam", *words):
        grouped.groups["0"][name] = value


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "value", "words"), WRONG_NUMBERS)
def test_a_schedule_that_gives_such_a_number_at_step_5_stops_there(
    name, value, words, engine, unchanged
):
    optimizer = started(engine)
    optimizer.hyperparameters[name] = lambda t: value if t == 5 else 0.125
    optimizer.step(GOOD)
    optimizer.step(GOOD)

    for _ in range(2):
        with unchanged(optimizer, HyperparameterError, *words, "from its schedule, at t = 5"):
            optimizer.step(GOOD)

    optimizer.hyperparameters[name] = 0.125
    optimizer.step(GOOD)
    assert optimizer.t == 5


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_schedule_raises_passes_through(engine, unchanged):
    optimizer = started(engine, learning_rate=lambda t: 1 / (3 - t))

    with unchanged(optimizer, ZeroDivisionError, "division by zero"):
        optimizer.step(GOOD)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("lr", "learning_rate"),
        ("learning_rat", "learning_rate"),
        ("rate", "learning_rate"),
        ("beta_1", "beta1"),
        ("epsilon", "eps"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_right_one(name, nearest, unchanged, untouched):
    w = np.ones(3)
    words = [
        f"adam has no hyperparameter {name!r}",
        f"did you mean {nearest!r}?",
        "It has learning_rate, beta1, beta2, eps.",
    ]
    with untouched([w], UnknownNameError, *words):
        ro.Adam(w, **{name: 0.1})
    with untouched([w], UnknownNameError, *words):
        ro.Adam([w], groups={"0": {name: 0.1}})

    optimizer = started()
    with unchanged(optimizer, UnknownNameError, *words):
        optimizer.hyperparameters[name] = 0.1
    with unchanged(optimizer, UnknownNameError, *words):
        optimizer.hyperparameters[name]
    with unchanged(optimizer, UnknownNameError, *words):
        del optimizer.hyperparameters[name]


def test_a_switch_must_be_true_or_false(untouched):
    turned = ro.rule(lambda w, dw, *, up=False: w + dw if up else w - dw)
    w = np.ones(3)

    for value in (1, "yes", None, lambda t: True):
        with untouched([w], HyperparameterError, "up is", "a switch: True or False"):
            ro.Optimizer(turned, w, up=value)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "formula",
    [lambda a: 1 / a, lambda a: a**-1, lambda a: (-1.0 - a) ** 0.5, lambda a: 2.0 ** (1e9 - a)],
    ids=["1 / 0", "0 ** -1", "complex", "overflow"],
)
def test_numbers_that_the_host_part_cannot_compute_are_named(formula, engine, unchanged):
    """The first parameter is another launch; it must not have been stepped."""
    scaled = ro.rule(lambda w, dw, m, *, a=1.0: (w - formula(a) * dw, m + dw))
    params = [np.ones(3, "float32"), np.ones(3)]
    optimizer = ro.Optimizer(
        scaled, params, groups={"0": {"a": 1e9}}, a=lambda t: 1e9 if t < 3 else 0.0, engine=engine
    )
    if isinstance(formula(1e9), complex):
        optimizer.groups["0"]["a"] = optimizer.hyperparameters["a"] = 0.0
    else:
        optimizer.step(params)
        optimizer.step(params)

    with unchanged(optimizer, HyperparameterError, "numbers cannot be computed", "a=0.0"):
        optimizer.step(params)


@pytest.mark.parametrize("rule", [None, "adam", lambda w, dw: w, ro.Adam])
def test_what_is_no_rule_is_refused(rule, untouched):
    w = np.ones(3)

    with untouched([w], RuleError, "decorated with @rule"):
        ro.Optimizer(rule, w)
    with untouched([w], RuleError, "decorated with @rule"):
        ro.optimizer(rule)


def test_a_rule_that_does_not_match_its_signature_is_refused_before_the_first_step(untouched):
    forgets = ro.rule(lambda w, dw, m: w - dw)
    w = np.ones(3)

    with untouched([w], RuleError, "returned 1 value", "return w, m"):
        ro.Optimizer(forgets, w)


def test_a_mistake_behind_a_switch_is_found_when_it_is_switched_and_writes_nothing(unchanged):
    half = ro.rule(lambda w, dw, *, wrong=False: w - np.arctan(dw) if wrong else w - dw)
    w = np.ones(3)
    optimizer = ro.Optimizer(half, w)
    dw = np.ones(3)
    optimizer.step(dw)
    optimizer.hyperparameters["wrong"] = True

    for _ in range(2):
        with unchanged(optimizer, RuleError, "np.arctan"):
            optimizer.step(dw)

    optimizer.hyperparameters["wrong"] = False
    optimizer.step(dw)
    np.testing.assert_array_equal(w, [-1, -1, -1])


def test_torch_tensors_are_refused_with_the_way_to_share_their_memory(unchanged, untouched):
    torch = pytest.importorskip("torch")
    w = torch.ones(3)

    with untouched([w.numpy()], TensorTypeError, "torch.Tensor", "x.detach().numpy()"):
        ro.Adam(w)

    optimizer = ro.Adam(w.numpy())
    with unchanged(optimizer, TensorTypeError, "torch.Tensor", "x.detach().numpy()"):
        optimizer.step(torch.ones(3))


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("cpuu", ["'cpuu'", "did you mean 'cpu'?", "It has auto, cpu, reference"]),
        ("", ["''", "It has auto, cpu, reference"]),
        (3, ["3", "auto, cpu, reference"]),
        (None, ["None"]),
    ],
)
def test_an_unknown_engine_is_refused(engine, words, untouched):
    w = np.ones(3)

    with untouched([w], EngineError, "there is no engine", *words):
        ro.Adam(w, engine=engine)


@pytest.mark.parametrize("dtype", ["int32", "complex64", "float", "bogus", np.int8])
def test_a_state_dtype_that_is_no_format_is_refused(dtype, untouched):
    w = np.ones(3)

    with untouched([w], TensorTypeError, "state_dtype", *FLOATS):
        ro.Adam(w, state_dtype=dtype)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"c": {"eps": 0.1}}, ["'c' matches no parameter", "'a', 'b'", "* and ?"]),
        ({"*": {"eps": 0.1}, "layer.*": {}}, ["'layer.*' matches no parameter"]),
        ({"a": 0.1}, ["'a': 0.1", '{"*.bias": {"learning_rate": 0.1}}']),
        ({0: {"eps": 0.1}}, ["0: {'eps': 0.1}", "a pattern"]),
        (["a"], ["['a']", "a pattern"]),
    ],
)
def test_groups_that_name_nothing_are_refused(groups, words, untouched):
    params = {"a": np.ones(2), "b": np.ones(2)}

    with untouched(params.values(), StructureError, *words):
        ro.Adam(params, groups=groups)


def test_the_mappings_of_an_optimizer_cannot_be_replaced(unchanged):
    """They would be ignored: the old ones would go on to be used."""
    optimizer = ro.Adam({"a": np.ones(2)}, groups={"a": {"eps": 0.1}})

    with unchanged(optimizer, AttributeError, "hyperparameters"):
        optimizer.hyperparameters = {"learning_rate": 0.1}
    with unchanged(optimizer, AttributeError, "groups"):
        optimizer.groups = {}
    with unchanged(optimizer, TypeError, "item assignment"):
        optimizer.groups["a"] = {"eps": 0.2}


def test_weights_made_read_only_later_are_refused_by_the_reference(unchanged):
    w = [np.ones(3), np.ones(3)]
    optimizer = ro.SGD(w, engine="reference")
    w[1].flags.writeable = False

    with unchanged(optimizer, TensorError, "read-only"):
        optimizer.step([np.ones(3), np.ones(3)])
