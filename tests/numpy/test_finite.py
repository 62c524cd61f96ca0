"""What a step does when a gradient is infinite or nan: it may be allowed, refused or skipped."""

import copy
import math
import pickle

import numpy as np
import pytest
from ml_dtypes import bfloat16

import ruleonce as ro
from ruleonce.engines import threads
from ruleonce.errors import HyperparameterError, NonFiniteGradientError, TensorError

ENGINES = pytest.mark.parametrize("engine", ["cpu", "reference"])
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, bfloat16])
ODD = pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan], ids=["inf", "-inf", "nan"])


def odd_at(place, value, shape=(5000,), dtype=np.float64):
    gradient = np.ones(shape, dtype)
    gradient[place] = value
    return gradient


@ENGINES
@DTYPES
@ODD
@pytest.mark.parametrize("place", [0, 4095, 4096, 4999])
def test_one_odd_element_is_found_wherever_it_is(unchanged, engine, dtype, value, place):
    weights = [np.ones(3, dtype), np.ones(5000, dtype)]
    optimizer = ro.Adam(weights, engine=engine, on_nonfinite="raise")
    optimizer.step([np.ones(3, dtype), np.ones(5000, dtype)])

    with unchanged(optimizer, NonFiniteGradientError, "'1': 1 of 5000", "Nothing has changed"):
        optimizer.step([np.ones(3, dtype), odd_at(place, value, dtype=dtype)])


@ENGINES
@ODD
def test_a_step_may_be_skipped(engine, value):
    """Not even t changes: the next one is the step that this one was not."""
    runs = []
    for odd_too in (False, True):
        w = {"a": np.arange(3.0), "b": np.ones(2, np.float32)}
        optimizer = ro.Adam(w, learning_rate=0.1, engine=engine, on_nonfinite="skip")
        for t in range(6):
            if odd_too:
                odd = {"a": np.array([1.0, value, 1.0]), "b": np.ones(2, np.float32)}
                assert optimizer.step(odd) is None
                assert optimizer.step(odd, report=True) is None
                assert optimizer.t == t
            optimizer.step({"a": np.full(3, 1.0 + t), "b": np.full(2, t, np.float32)})
        runs.append([*w.values(), *optimizer.state["m"].values(), optimizer.t])
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


@ENGINES
def test_by_default_a_step_goes_on(engine):
    w = np.ones(3)
    optimizer = ro.SGD(w, learning_rate=1.0, engine=engine)
    optimizer.step(np.array([1.0, np.nan, np.inf]))

    np.testing.assert_array_equal(w, [0.0, np.nan, -np.inf])
    assert optimizer.t == 1
    assert optimizer.on_nonfinite == "allow"


def test_the_error_names_the_tensors_and_counts_their_elements():
    params = {"first": [np.ones((2, 2)), np.ones(3)], "last": np.ones(4)}
    optimizer = ro.SGD(params, on_nonfinite="raise")
    odd = {"first": [np.full((2, 2), np.nan), np.ones(3)], "last": np.array([1, np.inf, 1, np.nan])}

    with pytest.raises(NonFiniteGradientError) as caught:
        optimizer.step(odd)
    assert str(caught.value) == (
        "infinite or nan: the gradient of 'first.0': 4 of 4 elements; the gradient of 'last': 2 of "
        "4 elements. Nothing has changed.\n  on_nonfinite='skip' leaves out such a step; a smaller "
        "learning rate, or clipping, may keep them away."
    )
    assert isinstance(caught.value, ArithmeticError)


def test_the_error_names_five_tensors_and_counts_the_rest():
    optimizer = ro.SGD([np.ones(2) for _ in range(8)], on_nonfinite="raise")

    with pytest.raises(NonFiniteGradientError, match="'4': 2 of 2 elements; and 3 more"):
        optimizer.step([np.full(2, np.nan)] * 8)
    with pytest.raises(NonFiniteGradientError, match="the gradient: 2 of 2 elements"):
        ro.SGD(np.ones(2), on_nonfinite="raise").step(np.full(2, np.nan))


@pytest.mark.parametrize("choice", ["rase", "", "ALLOW", None, True, 0, ["skip"]])
def test_what_it_cannot_be_is_refused_at_once(choice):
    words = "must be one of 'allow', 'raise', 'skip'"
    with pytest.raises(HyperparameterError, match=words):
        ro.Adam(np.ones(3), on_nonfinite=choice)
    optimizer = ro.Adam(np.ones(3), on_nonfinite="skip")
    with pytest.raises(HyperparameterError, match=words):
        optimizer.on_nonfinite = choice
    assert optimizer.on_nonfinite == "skip"


@ENGINES
def test_it_may_be_set_between_steps(engine):
    w = np.ones(2)
    optimizer = ro.SGD(w, learning_rate=1.0, engine=engine)
    odd = np.array([np.inf, 1.0])
    for choice in ("skip", "raise", "skip", "allow"):
        optimizer.on_nonfinite = choice
        optimizer.step(np.zeros(2))
        if choice == "raise":
            with pytest.raises(NonFiniteGradientError):
                optimizer.step(odd)
        else:
            optimizer.step(odd)

    assert w.tolist() == [-np.inf, 0.0]
    assert optimizer.t == 5


@ENGINES
@DTYPES
def test_the_largest_and_the_smallest_numbers_are_finite(engine, dtype):
    import ml_dtypes

    info = ml_dtypes.finfo(dtype)
    extremes = np.array([info.max, -info.max, info.tiny, info.smallest_subnormal, 0.0, -0.0], dtype)
    optimizer = ro.SGD(np.zeros(6, dtype), engine=engine, on_nonfinite="raise")
    optimizer.step(extremes)

    assert optimizer.t == 1


@ENGINES
@pytest.mark.parametrize(
    ("weights", "gradient"),
    [
        (lambda: np.zeros((3, 4), order="F"), lambda w: odd_at((1, 2), np.nan, (3, 4))),
        (lambda: np.zeros((3, 4)), lambda w: odd_at((2, 1), np.nan, (4, 3)).T),
        (lambda: np.zeros((6, 8))[::2, ::2], lambda w: odd_at((1, 2), np.nan, (3, 4))),
        (lambda: np.zeros((3, 4)), lambda w: odd_at((2, 4), np.nan, (6, 8))[::2, ::2]),
        (lambda: np.zeros((3, 4)), lambda w: odd_at((1, 1), np.nan, (3, 4)).astype(">f8")),
        (lambda: odd_at((1, 2), np.nan, (3, 4)), lambda w: w),
        (lambda: odd_at((1, 2), np.nan, (3, 4)), lambda w: w[::-1]),
    ],
    ids=["fortran", "turned", "strided", "strided gradient", "swapped", "itself", "mirror"],
)
def test_every_layout_is_searched(engine, weights, gradient):
    w = weights()
    optimizer = ro.SGD([np.ones(2), w], engine=engine, on_nonfinite="raise")

    with pytest.raises(NonFiniteGradientError, match="'1': 1 of 12"):
        optimizer.step([np.ones(2), gradient(w)])


@ENGINES
def test_what_lies_between_the_elements_of_a_slice_is_not_searched(engine):
    memory = np.full((6, 8), np.nan)
    memory[::2, ::2] = 1.0
    optimizer = ro.SGD(np.zeros((3, 4)), engine=engine, on_nonfinite="raise")
    optimizer.step(memory[::2, ::2])

    assert optimizer.t == 1


@ENGINES
def test_weights_and_state_that_are_not_finite_are_nobodys_business(engine):
    w = np.array([np.nan, np.inf])
    optimizer = ro.Adam(w, engine=engine, on_nonfinite="raise")
    optimizer.step(np.ones(2))

    assert optimizer.t == 1


@ENGINES
@ODD
def test_numbers_read_only_and_broadcast_gradients_are_searched(engine, value):
    optimizer = ro.SGD([np.array(1.0), np.zeros((2, 3))], engine=engine, on_nonfinite="raise")
    finite = np.broadcast_to(np.float64(1.0), (2, 3))
    optimizer.step([0.5, finite])

    with pytest.raises(NonFiniteGradientError, match="'0': 1 of 1 elements"):
        optimizer.step([float(value), finite])
    with pytest.raises(NonFiniteGradientError, match="'1': 6 of 6 elements"):
        optimizer.step([np.float64(0.5), np.broadcast_to(value, (2, 3))])


@ENGINES
def test_gradients_of_another_dtype_at_each_step_are_searched(engine):
    optimizer = ro.SGD({"a": np.ones(3, np.float32)}, engine=engine, on_nonfinite="raise")
    for dtype in ("float64", "float32", "float16", bfloat16, "float32", "float64"):
        optimizer.step({"a": np.ones(3, dtype)})
        with pytest.raises(NonFiniteGradientError, match="'a': 1 of 3"):
            optimizer.step({"a": np.array([1, np.nan, 1], dtype)})
    # What is finite in float64 may not be in float32: the gradient as it was given is asked about.
    optimizer.step({"a": np.full(3, 1e300)})
    assert optimizer.t == 7


@ENGINES
def test_a_gradient_that_changes_in_its_place_is_looked_at_anew(engine):
    optimizer = ro.SGD(np.ones(3), engine=engine, on_nonfinite="skip")
    gradient = np.ones(3)
    for t, value in enumerate([1.0, np.nan, 1.0, np.inf, 1.0]):
        gradient[1] = value
        optimizer.step(gradient)
        assert optimizer.t == t // 2 + 1


@ENGINES
@pytest.mark.parametrize("params", [[], [np.zeros(0)], {}], ids=["none", "empty", "no dict"])
@pytest.mark.parametrize("choice", ["raise", "skip"])
def test_where_there_is_no_element_all_are_finite(engine, params, choice):
    optimizer = ro.Adam(params, engine=engine, on_nonfinite=choice)
    optimizer.step(copy.deepcopy(params))

    assert optimizer.t == 1


@pytest.mark.parametrize("choice", ["raise", "skip"])
def test_a_wrong_shape_is_wrong_before_its_elements_are(unchanged, choice):
    optimizer = ro.SGD([np.ones(3), np.ones(2)], on_nonfinite=choice)

    with unchanged(optimizer, TensorError, "shape"):
        optimizer.step([np.full(3, np.nan), np.ones(3)])


@ENGINES
def test_what_is_measured_of_a_skipped_step_is_forgotten(engine):
    @ro.rule
    def longest(w, dw, most: ro.Scalar):
        return w - dw, ro.maximum(most, ro.sqrt(ro.total(ro.dot(dw, dw))))

    optimizer = ro.Optimizer(longest, [np.zeros(2), np.zeros(1)], engine=engine)
    optimizer.on_nonfinite = "skip"
    optimizer.step([np.array([3.0, 0.0]), np.array([4.0])])
    optimizer.step([np.array([np.inf, 0.0]), np.array([4.0])])

    assert optimizer.state["most"] == 5.0


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],  # noqa: S301
    ids=["deepcopy", "pickle"],
)
def test_a_copy_does_the_same(copied):
    optimizer = ro.Adam(np.ones(3), on_nonfinite="raise")
    optimizer.step(np.ones(3))
    twin = copied(optimizer)

    assert twin.on_nonfinite == "raise"
    with pytest.raises(NonFiniteGradientError):
        twin.step(np.full(3, np.nan))


def test_large_gradients_are_searched_by_all_threads():
    sizes = (1_300_001, 3, 40_000)
    assert sum(sizes) > threads.POOL.worth
    optimizer = ro.SGD([np.zeros(n, np.float32) for n in sizes], on_nonfinite="raise")
    gradients = [np.ones(n, np.float32) for n in sizes]
    gradients[0][[0, 650_000, 1_300_000]] = np.nan
    gradients[2][-1] = math.inf
    before = threads._count
    try:
        for count in (1, 2, 3, 7):
            ro.set_threads(count)
            with pytest.raises(NonFiniteGradientError, match=r"3 of 1300001 .*; .* 1 of 40000"):
                optimizer.step(gradients)
    finally:
        threads._count = before
