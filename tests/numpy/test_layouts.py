"""Arrays as they come: any layout of weights and gradients, and gradients that share memory.

The expectation is the reference engine, which calls the plain rule on NumPy arrays: the cpu engine
gives its bits, and leaves what lies between the elements of a slice alone.
"""

import pickle

import numpy as np
import pytest
from ml_dtypes import bfloat16

import ruleonce as ro

SHAPE = (6, 10)


def buffer(dtype="float32", size=4096):
    return np.random.default_rng(3).normal(size=size).astype(dtype)


def unaligned(base, shape):
    """An array that starts one byte into `base`."""
    raw = base.view(np.uint8)[1 : 1 + base.itemsize * int(np.prod(shape))]
    array = raw.view(base.dtype).reshape(shape)
    array[...] = np.random.default_rng(5).normal(size=shape)
    return array


# Each takes a one-dimensional base, and gives an array in its memory.
LAYOUTS = {
    "C": lambda b: b[:60].reshape(SHAPE),
    "in the middle": lambda b: b[7:67].reshape(SHAPE),
    "Fortran": lambda b: b[:60].reshape(SHAPE, order="F"),
    "transposed": lambda b: b[:60].reshape(SHAPE[::-1]).T,
    "every other column": lambda b: b[:120].reshape(6, 20)[:, ::2],
    "every other row": lambda b: b[:120].reshape(12, 10)[::2],
    "a block of a matrix": lambda b: b[:400].reshape(20, 20)[3:9, 5:15],
    "a block, transposed": lambda b: b[:400].reshape(20, 20)[5:15, 3:9].T,
    "columns backwards": lambda b: b[:60].reshape(SHAPE)[:, ::-1],
    "all backwards": lambda b: b[:60].reshape(SHAPE)[::-1, ::-1],
    "three dimensions": lambda b: b[:210].reshape(5, 6, 7).transpose(2, 0, 1),
    "middle axis sliced": lambda b: b[:210].reshape(5, 6, 7)[:, 1::2, :],
    "size-1 dimensions": lambda b: b[:12].reshape(1, 12, 1),
    "size-1 of a slice": lambda b: b[:60].reshape(SHAPE)[:, 3:4],
    "odd strides of size-1": lambda b: b[:60].reshape(SHAPE)[2:3, ::3],
    "one element": lambda b: b[5:6],
    "0-d": lambda b: b[5:6].reshape(()),
    "0-d of a slice": lambda b: b[:60].reshape(SHAPE)[2, 3, ...],
    "(0,)": lambda b: b[:0],
    "(0, 5)": lambda b: b[:0].reshape(0, 5),
    "(5, 0) of a slice": lambda b: b[:60].reshape(SHAPE)[:5, 4:4],
    "unaligned": lambda b: unaligned(b, SHAPE),
    "unaligned 0-d": lambda b: unaligned(b, ()),
    "byte-swapped": lambda b: b.view(b.dtype.newbyteorder())[:60].reshape(SHAPE),
    "byte-swapped slice": lambda b: b.view(b.dtype.newbyteorder())[:120].reshape(6, 20)[:, ::2],
}
SWAPPED = [name for name in LAYOUTS if "swapped" in name]


def fill(array):
    array[...] = np.random.default_rng(11).normal(size=array.shape)
    return array


def stepped(engine, make, gradients_of, steps=3, **options):
    """The base and the state after some steps on weights that `make` finds in a fresh base.

    `gradients_of(weights, step)` gives the gradient.
    """
    base = buffer(**options)
    weights = fill(make(base))
    optimizer = ro.Adam(weights, learning_rate=0.25, engine=engine)
    for step in range(steps):
        optimizer.step(gradients_of(weights, step))
    return base, [optimizer.state["m"], optimizer.state["v"]], weights


def assert_engines_agree(make, gradients_of, **options):
    """The whole base is compared, and with it what surrounds the weights."""
    cpu = stepped("cpu", make, gradients_of, **options)
    reference = stepped("reference", make, gradients_of, **options)

    assert cpu[0].tobytes() == reference[0].tobytes()
    for got, expected in zip(cpu[1], reference[1], strict=True):
        np.testing.assert_array_equal(got, expected, strict=True)
    return cpu


def plain_gradient(weights, step):
    values = np.random.default_rng(step).normal(size=weights.shape)
    return values.astype(weights.dtype.newbyteorder("="))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_of_any_layout_get_the_bits_of_the_reference(layout, dtype):
    base, _, weights = assert_engines_agree(LAYOUTS[layout], plain_gradient, dtype=dtype)

    untouched = buffer(dtype)
    start = fill(LAYOUTS[layout](untouched)).copy()
    if weights.size:
        assert np.all(weights != start)
    LAYOUTS[layout](untouched)[...] = weights
    assert base.tobytes() == untouched.tobytes()  # only the weights have changed


@pytest.mark.parametrize("weights", LAYOUTS)
def test_a_contiguous_array_is_updated_the_same(weights):
    """The layout of the weights does not show in the numbers."""
    _, _, odd = stepped("cpu", LAYOUTS[weights], plain_gradient)
    _, _, even = stepped("cpu", lambda b: np.empty(odd.shape, "float32"), plain_gradient)

    np.testing.assert_array_equal(odd, even)


@pytest.mark.parametrize("gradient", [k for k, f in LAYOUTS.items() if f(buffer()).shape == SHAPE])
@pytest.mark.parametrize("weights", ["C", "Fortran", "every other column", "all backwards"])
def test_a_gradient_of_another_layout_than_its_weights_is_read_right(weights, gradient):
    def gradients_of(_, step):
        dw = LAYOUTS[gradient](np.random.default_rng(step).normal(size=4096).astype("float32"))
        if "unaligned" not in gradient:
            dw[...] = np.random.default_rng(step).normal(size=dw.shape)
        return dw

    assert_engines_agree(LAYOUTS[weights], gradients_of)


@pytest.mark.parametrize("layout", SWAPPED)
def test_byte_swapped_gradients_of_byte_swapped_weights_are_read_right(layout):
    """`np.zeros_like(w)` has the very dtype object of `w`."""

    def gradients_of(weights, step):
        dw = np.zeros_like(weights)
        dw[...] = 2.0
        assert dw.dtype is weights.dtype
        return dw

    _, _, weights = assert_engines_agree(LAYOUTS[layout], gradients_of)

    start = fill(LAYOUTS[layout](buffer()))
    np.testing.assert_allclose(weights, start - 0.75, atol=1e-6)  # Adam: 3 steps of the rate


@pytest.mark.parametrize(("layout", "copies"), [("C", 0), ("unaligned", 1), ("transposed", 1)])
def test_a_kernel_reads_only_what_is_aligned_and_in_its_order(layout, copies):
    """Many processors forgive an unaligned read, so the copy is looked for, not its effect."""
    optimizer = ro.SGD(np.zeros(SHAPE, "float32"), engine="cpu")

    optimizer.step(LAYOUTS[layout](buffer()))

    assert len(optimizer._launches[0][0]._copies) == copies


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", bfloat16])
def test_a_gradient_may_be_read_only_or_broadcast(dtype):
    def read_only(weights, step):
        dw = plain_gradient(weights, step).astype(dtype)
        dw.flags.writeable = False
        return dw

    assert_engines_agree(LAYOUTS["C"], read_only)
    assert_engines_agree(LAYOUTS["C"], lambda w, t: np.broadcast_to(np.asarray(0.5, dtype), SHAPE))
    assert_engines_agree(
        LAYOUTS["C"], lambda w, t: np.broadcast_to(np.arange(10, dtype="f4").astype(dtype), SHAPE)
    )


def test_a_read_only_gradient_is_read_anew_at_each_step():
    """The same object with other numbers."""
    values = np.ones(5)
    dw = values.view()
    dw.flags.writeable = False
    w = np.zeros(5)
    optimizer = ro.SGD(w, learning_rate=1.0, engine="cpu")

    for number in (1.0, 2.0, 4.0):
        values[:] = number
        optimizer.step(dw)

    np.testing.assert_array_equal(w, np.full(5, -7.0))


SHARED = {
    "the weights": lambda base: (base[100:200], base[100:200]),
    "a view of the weights": lambda base: (base[100:200], base[100:200].view()),
    "a read-only view": lambda base: (base[100:200], np.broadcast_to(base[100:200], (100,))),
    "shifted by one forwards": lambda base: (base[100:200], base[101:201]),
    "shifted by one backwards": lambda base: (base[100:200], base[99:199]),
    "shifted by half a vector": lambda base: (base[100:200], base[103:203]),
    "the last element shared": lambda base: (base[100:200], base[199:299]),
    "the first element shared": lambda base: (base[100:200], base[1:101]),
    "the weights backwards": lambda base: (base[100:200], base[100:200][::-1]),
    "strided weights in it": lambda base: (base[100:300:2], base[150:250]),
    "it strided in the weights": lambda base: (base[100:200], base[100:300:2]),
    "touching, not sharing": lambda base: (base[100:200], base[200:300]),
}


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("case", SHARED)
def test_a_gradient_that_shares_memory_with_the_weights_is_read_as_it_was(case, engine):
    """All of the gradient is read before any of the weights is written: w - g, elementwise."""
    base = buffer("float64")
    weights, gradient = SHARED[case](base)
    optimizer = ro.SGD(weights, learning_rate=0.5, engine=engine)

    for _ in range(3):
        expected = weights - 0.5 * gradient.copy()
        optimizer.step(gradient)
        np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("name", ["m", "v"])
def test_a_gradient_that_is_the_state_is_read_as_it_was(name):
    results = []
    for engine in ("cpu", "reference"):
        weights = buffer("float64", 300)
        optimizer = ro.Adam(weights, learning_rate=0.25, engine=engine)
        optimizer.step(np.linspace(-1, 1, 300))
        for _ in range(3):
            optimizer.step(optimizer.state[name])
        results.append((weights, *optimizer.state.values()))

    for got, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_gradient_in_the_state_of_another_parameter_is_read_as_it_was():
    """The first parameter's kernel has written its state by the time the second is done."""
    results = []
    for engine in ("cpu", "reference"):
        first, second = buffer("float64", 500), buffer("float64", 200)
        optimizer = ro.Momentum([first, second], learning_rate=0.25, engine=engine)
        optimizer.step([np.sin(first), np.cos(second)])
        for _ in range(3):
            optimizer.step([np.ones(500), optimizer.state["m"][0][123:323]])
        results.append(second)

    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_a_gradient_in_the_strided_weights_of_another_dtype_is_read_as_it_was(engine):
    """Two dtypes are two kernel calls, and the first writes where the second's gradient lies."""
    base, other = np.ones((10, 2), "float32"), np.ones(10)
    optimizer = ro.SGD([base[:, 0], other], learning_rate=0.5, engine=engine)

    optimizer.step([np.ones(10, "float32"), base[2:7].reshape(-1)])

    np.testing.assert_array_equal(other, np.full(10, 0.5))
    np.testing.assert_array_equal(base, np.tile([[0.5, 1.0]], (10, 1)))


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_the_same_gradient_for_several_parameters_is_fine(engine):
    weights = [np.zeros(100) for _ in range(3)]
    optimizer = ro.SGD(weights, learning_rate=1.0, engine=engine)
    dw = np.arange(100.0)

    optimizer.step([dw, dw, dw])

    for w in weights:
        np.testing.assert_array_equal(w, -dw)


@pytest.mark.parametrize("mode", ["r+", "w+", "c"])
def test_memory_mapped_weights_are_updated_in_place(tmp_path, mode):
    path = tmp_path / "weights"
    np.arange(1000.0).tofile(path)
    weights = np.memmap(path, "float64", mode, shape=(1000,))
    if mode == "w+":
        weights[:] = np.arange(1000)
    optimizer = ro.SGD(weights, learning_rate=1.0, engine="cpu")

    optimizer.step(np.ones(1000))
    optimizer.step(np.memmap(path, "float64", "r", shape=(1000,)))
    weights.flush()

    # The gradient is what the file holds: a private map ("c") has left it as it was.
    expected = np.full(1000, -1.0 if mode == "c" else 0.0)
    np.testing.assert_array_equal(weights, expected)
    on_disk = np.fromfile(path)
    np.testing.assert_array_equal(on_disk, np.arange(1000.0) if mode == "c" else expected)


@pytest.mark.parametrize(
    "kind", [np.memmap, np.matrix, np.recarray, type("Mine", (np.ndarray,), {})]
)
def test_subclasses_of_arrays_are_arrays(kind):
    w = np.zeros((2, 3))
    dw = np.ones((2, 3)).view(kind)

    ro.SGD(w.view(kind), learning_rate=1.0).step(dw)

    np.testing.assert_array_equal(w, -np.ones((2, 3)))


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_dtypes_may_differ_between_parameters(engine):
    dtypes = ["float64", "float32", "float16", bfloat16, "float32", "float64"]
    weights = [np.full(33, i + 1, dtype) for i, dtype in enumerate(dtypes)]
    optimizer = ro.SGD(weights, learning_rate=0.5, engine=engine)

    optimizer.step([np.full(33, 2 * i, dtype) for i, dtype in enumerate(dtypes)])

    for i, (w, dtype) in enumerate(zip(weights, dtypes, strict=True)):
        np.testing.assert_array_equal(w, np.ones(33, dtype), strict=True, err_msg=str(i))


def test_many_parameters_of_mixed_dtypes_get_the_bits_of_the_reference():
    results = []
    for engine in ("cpu", "reference"):
        rng = np.random.default_rng(0)
        dtypes = [("float64", "float32", "float16", bfloat16)[i] for i in rng.integers(0, 4, 40)]
        weights = [rng.normal(size=rng.integers(0, 50)).astype(dtype) for dtype in dtypes]
        optimizer = ro.Adam(weights, learning_rate=0.1, engine=engine)
        for _ in range(3):
            optimizer.step([rng.normal(size=w.shape).astype(w.dtype) for w in weights])
        results.append(weights)

    for got, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(got, expected, strict=True)


def test_the_dtype_of_a_gradient_may_change_between_steps():
    """Each way: the same array again, then another dtype, then the first array once more."""
    results = []
    for engine in ("cpu", "reference"):
        rng = np.random.default_rng(0)
        w = [rng.normal(size=100).astype("float32"), rng.normal(size=70).astype("float32")]
        optimizer = ro.Adam(w, learning_rate=0.1, engine=engine)
        kept = [rng.normal(size=x.shape).astype("float32") for x in w]
        for dtypes in ["ff", "ff", "df", "ff", "dd", "ed", "ff", "fd", "ff"]:
            fresh = [rng.normal(size=x.shape).astype(d) for x, d in zip(w, dtypes, strict=True)]
            optimizer.step(kept if dtypes == "ff" else fresh)
        results.append(w)

    for got, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_gradients_that_come_and_go_are_never_mixed_up():
    """Arrays that are freed at once, so that new ones lie where the old ones lay."""
    w = np.zeros(50)
    optimizer = ro.SGD(w, learning_rate=1.0, engine="cpu")
    kept = np.full(50, 0.5)
    expected = 0.0

    for step in range(200):
        number = float(step % 7)
        optimizer.step(np.full(50, number))
        optimizer.step(kept)
        expected -= number + 0.5

    np.testing.assert_array_equal(w, np.full(50, expected))


def test_an_array_that_was_unpickled_has_a_dtype_of_its_own_and_works():
    w, dw = (pickle.loads(pickle.dumps(np.ones(5, "float32"))) for _ in range(2))  # noqa: S301
    optimizer = ro.SGD(w, learning_rate=0.5, engine="cpu")

    optimizer.step(dw)
    optimizer.step(np.ones(5, "float32"))

    np.testing.assert_array_equal(w, np.zeros(5, "float32"))


@pytest.mark.parametrize("params", [[], {}, (), [[], {}]])
def test_no_parameters_at_all_is_fine(params):
    optimizer = ro.Adam(params)

    optimizer.step(params)

    assert optimizer.t == 1
    assert optimizer.state == {"m": params, "v": params}
