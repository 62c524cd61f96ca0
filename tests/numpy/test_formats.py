"""formats= of an optimizer: which tensors are stored how, what it saves, and that it trains."""

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import CheckpointError, FormatError, TensorTypeError, UnknownNameError
from ruleonce.formats import Choice, int8, uint8_sqrt

RNG = np.random.default_rng(0)


def tree():
    return {
        "embedding": RNG.normal(size=(100, 77)).astype(np.float32),
        "layer": np.asfortranarray(RNG.normal(size=(80, 60)).astype(np.float32)),
        "bias": RNG.normal(size=50).astype(np.float32),
    }


def steps(count, *optimizers):
    for _ in range(count):
        gradients = tree()
        for optimizer in optimizers:
            optimizer.step(gradients)


def test_small_parameters_and_those_of_a_pattern_keep_their_state_in_full():
    optimizer = ro.Adam(tree(), formats=Choice("8bit", full=["embed*"]))
    kept = {name: arrays["m"].dtype.name for name, arrays in optimizer.stored.items()}

    assert kept == {"embedding": "float32", "layer": "int8", "bias": "float32"}


def test_state_and_weights_take_as_many_bytes_as_they_should():
    weights = np.zeros(1 << 20, np.float32)
    eight = ro.Adam(weights, formats="8bit")
    assert eight.nbytes / weights.size <= 2.1
    narrow = weights.astype(ml_dtypes.bfloat16)
    chosen = {"m": "int8", "v": "uint8_sqrt", "w": "bfloat16+8"}
    less = ro.Adam(narrow, formats=chosen)
    assert (less.nbytes + narrow.nbytes) / weights.size <= 5.1
    assert less.nbytes_of["w.error"] == weights.size


def test_a_step_is_the_one_in_float32_but_for_what_8_bits_leave_out():
    plain = ro.Adam(tree())
    eight = ro.Adam(copy.deepcopy(plain.params), formats="8bit")
    steps(100, plain, eight)

    for name, weights in plain.params.items():
        far = np.max(np.abs(weights - eight.params[name]))
        assert far < 2e-3, name  # two steps of the learning rate, of a hundred
        if name != "bias":
            assert far > 0


def test_a_file_is_smaller_and_goes_on_exactly(tmp_path):
    optimizer, plain = ro.Adam(tree(), formats="8bit"), ro.Adam(tree())
    steps(5, optimizer, plain)
    optimizer.save(tmp_path / "eight")
    plain.save(tmp_path / "plain")
    twin = ro.Adam(tree(), formats="8bit")
    twin.load(tmp_path / "eight")
    steps(5, optimizer, twin)

    for name, weights in optimizer.params.items():
        np.testing.assert_array_equal(weights, twin.params[name])
    state = [(tmp_path / x).stat().st_size - 4 * 12550 for x in ("eight", "plain")]
    assert state[0] < 0.3 * state[1]


def test_files_are_converted_between_formats_and_layouts(tmp_path):
    eight, plain = ro.Adam(tree(), formats="8bit"), ro.Adam(tree())
    steps(5, eight, plain)
    eight.save(tmp_path / "eight")
    plain.save(tmp_path / "plain")

    expanded = ro.Adam(tree())
    expanded.load(tmp_path / "eight")
    for name in expanded.params:
        np.testing.assert_array_equal(expanded.state["m"][name], eight.state["m"][name])

    reduced = ro.Adam(tree(), formats="8bit")
    reduced.load(tmp_path / "plain")
    turned = {name: np.ascontiguousarray(x) for name, x in tree().items()}
    other = ro.Adam(turned, formats="8bit")
    other.load(tmp_path / "eight")
    for name in expanded.params:
        most = np.max(np.abs(plain.state["m"][name]))
        assert np.max(np.abs(reduced.state["m"][name] - plain.state["m"][name])) < 0.01 * most
        assert np.max(np.abs(other.state["m"][name] - eight.state["m"][name])) < 0.012 * most


def test_a_file_with_a_format_that_is_not_known_is_refused(tmp_path, monkeypatch):
    optimizer = ro.Adam(tree(), formats="8bit")
    optimizer.save(tmp_path / "eight")
    monkeypatch.delitem(ro.formats.choice.STORAGES, "int8")

    with pytest.raises(CheckpointError, match="'int8', which is none of"):
        ro.Adam(tree()).load(tmp_path / "eight")


def test_copies_and_pickles_go_on_as_the_optimizer_does():
    optimizer = ro.Adam(tree(), formats="8bit")
    steps(3, optimizer)
    twins = copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))  # noqa: S301  (our own)
    steps(3, optimizer, *twins)

    for twin in twins:
        for name, weights in optimizer.params.items():
            np.testing.assert_array_equal(weights, twin.params[name])


def test_arrays_of_any_layout_are_stored_in_the_order_of_their_memory():
    values = RNG.normal(size=(200, 150)).astype(np.float32)
    gradient = RNG.normal(size=(200, 150)).astype(np.float32)
    strided = np.zeros((200, 300), np.float32)[:, ::2]
    strided[...] = values
    found = []
    for weights in (values.copy(), strided):
        optimizer = ro.Adam(weights, formats="8bit")
        for _ in range(3):
            optimizer.step(np.asfortranarray(gradient))
        found.append(weights)
    np.testing.assert_array_equal(*found)

    turned = [np.asfortranarray(values) for _ in range(2)]
    for weights, engine in zip(turned, ("cpu", "reference"), strict=True):
        optimizer = ro.Adam(weights, formats="8bit", engine=engine)
        for _ in range(3):
            optimizer.step(gradient)
    np.testing.assert_array_equal(*turned)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", ["normal", "log-normal", "embedding"])
def test_no_step_explodes_where_a_history_rounds_to_0(kind, scale):
    """m = g and v = g**2 are stored; the step m / sqrt(v) would be 1 everywhere."""
    gradient = RNG.normal(size=1 << 20)
    if kind == "log-normal":
        gradient *= np.exp(3 * RNG.normal(size=gradient.shape))
    if kind == "embedding":
        gradient[RNG.random(gradient.shape) > 0.02] = 0.0
    gradient = (gradient * scale).astype(np.float32)
    m = int8().from_parts(int8().to_parts(gradient))
    square = gradient.astype(np.float64) ** 2  # v of float32 is 0 below 1e-23
    root = np.sqrt(uint8_sqrt().from_parts(uint8_sqrt().to_parts(square), np.float64))
    moved = root > 0

    assert np.all(m[~moved] == 0)
    assert np.max(np.abs(m[moved]) / root[moved]) <= 1.1


def test_a_gradient_that_is_not_finite_spoils_its_block_alone():
    weights = np.ones(1024, np.float32)
    optimizer = ro.Adam(weights, formats=Choice("8bit", 0))
    gradient = np.ones(1024, np.float32)
    gradient[200] = np.nan
    optimizer.step(gradient)
    assert np.isnan(weights).sum() == 1
    optimizer.step(np.ones(1024, np.float32))

    assert np.array_equal(np.flatnonzero(np.isnan(weights)), np.arange(128, 256))


@pytest.mark.parametrize(
    ("formats", "error", "words"),
    [
        ("9bit", FormatError, "must be '8bit'"),
        ({"q": "int8"}, UnknownNameError, "no tensor 'q'"),
        ({"m": "int9"}, FormatError, "no format 'int9'; did you mean 'int8'"),
        ({"m": int8(64), "v": uint8_sqrt(128)}, FormatError, "m 64, v 128 elements"),
        ({"w": "bfloat16+8"}, TensorTypeError, "first part: bfloat16. They are float32"),
        ({"w": "float16+16"}, TensorTypeError, "Convert them: w.astype\\('float16'\\)"),
        ({"w": "bfloat16"}, FormatError, "updated in place"),
    ],
)
def test_formats_that_cannot_be_are_refused_before_anything_is_written(formats, error, words):
    weights = tree()
    before = copy.deepcopy(weights)

    with pytest.raises(error, match=words):
        ro.Adam(weights, formats=formats).step(tree())
    for name, array in weights.items():
        np.testing.assert_array_equal(array, before[name])


def test_master_weights_come_in_and_go_out():
    masters = RNG.normal(size=5000).astype(np.float32)
    weights = masters.astype(ml_dtypes.bfloat16)
    optimizer = ro.Adam(weights, formats={"w": "bfloat16+16"})
    assert not np.array_equal(optimizer.masters, masters)
    optimizer.masters = masters

    np.testing.assert_array_equal(optimizer.masters, masters)
    with pytest.raises(ValueError, match="shape"):
        optimizer.masters = masters[:10]


def test_state_that_forgets_is_stored_in_8_bits_and_no_other():
    chosen = {
        rule.name: {state: s.name for state, s in ro.formats.choice.eight_bits(rule, {}).items()}
        for rule in ro.rules.ALL
    }

    assert chosen["adam"] == {"m": "int8", "v": "uint8_sqrt"}
    assert chosen["lamb"] == {"m": "int8", "v": "uint8_sqrt"}
    assert chosen["amsgrad"] == {"m": "int8", "v": "uint8_sqrt"}  # not the largest
    assert chosen["adagrad"] == {}  # its sum only grows
    assert chosen["schedule_free_sgd"] == {}  # z is a copy of the weights
    assert chosen["rprop"] == {"previous": "int8"}


def test_threads_meet_between_blocks():
    """Where they shared a block, both would write its scale, each from its own half."""
    sizes = (300_001, 77, 700_003)
    found = []
    for count in (1, 3):
        ro.set_threads(count)
        rng = np.random.default_rng(0)
        weights = [rng.normal(size=size).astype(np.float32) for size in sizes]
        optimizer = ro.Adam(weights, formats=Choice("8bit", 0))
        for _ in range(3):
            optimizer.step([rng.normal(size=size).astype(np.float32) for size in sizes])
        found.append([array for arrays in optimizer.stored.values() for array in arrays.values()])

    for alone, shared in zip(*found, strict=True):
        np.testing.assert_array_equal(alone, shared)


def test_error_bits_of_weights_with_strides_are_their_own():
    masters = RNG.normal(size=(100, 60)).astype(np.float32)
    weights = np.zeros((60, 200), ml_dtypes.bfloat16)[:, ::2].T
    optimizer = ro.Adam(weights, formats={"w": "bfloat16+16"})
    optimizer.masters = masters
    plain = ro.Adam(masters.copy())
    for _ in range(3):
        gradient = RNG.normal(size=masters.shape).astype(np.float32)
        optimizer.step(gradient)
        plain.step(gradient)

    np.testing.assert_array_equal(optimizer.masters, plain.params)


def test_a_copy_that_lies_in_another_order_keeps_its_state():
    weights = np.zeros((160, 400), np.float32)[:, ::2].T
    optimizer = ro.Adam(weights, formats="8bit")
    gradient = RNG.normal(size=weights.shape) * np.exp(np.arange(200) / 20)[:, None]
    optimizer.step(gradient.astype(np.float32))
    twin = copy.deepcopy(optimizer)
    assert twin.params.flags.f_contiguous

    for state in ("m", "v"):
        values = optimizer.state[state]
        apart = np.abs(np.sqrt(np.abs(twin.state[state])) - np.sqrt(np.abs(values)))
        assert np.max(apart) < 0.1 * np.sqrt(np.max(np.abs(values)))
