"""Engines are found by name and loaded when asked for; kernels are compiled once and then kept."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

import ruleonce as ro
from ruleonce import engines
from ruleonce.emit.names import identifier
from ruleonce.engines import cpu, memory, native, reference
from ruleonce.errors import EngineError


@pytest.fixture
def compiled(monkeypatch):
    """The sources that were compiled since the test began."""
    sources = []
    optimized = native._optimized

    def counted(source, machine):
        sources.append(source)
        return optimized(source, machine)

    monkeypatch.setattr(native, "_optimized", counted)
    return sources


def test_an_engine_is_found_by_its_name():
    assert engines.load("cpu") is cpu
    assert engines.load("reference") is reference
    assert engines.load("auto") is cpu


def test_every_engine_that_is_named_has_a_launch():
    for name in engines.NEEDS:
        assert callable(engines.load(name).launch)


@pytest.mark.parametrize("name", ["gpu", "CPU", " cpu", None, 0])
def test_no_other_name_is_an_engine(name):
    with pytest.raises(EngineError, match="It has auto, cpu, reference"):
        engines.load(name)


def in_a_new_process(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


WITHOUT_LLVMLITE = """
import sys
sys.modules["llvmlite"] = None
import numpy as np, ruleonce as ro
w = np.zeros(3)
"""


def test_without_llvmlite_auto_is_the_reference():
    code = """
opt = ro.SGD(w, learning_rate=0.5)
opt.step(np.ones(3))
print(opt._engine.__name__, w.tolist())
"""
    assert in_a_new_process(WITHOUT_LLVMLITE + code) == (
        "ruleonce.engines.reference [-0.5, -0.5, -0.5]"
    )


def test_without_llvmlite_the_cpu_engine_names_the_command_that_installs_it():
    code = """
for _ in range(2):
    try:
        ro.SGD(w, engine="cpu")
    except ImportError as error:
        print(type(error).__name__, error)
"""
    out = in_a_new_process(WITHOUT_LLVMLITE + code)

    assert out.count("MissingLibraryError the cpu engine needs llvmlite") == 2
    assert "pip install llvmlite" in out
    assert "engine='reference'" in out


def unique(number):
    """A rule whose kernel no other test has."""
    return ro.rule(lambda w, dw, m, *, a=1.0: (w - a * m, m + number * dw))


def test_two_optimizers_of_one_rule_compile_once(compiled):
    rule = unique(0.12481)
    optimizers = [ro.Optimizer(rule, np.ones(n, "float32"), engine="cpu") for n in (3, 70, 3)]
    optimizers[1].hyperparameters["a"] = 0.5  # a number is no part of the kernel

    for optimizer in optimizers:
        for _ in range(3):
            optimizer.step(np.ones(optimizer.params.shape, "float32"))

    assert len(compiled) == 1


def test_two_rules_of_one_formula_compile_once(compiled):
    for _ in range(2):
        ro.Optimizer(unique(0.12482), np.ones(3), engine="cpu").step(np.ones(3))

    assert len(compiled) == 1


def test_each_set_of_dtypes_and_each_switch_is_a_kernel(compiled):
    rule = ro.rule(lambda w, dw, *, up=False: w + 0.12483 * dw if up else w - 0.12483 * dw)
    w = [np.ones(3), np.ones(4), np.ones(5, "float32")]
    optimizer = ro.Optimizer(rule, w, engine="cpu")

    optimizer.step(w)
    assert len(compiled) == 2  # float64, float32
    optimizer.step([np.ones(3), np.ones(4, "float32"), np.ones(5, "float32")])
    assert len(compiled) == 3  # float64 with float32
    optimizer.hyperparameters["up"] = True
    optimizer.step([np.ones(3), np.ones(4), np.ones(5, "float32")])
    assert len(compiled) == 5
    optimizer.hyperparameters["up"] = False
    optimizer.step([np.ones(3), np.ones(4), np.ones(5, "float32")])
    assert len(compiled) == 5


def test_making_an_optimizer_compiles_nothing(compiled):
    ro.Optimizer(unique(0.12484), np.ones(3), engine="cpu")

    assert compiled == []


def test_1000_optimizers_of_distinct_shapes_leave_one_kernel_and_no_memory(compiled):
    rule = unique(0.12485)
    kept = native._compile.cache_info().currsize
    launches = []

    for size in range(1, 1001):
        weights = np.ones((size % 7 + 1, size), "float32")
        optimizer = ro.Optimizer(rule, weights, engine="cpu")
        optimizer.step(weights.copy())
        launches.append(weakref.ref(optimizer._launches[0][0]))
    del optimizer
    gc.collect()

    assert len(compiled) == 1
    assert native._compile.cache_info().currsize == min(kept + 1, native._KEPT)
    assert not any(launch() for launch in launches)


def test_a_shared_step_keeps_no_launch_alive():
    w = np.zeros(1 << 20, "float32")
    optimizer = ro.SGD(w, engine="cpu")
    optimizer.step(np.ones(1 << 20, "float32"))
    launch = weakref.ref(optimizer._launches[0][0])

    del optimizer
    gc.collect()

    assert launch() is None


def test_a_kernel_that_left_the_cache_lives_on_in_its_optimizer(monkeypatch):
    w = np.zeros(3)
    optimizer = ro.Optimizer(unique(1.0), w, engine="cpu")
    optimizer.step(np.ones(3))

    native._compile.cache_clear()
    gc.collect()
    ro.Optimizer(unique(2.0), np.zeros(3), engine="cpu").step(np.ones(3))
    optimizer.step(np.ones(3))

    np.testing.assert_array_equal(w, [-1.0, -1.0, -1.0])  # the velocity moves it one step later


def test_two_kernels_do_not_free_each_others_compiler():
    """LLVM's execution engine takes its target machine over, so each needs one of its own."""
    code = """
import gc
import numpy as np, ruleonce as ro
from ruleonce.engines import native
for number in range(4):
    w = np.zeros(3)
    rule = ro.rule(lambda w, dw: w - (number + 0.5) * dw)
    ro.Optimizer(rule, w, engine="cpu").step(np.ones(3))
    native._compile.cache_clear()
    gc.collect()
    print(w[0])
"""
    assert in_a_new_process(code).split() == ["-0.5", "-1.5", "-2.5", "-3.5"]


def test_a_launch_shows_the_source_of_its_kernel():
    optimizer = ro.SGD(np.ones(3), engine="cpu")
    optimizer.step(np.ones(3))

    source = optimizer._launches[0][0].source

    assert "; sgd: w float64, dw float64; computed in float64" in source
    assert identifier("sgd") in native.assembly(source)


def test_the_processor_is_known():
    name, features = native.processor()

    assert name
    assert features == tuple(sorted(features))


def test_the_engines_agree_when_run_side_by_side():
    """One optimizer each over equal weights; the two share no state."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=1000).astype("float32")
    both = [ro.Adam(start.copy(), engine=name) for name in ("cpu", "reference")]

    for _ in range(10):
        dw = rng.normal(size=1000).astype("float32")
        for optimizer in both:
            optimizer.step(dw)

    np.testing.assert_array_equal(both[0].params, both[1].params)


# -- Where arrays lie


def test_regions_are_the_blocks_of_memory_of_arrays():
    base = np.zeros(100, np.uint8)
    at = base.ctypes.data
    regions = memory.Regions([base[10:20], base[40:60:2], base[41:61:2], base[70:70], base[20:30]])

    touched = [i for i in range(100) if regions.touch(at + i, 1)]

    assert touched == [*range(10, 30), *range(40, 60)]
    assert regions.touch(at, 11)
    assert not regions.touch(at, 10)
    assert not regions.touch(at + 15, 0)
    assert regions.touch(at + 5, 90)
    assert not memory.Regions([]).touch(at, 100)


def test_one_array_inside_another_does_not_hide_its_end():
    base = np.zeros(100, np.uint8)
    regions = memory.Regions([base[10:90:2], base[21:31:2]])

    assert regions.touch(base.ctypes.data + 80, 1)


def bytes_of(array):
    """The addresses of the bytes of each element, one set an element."""
    views = [array[(*index, ...)] for index in np.ndindex(array.shape)]
    starts = [view.__array_interface__["data"][0] for view in views]
    return [set(range(start, start + array.itemsize)) for start in starts]


@pytest.mark.parametrize("seed", range(100))
def test_overlaps_are_found_as_by_counting_bytes(seed):
    """Random shapes and strides, some of which meet themselves or one another."""
    rng = np.random.default_rng(seed)
    base = np.zeros(4000, np.uint8)
    arrays = []
    for _ in range(3):
        shape = tuple(rng.integers(1, 5, rng.integers(0, 4)))
        strides = tuple(rng.integers(-9, 10, len(shape)) * rng.choice([1, 4]))
        start = 2000 + rng.integers(-60, 60)
        first = base[start : start + 4].view(rng.choice(["u1", "u4"]))
        arrays.append(np.lib.stride_tricks.as_strided(first, shape, strides))

    own = [set().union(*bytes_of(array)) for array in arrays]
    for array, distinct in zip(arrays, own, strict=True):
        assert memory.overlaps_itself(array) == (len(distinct) < array.nbytes)
    meeting = {(i, j) for j in range(3) for i in range(j) if own[i] & own[j]}
    found = memory.overlapping(arrays)
    assert found in meeting if meeting else found is None


def test_an_address_is_that_of_the_first_element():
    base = np.arange(10.0)
    frozen = base.view()
    frozen.flags.writeable = False

    for array in (base, base[3:], base[::2], base[::-1], frozen, base.reshape(2, 5).T):
        at = memory.address(array)
        assert at == array.__array_interface__["data"][0]
    assert memory.address(base[::-1]) == memory.address(base) + 72
