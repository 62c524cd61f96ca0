"""What a step tells of itself: `opt.step(gradients, report=True)`.

What a norm should be is NumPy's of the same numbers in float64.
"""

import copy
import math

import numpy as np
import pytest
from ml_dtypes import bfloat16

import ruleonce as ro
from ruleonce.numpy.report import Report, TensorReport

ENGINES = pytest.mark.parametrize("engine", ["cpu", "reference"])
SIZES = (0, 1, 7, 4095, 4096, 4097, 10_000)  # the cpu engine adds up blocks of 4096


def norm(x):
    return float(np.linalg.norm(np.asarray(x, np.float64)))


def near(x, y, share=1e-12):
    return x == y or abs(x - y) <= share * abs(y)


def assert_reported(report, before, gradients, after, share=1e-12):
    """`report` is of a step that took those weights from `before` to `after`."""
    assert list(report) == list(before)
    for name, one in report.items():
        assert near(one.gradient_norm, norm(gradients[name])), name
        assert near(one.weight_norm, norm(before[name])), name
        moved = norm(np.subtract(after[name], before[name], dtype=np.float64))
        assert near(one.update_norm, moved, share), name
        assert one.nonfinite == 0


def some(sizes, dtype, seed):
    rng = np.random.default_rng(seed)
    return {str(n): rng.normal(size=n).astype(dtype) for n in sizes}


@ENGINES
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
def test_the_norms_are_those_of_the_tensors(engine, dtype):
    weights = some(SIZES, dtype, 0)
    optimizer = ro.Adam(weights, learning_rate=0.5, engine=engine)
    for step in range(1, 4):
        before, gradients = copy.deepcopy(weights), some(SIZES, dtype, step)
        report = optimizer.step(gradients, report=True)
        assert report.t == step
        # A float32 weight is rounded after it has moved.
        assert_reported(report, before, gradients, weights, 1e-12 if dtype == np.float64 else 1e-6)


@ENGINES
def test_all_tensors_are_reported_as_if_they_were_one(engine):
    weights, gradients = some(SIZES, np.float32, 0), some(SIZES, np.float64, 1)
    before = np.concatenate([*copy.deepcopy(weights).values()])
    report = ro.SGD(weights, learning_rate=0.5, engine=engine).step(gradients, report=True)

    together = {"": report.whole}
    after = {"": np.concatenate([*weights.values()])}
    end_to_end = {"": np.concatenate([*gradients.values()])}
    assert_reported(together, {"": before}, end_to_end, after, 1e-6)
    assert report.whole.ratio == report.whole.update_norm / report.whole.weight_norm


@ENGINES
def test_a_report_changes_no_bit_of_a_step(engine):
    """With several launches too; steps with a report and without take turns."""
    runs = []
    for asked in (lambda t: False, lambda t: True, lambda t: t % 2, lambda t: t == 5):
        weights = some((5, 4097), np.float32, 0) | {"wide": np.ones(70)}
        optimizer = ro.Adam(weights, engine=engine, groups={"wide": {"learning_rate": 0.5}})
        for t in range(8):
            gradients = some((5, 4097), np.float32, t) | {"wide": np.full(70, t, np.float16)}
            report = optimizer.step(gradients, report=asked(t))
            assert (report is None) == (not asked(t))
        runs.append([*weights.values(), *optimizer.state["v"].values()])
    for run in runs[1:]:
        for one, other in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


def test_launches_are_made_once_for_each_kind_of_step(monkeypatch):
    """Making them takes a hundred times as long as a small step."""
    optimizer = ro.Adam(np.ones(3), engine="cpu")
    real, made = optimizer._engine.launch, []
    monkeypatch.setattr(optimizer._engine, "launch", lambda work: made.append(work) or real(work))
    for t in range(12):
        optimizer.step(np.full(3, 1.0 + t), report=t % 3 == 0)

    assert [work.reports for work in made] == [True, False]


def test_gradients_are_read_anew_when_the_kind_of_step_changes():
    """Each kind remembers where the gradients of its last step were; meanwhile they may have gone,
    or have got another dtype.
    """
    w, same = np.zeros(3), np.ones(3)
    optimizer = ro.SGD(w, learning_rate=1.0, engine="cpu")
    taken = 0.0
    for t in range(30):
        gradient = same if t % 5 == 0 else np.full(3, t, "float32" if t % 7 == 0 else "float64")
        report = optimizer.step(gradient, report=t % 2 == 0)
        taken += float(gradient[0])
        if report is not None:
            assert report[""].gradient_norm == pytest.approx(math.sqrt(3) * gradient[0], rel=1e-15)
    assert w.tolist() == [-taken] * 3


@ENGINES
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, bfloat16])
def test_elements_that_are_not_finite_are_counted(engine, dtype):
    weights = {"a": np.ones(5000, dtype), "b": np.ones((2, 2), dtype), "c": np.array(1, dtype)}
    gradients = {name: np.ones_like(w) for name, w in weights.items()}
    gradients["a"][[0, 4095, 4096, 4999]] = np.inf, -np.inf, np.nan, np.nan
    gradients["c"][()] = np.nan
    report = ro.SGD(weights, engine=engine).step(gradients, report=True)

    assert [one.nonfinite for one in report.values()] == [4, 0, 1]
    assert report.whole.nonfinite == 5
    assert math.isnan(report["a"].gradient_norm)
    assert report["b"].gradient_norm == 2.0
    assert "4 not finite" in str(report)


@ENGINES
def test_the_largest_number_of_a_dtype_is_finite(engine):
    largest = {
        dtype: np.array([np.finfo(dtype).max, np.finfo(dtype).tiny], dtype)
        for dtype in ("float16", "float32", "float64")
    }
    weights = {dtype: np.zeros_like(x) for dtype, x in largest.items()}
    report = ro.SGD(weights, engine=engine).step(largest, report=True)

    assert report.whole.nonfinite == 0
    assert near(report["float32"].gradient_norm, float(np.finfo(np.float32).max))
    assert report["float64"].gradient_norm == math.inf  # its square is


@ENGINES
def test_the_update_is_what_the_rule_adds_before_it_is_rounded(engine):
    """A bfloat16 weight of 1 does not move by 1e-5; the report says how far it was to."""
    w = np.ones(4, bfloat16)
    report = ro.SGD(w, learning_rate=2.0**-20, engine=engine).step(np.ones_like(w), report=True)

    assert w.tolist() == [1.0] * 4
    assert report[""].update_norm == 2.0**-19
    assert report[""].ratio == 2.0**-20


@ENGINES
@pytest.mark.parametrize(
    ("weights", "gradient"),
    [
        (lambda: np.asfortranarray(np.arange(12.0).reshape(3, 4)), None),
        (lambda: np.arange(96.0).reshape(8, 12)[::2, ::3], None),
        (lambda: np.arange(12.0).reshape(3, 4)[::-1], None),
        (lambda: np.arange(12.0).astype(">f8").reshape(3, 4), None),
        (lambda: np.arange(12.0).reshape(3, 4), lambda w: w),
        (lambda: np.arange(12.0).reshape(3, 4), lambda w: w[::-1]),
        (lambda: np.arange(12.0).reshape(3, 4), lambda w: np.broadcast_to(2.0, w.shape)),
        (lambda: np.array(3.0), lambda w: 2.0),
    ],
    ids=["fortran", "strided", "reversed", "swapped", "itself", "mirror", "broadcast", "0-d"],
)
def test_any_layout_is_reported_right(engine, weights, gradient):
    weights = {"w": weights()}
    gradient = (gradient or (lambda w: np.cos(w)))(weights["w"])
    before, kept = copy.deepcopy(weights), {"w": np.copy(gradient)}
    report = ro.SGD(weights, learning_rate=0.5, engine=engine).step({"w": gradient}, report=True)

    assert_reported(report, before, kept, weights)


@ENGINES
def test_a_rule_of_several_passes_is_reported(engine):
    @ro.rule
    def unit(w, dw, m, length: ro.Scalar, *, learning_rate=0.5):
        """A step of one length in each tensor."""
        m = m + dw
        step = m / ro.norm(m)
        return w - learning_rate * step, m, ro.sqrt(ro.total(ro.dot(dw, dw)))

    weights = some((7, 4097), np.float64, 0) | {"narrow": np.ones(33, np.float32)}
    optimizer = ro.Optimizer(unit, weights, engine=engine)
    for t in range(1, 4):
        gradients = some((7, 4097), np.float64, t) | {"narrow": np.full(33, t, np.float32)}
        before = copy.deepcopy(weights)
        report = optimizer.step(gradients, report=True)
        assert_reported(report, before, gradients, weights, 1e-6)
        assert [one.update_norm for one in report.values()] == pytest.approx([0.5] * 3, rel=1e-6)
        assert near(optimizer.state["length"], report.whole.gradient_norm)


@ENGINES
def test_there_may_be_nothing_to_report(engine):
    nothing = ro.Adam([], engine=engine).step([], report=True)
    assert dict(nothing) == {}
    assert nothing.whole == TensorReport(0.0, 0.0, 0.0, 0)
    empty = ro.Adam([np.zeros((0, 3))], engine=engine).step([np.zeros((0, 3))], report=True)
    assert empty["0"] == TensorReport(0.0, 0.0, 0.0, 0)
    assert math.isnan(empty["0"].ratio)


def test_the_ratio_of_weights_that_are_0_is_no_error():
    assert math.isnan(TensorReport(1.0, 0.0, 0.0, 0).ratio)
    assert TensorReport(1.0, 0.0, 1.0, 0).ratio == math.inf
    assert TensorReport(1.0, 2.0, 1e-3, 0).ratio == 5e-4


def test_a_report_is_a_mapping_of_names_that_prints_as_a_table():
    params = {"layer": [np.full(4, 2.0), np.array([3.0, 4.0])], "bias": np.zeros(1)}
    gradients = {"layer": [np.full(4, 0.5), np.array([np.inf, 0.0])], "bias": np.ones(1)}
    report = ro.SGD(params, learning_rate=0.1).step(gradients, report=True)

    assert isinstance(report, Report)
    assert list(report) == ["layer.0", "layer.1", "bias"]
    assert report["layer.0"] == TensorReport(1.0, 4.0, pytest.approx(0.1), 0)
    with pytest.raises(KeyError):
        report["layer"]
    assert str(report).split("\n") == [
        "step 1:  gradient   weights    update     ratio",
        "layer.0   1.00e+00   4.00e+00   1.00e-01   2.50e-02",
        "layer.1        inf   5.00e+00        inf        inf  1 not finite",
        "bias      1.00e+00   0.00e+00   1.00e-01        inf",
        "all            inf   6.40e+00        inf        inf  1 not finite",
    ]


@pytest.mark.parametrize("report", [1, np.True_, "yes"])
def test_whatever_is_true_asks_for_a_report(report):
    optimizer = ro.SGD(np.ones(2))

    assert optimizer.step(np.ones(2), report=report)[""].nonfinite == 0
    launches = optimizer._launches
    assert optimizer.step(np.ones(2), report=report).t == 2
    assert optimizer._launches is launches


def test_where_a_step_is_refused_the_kind_of_the_next_is_free(unchanged):
    optimizer = ro.Adam([np.ones(3), np.ones(2)], learning_rate=0.1)
    optimizer.step([np.ones(3), np.ones(2)])
    with unchanged(optimizer, ro.errors.TensorError, "shape"):
        optimizer.step([np.ones(3), np.ones(3)], report=True)

    assert optimizer.step([np.ones(3), np.ones(2)]) is None
    assert optimizer.step([np.ones(3), np.ones(2)], report=True).t == 3
