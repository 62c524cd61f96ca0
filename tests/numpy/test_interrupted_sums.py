"""Steps that measure, when Ctrl-C ends them, on many threads at once, and after a fork."""

import multiprocessing
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from interrupting import Interrupted, interruptions, is_interrupted

import ruleonce as ro
from ruleonce.engines import threads

SHARED = 700_001  # elements: more than from which on threads share a step
needs_timer = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timer signals here: Ctrl-C was NOT tested"
)


@pytest.fixture
def _three_threads():
    before = threads._count
    ro.set_threads(3)
    yield
    threads._count = before


@ro.rule
def counting(w, dw, m, n: ro.Scalar, every: ro.Scalar):
    """Each element counts the steps, though only by way of sums: a gradient is all ones."""
    m = m + ro.dot(dw, dw) / ro.size(dw)
    return w - ro.mean(dw), m, n + 1, ro.total(ro.sum(dw))


@needs_timer
@pytest.mark.usefixtures("_three_threads")
@pytest.mark.parametrize(
    ("sizes", "longest"),
    [([3], 3e-4), ([50_000], 1e-3), ([SHARED], 4e-3), ([3, 20_000, SHARED, 5], 6e-3)],
    ids=["tiny", "without the GIL", "shared", "several kernels"],
)
@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("choice", ["allow", "skip"])
def test_ctrl_c_finds_every_measured_step_whole(sizes, longest, engine, choice):
    """A timer's signal comes at any moment: while sums are made, while a report is, between two."""
    dtypes = ["float64", "float32", "float64", "float64"]
    params = [np.zeros(size, dtype) for size, dtype in zip(sizes, dtypes, strict=False)]
    if len(sizes) > 1:
        params[-1] = np.zeros((5, 2))[:, 0]  # strided: it is copied back after the kernel
    gradients = [np.ones(w.shape, w.dtype) for w in params]
    optimizer = ro.Optimizer(counting, params, engine=engine, on_nonfinite=choice)
    for report in (False, True):
        optimizer.step(gradients, report=report)
    rng, turns, ended = np.random.default_rng(0), 100 if max(sizes) < 100 else 30, 0

    def step(report):
        found = optimizer.step(gradients, report=report)
        assert found is None or found.whole.nonfinite == 0

    with interruptions():
        for turn in range(turns):
            ended += is_interrupted(partial(step, turn % 3 == 0), rng.uniform(1e-6, longest))
            state = optimizer.state
            assert state["n"] == optimizer.t
            assert state["every"] == sum(sizes)
            for w, m in zip(params, state["m"], strict=True):
                assert np.all(w == -optimizer.t)
                assert np.all(m == optimizer.t)
    assert ended > turns // 2


@pytest.mark.usefixtures("_three_threads")
@pytest.mark.parametrize("choice", ["allow", "raise"])
def test_ctrl_c_waits_for_the_threads_that_add_up(monkeypatch, choice):
    """They write to memory that goes when the step is given up."""
    w = np.zeros(SHARED)
    optimizer = ro.Optimizer(counting, w, engine="cpu", on_nonfinite=choice)
    optimizer.step(np.ones(SHARED))
    real, runs = threads.Job.run, []

    def interrupted(job):
        runs.append(job)
        if len(runs) == 1:
            raise Interrupted
        real(job)

    monkeypatch.setattr(threads.Job, "run", interrupted)
    with pytest.raises(Interrupted):
        optimizer.step(np.ones(SHARED))
    assert runs == [runs[0]] * 2  # the same job, to its end
    assert len(runs[0]._done_there) == 2
    assert optimizer.t == 1
    assert np.all(w == -1)

    optimizer.step(np.ones(SHARED))
    assert np.all(w == -2)


def by_itself(seed):
    """A run whose steps measure and report, all of it to be compared."""
    rng = np.random.default_rng(seed)
    w = [rng.normal(size=n) for n in (5, 4097, 60_000)]
    optimizer = ro.Optimizer(counting, w, on_nonfinite="raise")
    found = [
        dict(optimizer.step([rng.normal(size=x.size) for x in w], report=True)) for _ in range(5)
    ]
    return found, [x.tobytes() for x in w], optimizer.state["every"]


def test_threads_that_measure_at_once_do_not_meet():
    expected = [by_itself(seed) for seed in range(8)]
    barrier = threading.Barrier(8)

    def together(seed):
        barrier.wait(60)
        return by_itself(seed)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(together, range(8))) == expected


def step_and_tell(optimizer, gradient, pipe):
    report = optimizer.step(gradient, report=True)
    pipe.send((dict(report), optimizer.params[:3].tolist(), optimizer.state["every"]))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork: it was NOT tested"
)
@pytest.mark.usefixtures("_three_threads")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork.*:RuntimeWarning")  # JAX, if another test has loaded it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_fork_between_measured_steps_goes_on_in_both_processes():
    w, gradient = np.zeros(SHARED), np.ones(SHARED)
    optimizer = ro.Optimizer(counting, w)
    optimizer.step(gradient, report=True)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=step_and_tell, args=(optimizer, gradient, theirs))
    child.start()
    assert ours.poll(60), "the child hangs"
    told = ours.recv()
    child.join(60)

    report = optimizer.step(gradient, report=True)
    assert told == (dict(report), w[:3].tolist(), optimizer.state["every"])
