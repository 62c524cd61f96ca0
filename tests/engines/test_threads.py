"""Many threads, fork, Ctrl-C: large steps lose nothing and hang nowhere, and the bits stay."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
from alone import alone
from interrupting import Interrupted, interruptions, is_interrupted

import ruleonce as ro
from ruleonce.engines import native, sweep, threads
from ruleonce.errors import EngineError

SHARED = (1 << 20) + 4321  # elements: enough to be shared by threads, and no round number
PATIENCE = 30.0  # seconds until a test says that something hangs

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this system has no fork: it was NOT tested"
)
needs_timer = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no timers: Ctrl-C was NOT tested"
)


@pytest.fixture(autouse=True)
def _number_of_threads():
    """Leave the setting as it was found."""
    before = threads._count
    yield
    threads._count = before


def adam_of(sizes, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return ro.Adam(
        [rng.normal(size=n).astype(dtype) for n in sizes], learning_rate=0.1, engine="cpu"
    )


def steps(optimizer, count, seed=1):
    rng = np.random.default_rng(seed)
    gradients = [[rng.normal(size=w.shape).astype(w.dtype) for w in optimizer.params] for _ in "ab"]
    for step in range(count):
        optimizer.step(gradients[step % 2])


def assert_same(optimizer, expected):
    assert optimizer.t == expected.t
    pairs = [(optimizer.params, expected.params)]
    pairs += zip(optimizer.state.values(), expected.state.values(), strict=True)
    for got, wanted in pairs:
        np.testing.assert_array_equal(np.concatenate(got), np.concatenate(wanted))


def in_time(workers):
    """Wait for threads; a hang is a failure."""
    for worker in workers:
        worker.join(PATIENCE)
        assert not worker.is_alive(), "it hangs"


SIZES = [
    [SHARED],
    [1, 0, SHARED, 0, 7],
    [300_000] * 4 + [1000],
    [1023, 1024, 1025, SHARED - 3072, 0],
    [700] * 1600,
]


@pytest.mark.parametrize("sizes", SIZES, ids=["one", "with empty", "few", "grains", "many"])
def test_the_number_of_threads_does_not_show_in_the_bits(sizes):
    assert sum(sizes) >= threads.POOL.worth
    ro.set_threads(1)
    expected = adam_of(sizes)
    steps(expected, 3)

    for count in (2, 3, 8, 61):
        ro.set_threads(count)
        optimizer = adam_of(sizes)
        steps(optimizer, 3)
        assert_same(optimizer, expected)


def test_the_number_may_change_between_steps():
    ro.set_threads(1)
    expected, optimizer = adam_of([SHARED]), adam_of([SHARED])
    steps(expected, 4)

    rng = np.random.default_rng(1)
    gradients = [[rng.normal(size=SHARED).astype("float32")] for _ in "ab"]
    for step, count in enumerate((3, 1, 8, 2)):
        ro.set_threads(count)
        optimizer.step(gradients[step % 2])

    assert_same(optimizer, expected)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("sizes", [*SIZES, [0], [0, 0], [5], [2048], [1024, 1024]])
def test_a_split_covers_every_element_once(sizes, parts):
    """Each job is a run of rows: (table, first row, begin in it, last row, end in it)."""
    optimizer = adam_of([5])
    optimizer.step([np.ones(5, "float32")])
    last = optimizer._launches[0][0]._call._last
    whole = sweep.Sweep(last._native, last._table, sizes, threads.POOL)

    jobs_at = whole._split(parts)

    jobs = whole._jobs[parts]
    assert len(jobs_at) == len(jobs) <= parts
    done = [np.zeros(size, int) for size in sizes]
    for _, first, begin, last, end in jobs:
        for row in range(first, last + 1):
            stop = end if row == last else sizes[row]
            done[row][begin if row == first else 0 : stop] += 1
    assert all(np.all(x == 1) for x in done)
    lengths = [0]
    for _, _, _, last, end in jobs[:-1]:
        assert (sum(sizes[:last]) + end) % sweep._GRAIN == 0
        lengths.append(sum(sizes[:last]) + end)
    assert max(np.diff([*lengths, sum(sizes)])) <= sum(sizes) / parts + sweep._GRAIN


def test_large_steps_do_use_the_threads(monkeypatch):
    ro.set_threads(3)
    seen = set()
    optimizer = adam_of([SHARED])
    steps(optimizer, 1)
    launch = optimizer._launches[0][0]._call._last
    call = launch._native.call
    barrier = threading.Barrier(3)  # passes only if three threads are here at once

    def watched(piece):
        barrier.wait(PATIENCE)
        seen.add(threading.current_thread().name)
        call(piece)

    monkeypatch.setattr(launch, "_native", native.Native("", watched, watched, None))
    launch._tasks.clear()
    steps(optimizer, 1)

    assert len(seen) >= 2
    assert threading.current_thread().name in seen


def test_64_threads_step_64_optimizers_with_the_bits_of_serial_runs():
    """Small ones, with the GIL; larger ones, without; and some that share the pool."""
    ro.set_threads(3)
    sizes = [[7, 100] if i % 4 else [20_000] for i in range(56)] + [[SHARED]] * 8
    serial = [adam_of(s, seed=i) for i, s in enumerate(sizes)]
    for i, optimizer in enumerate(serial):
        steps(optimizer, 20 if i < 56 else 3, seed=i)
    together = [adam_of(s, seed=i) for i, s in enumerate(sizes)]
    barrier = threading.Barrier(64)

    def work(i):
        barrier.wait(PATIENCE)
        steps(together[i], 20 if i < 56 else 3, seed=i)

    workers = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(64)]
    for worker in workers:
        worker.start()
    in_time(workers)

    for optimizer, expected in zip(together, serial, strict=True):
        assert_same(optimizer, expected)


def test_threads_that_want_the_same_kernel_compile_it_once(monkeypatch):
    compiled = []
    optimized = native._optimized

    def counted(source, machine):
        compiled.append(source)
        time.sleep(0.05)  # long enough for the others to come
        return optimized(source, machine)

    monkeypatch.setattr(native, "_optimized", counted)
    rule = ro.rule(lambda w, dw: w - 0.0123456 * dw)
    weights = [np.ones(5) for _ in range(16)]
    barrier = threading.Barrier(16)

    def work(w):
        barrier.wait(PATIENCE)
        ro.Optimizer(rule, w, engine="cpu").step(np.ones(5))

    workers = [threading.Thread(target=work, args=(w,), daemon=True) for w in weights]
    for worker in workers:
        worker.start()
    in_time(workers)

    assert len(compiled) == 1
    assert all(np.all(w == 1 - 0.0123456) for w in weights)


def forked(child):
    """The exit status of a forked process that runs `child`; None if it hangs."""
    with warnings.catch_warnings():
        # Python 3.12 warns of fork where there are threads; that it works is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child()
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


@needs_fork
@alone
def test_a_fork_after_a_large_step_goes_on_in_both_processes():
    ro.set_threads(3)
    optimizer, expected = adam_of([SHARED]), adam_of([SHARED])
    steps(expected, 2)
    steps(expected, 2, seed=2)
    steps(optimizer, 2)  # the pool has threads now, which a child does not get

    def child():
        steps(optimizer, 2, seed=2)
        assert_same(optimizer, expected)
        fresh = adam_of([SHARED, 5])
        steps(fresh, 1)
        assert forked(lambda: steps(fresh, 1)) == 0  # and a child of the child

    assert forked(child) == 0
    steps(optimizer, 2, seed=2)
    assert_same(optimizer, expected)


@needs_fork
@alone
def test_a_fork_while_other_threads_step_and_compile_does_not_hang():
    """Locks that another thread holds at the moment of the fork are never freed in the child."""
    ro.set_threads(2)
    adam_of([1])  # NumPy imports its random numbers now, and not while another thread forks
    stop = threading.Event()

    def keep_stepping():
        optimizer = adam_of([SHARED])
        while not stop.is_set():
            steps(optimizer, 1)

    def keep_compiling():
        number = 1.0
        while not stop.is_set():
            number += 1.0
            ro.Optimizer(made_with(number), np.ones(3), engine="cpu").step(np.ones(3))

    workers = [threading.Thread(target=f, daemon=True) for f in (keep_stepping, keep_compiling)]
    for worker in workers:
        worker.start()
    try:
        for number in range(8):

            def child(number=number):
                steps(adam_of([SHARED]), 1)
                ro.Optimizer(made_with(-1.0 - number), np.ones(3), engine="cpu").step(np.ones(3))

            assert forked(child) == 0
    finally:
        stop.set()
        in_time(workers)


def made_with(number):
    """A rule whose kernel no other number has."""
    return ro.rule(lambda w, dw: w - number * dw)


def test_where_no_thread_can_be_started_the_calling_one_does_all(monkeypatch):
    """As at the end of the interpreter, or at the limit of the system."""

    def refuse(self):
        raise RuntimeError("can't start new thread")

    ro.set_threads(1)
    expected = adam_of([SHARED])
    steps(expected, 2)
    ro.set_threads(4)
    monkeypatch.setattr(threads, "_pool", threads._Pool())
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", refuse)

    optimizer = adam_of([SHARED])
    worker = threading.Thread(target=steps, args=(optimizer, 2), daemon=True)
    start(worker)
    in_time([worker])

    assert_same(optimizer, expected)


def test_threads_that_are_fewer_than_the_pieces_do_all(monkeypatch):
    ro.set_threads(1)
    expected = adam_of([SHARED])
    steps(expected, 2)
    ro.set_threads(9)
    monkeypatch.setattr(threads, "_pool", threads._Pool())
    start, started = threading.Thread.start, []

    def only_two(self):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", only_two)
    optimizer = adam_of([SHARED])
    worker = threading.Thread(target=steps, args=(optimizer, 2), daemon=True)
    start(worker)
    in_time([worker])

    assert_same(optimizer, expected)


def test_what_is_done_is_forgotten(monkeypatch):
    """A thread that waits for its next piece does not keep the last one's kernel alive."""
    ro.set_threads(3)
    jobs = []

    def watched(call, pieces):
        job = real(call, pieces)
        jobs.append(weakref.ref(job))
        return job

    real = threads.Job
    monkeypatch.setattr(threads, "Job", watched)
    steps(adam_of([SHARED]), 2)

    end = time.monotonic() + PATIENCE
    while any(job() for job in jobs) and time.monotonic() < end:
        time.sleep(0.01)
    assert len(jobs) == 2
    assert not any(job() for job in jobs)


@needs_timer
@pytest.mark.parametrize(
    ("sizes", "longest"),
    [([3], 3e-4), ([50_000], 1e-3), ([SHARED], 4e-3), ([3, 20_000, SHARED, 5], 6e-3)],
    ids=["tiny", "without the GIL", "shared", "several kernels"],
)
@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_ctrl_c_finds_every_step_whole(sizes, longest, engine):
    """A timer's signal comes at any moment. Whatever it ends, all elements have made `t` steps."""
    ro.set_threads(3)
    dtypes = ["float64", "float32", "float64", "float64"]
    params = [np.zeros(size, dtype) for size, dtype in zip(sizes, dtypes, strict=False)]
    if len(sizes) > 1:
        params[-1] = np.zeros((5, 2))[:, 0]  # strided: it is copied back after the kernel
    gradients = [np.ones(w.shape, w.dtype) for w in params]

    def counts(w, dw, m, n: ro.Scalar):
        return w - dw, m + dw, n + 1

    optimizer = ro.Optimizer(ro.rule(counts), params, engine=engine)
    optimizer.step(gradients)
    rng, turns, ended = np.random.default_rng(0), 200 if max(sizes) < 100 else 60, 0
    with interruptions():
        for _ in range(turns):
            ended += is_interrupted(lambda: optimizer.step(gradients), rng.uniform(1e-6, longest))
            state = optimizer.state
            assert state["n"] == optimizer.t
            for w, m in zip(params, state["m"], strict=True):
                assert np.all(w == -optimizer.t)
                assert np.all(m == optimizer.t)
    assert ended > turns // 2


class Interrupting:
    """A table of addresses in which a write is the moment of Ctrl-C."""

    def __init__(self, entries):
        self.entries = entries

    def __setitem__(self, place, address):
        self.entries[place] = address
        raise Interrupted


def test_ctrl_c_between_two_gradients_mixes_none_up():
    """The address of one is in the table, and the launch still remembers the other."""
    w, one, other = np.zeros(3), np.ones(3), np.full(3, 100.0)
    optimizer = ro.SGD(w, learning_rate=1.0, engine="cpu")
    optimizer.step(one)
    launch = optimizer._launches[0][0]
    launch._entries = Interrupting(launch._entries)

    with pytest.raises(Interrupted):
        optimizer.step(other)
    optimizer.step(one)

    np.testing.assert_array_equal(w, [-2.0, -2.0, -2.0])
    assert optimizer.t == 2


@pytest.mark.parametrize("count", [0, -1, 1.0, "2", None, True, np.float64(2)])
def test_a_number_of_threads_that_cannot_be_is_refused(count):
    ro.set_threads(3)

    with pytest.raises(EngineError, match="whole number from 1 up"):
        ro.set_threads(count)

    assert threads.threads() == 3


def in_a_new_process(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_the_environment_says_how_many_threads():
    code = "from ruleonce.engines.threads import threads; print(threads())"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    for text, expected in {"5": 5, " 2 ": 2, "": cores}.items():
        assert in_a_new_process(code, RULEONCE_THREADS=text)[:2] == (0, str(expected))


def test_a_wrong_number_in_the_environment_is_refused_before_anything_is_written():
    code = """
import numpy as np, ruleonce as ro
w = [np.zeros(5), np.zeros(1 << 21, "float32")]
opt = ro.SGD(w, learning_rate=1.0, engine="cpu")
for _ in range(2):
    try:
        opt.step([np.ones(5), np.ones(1 << 21, "float32")])
    except ro.RuleonceError as error:
        print(type(error).__name__, error, opt.t, w[0].any(), w[1].any())
ro.set_threads(2)
opt.step([np.ones(5), np.ones(1 << 21, "float32")])
print(w[0][0], w[1][-1])
"""
    for text in ("0", "-1", "two", "1.5", "2 3"):
        status, out, errors = in_a_new_process(code, RULEONCE_THREADS=text)
        lines = out.split("\n")
        assert status == 0, errors
        assert lines[0] == lines[1]
        assert lines[0].startswith("EngineError the environment variable RULEONCE_THREADS is ")
        assert lines[0].endswith("0 False False")
        assert repr(text) in lines[0]
        assert lines[2] == "-1.0 -1.0"


def test_a_process_ends_while_its_pool_waits():
    code = """
import atexit, numpy as np, ruleonce as ro
ro.set_threads(4)
w, dw = np.zeros(1 << 21, "float32"), np.ones(1 << 21, "float32")
opt = ro.SGD(w, learning_rate=1.0, engine="cpu")
opt.step(dw)
atexit.register(lambda: (opt.step(dw), print(w[0], w[-1], flush=True)))
"""
    status, out, errors = in_a_new_process(code)

    assert (status, out) == (0, "-2.0 -2.0"), errors
