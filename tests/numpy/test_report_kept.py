"""Reports and optimizers that outlive one another, are copied, saved, or use several threads."""

import copy
import pickle

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.engines import threads


def test_a_report_stays_as_it_is():
    """Whatever the next step measures, and whatever becomes of the optimizer."""
    w = np.ones(3)
    optimizer = ro.SGD(w, learning_rate=0.1)
    report = optimizer.step(np.ones(3), report=True)
    kept = dict(report)
    for again in (copy.deepcopy(report), pickle.loads(pickle.dumps(report))):  # noqa: S301
        assert dict(again) == kept
        assert again.t == 1
    optimizer.step(np.full(3, 5.0), report=True)
    del optimizer

    assert dict(report) == kept
    assert str(report).startswith("step 1:")


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],  # noqa: S301
    ids=["deepcopy", "pickle"],
)
def test_a_copy_made_between_reports_goes_on_alone(copied):
    w = np.ones(3)
    optimizer = ro.Adam(w, learning_rate=0.1)
    optimizer.step(np.ones(3), report=True)
    twin = copied(optimizer)
    for one in (optimizer, twin):
        report = one.step(np.full(3, 2.0), report=True)
        assert report.t == 2
        one.step(np.ones(3))

    np.testing.assert_array_equal(twin.params, w)
    assert twin.params is not w


def test_a_run_that_was_saved_and_loaded_reports_the_same(tmp_path):
    def gradient(t):
        return np.linspace(-1, t, 5)

    one, other = (ro.Adam(np.arange(5.0), learning_rate=0.1) for _ in range(2))
    for t in range(3):
        one.step(gradient(t), report=True)
    one.save(tmp_path / "x.safetensors")
    other.step(gradient(9), report=True)
    other.load(tmp_path / "x.safetensors")

    expected = one.step(gradient(3), report=True)
    report = other.step(gradient(3), report=True)
    assert report.t == expected.t == 4
    assert dict(report) == dict(expected)


def test_a_report_does_not_depend_on_the_number_of_threads():
    sizes = (1_300_001, 3, 40_000)
    assert sum(sizes) > threads.POOL.worth
    before = threads._count
    try:
        found = []
        for count in (1, 2, 3, 7):
            ro.set_threads(count)
            rng = np.random.default_rng(0)
            weights, gradients = (
                [rng.normal(size=n).astype(np.float32) for n in sizes] for _ in range(2)
            )
            report = ro.Adam(weights).step(gradients, report=True)
            found.append((dict(report), [w.tobytes() for w in weights]))
        assert all(one == found[0] for one in found)
    finally:
        threads._count = before
