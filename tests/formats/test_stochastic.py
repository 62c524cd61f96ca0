"""Rounding by chance: right on the average, and the same bits wherever it is done."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ruleonce as ro
from ruleonce.errors import FormatError
from ruleonce.formats import (
    BFLOAT16,
    FLOAT32,
    INT8,
    Choice,
    Part,
    Storage,
    bfloat16_stochastic,
    block_max,
    integer,
    number,
    per_block,
    uint8_sqrt_stochastic,
)
from ruleonce.formats.random_bits import random_bits
from ruleonce.language.bits import INDEX
from ruleonce.language.graph import Graph, evaluate

COUNT = 1 << 16


def drawn(tensor="w", seed=0, t=1, count=COUNT):
    """The random bits of a tensor at a step."""
    graph = Graph()
    node = random_bits(graph, tensor, seed).node
    inputs = {INDEX: np.arange(count, dtype=np.int32), "t": t}
    with np.errstate(over="ignore"):
        return evaluate([node], inputs, np, np.float32)[0].view(np.uint32)


STREAMS = {
    "step 1": {},
    "step 2": {"t": 2},
    "step 3": {"t": 3},
    "a million steps": {"t": 1_000_000},
    "m": {"tensor": "m"},
    "v": {"tensor": "v"},
    "seed 1": {"seed": 1},
    "a large seed": {"seed": 2**63 + 5},
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_the_lower_16_bits_are_uniform(stream):
    counts = np.bincount(drawn(**stream) % 65536 // 64, minlength=1024)

    expected = COUNT / 1024
    square = np.sum((counts - expected) ** 2) / expected
    assert abs(square - 1023) < 5 * np.sqrt(2 * 1023)


def test_each_bit_is_as_often_0_as_1_and_no_two_streams_agree():
    streams = [drawn(**stream) for stream in STREAMS.values()]
    streams += [streams[a] ^ streams[b] for a in range(len(STREAMS)) for b in range(a)]
    streams += [streams[0][:-by] ^ streams[0][by:] for by in (1, 2, 16, 1024)]
    for stream in streams:
        ones = np.unpackbits(stream.view(np.uint8).reshape(-1, 4), axis=1).mean(0)
        assert np.max(np.abs(ones - 0.5)) < 5 * 0.5 / np.sqrt(len(stream))


def test_a_seed_has_the_same_bits_in_every_release():
    assert drawn(count=4).tolist() == [2720102512, 1641263386, 3990186017, 1738481610]
    assert drawn(tensor="m", seed=7, t=100, count=2).tolist() == [3048962087, 3436033433]


def last_of(storage, values, steps=1, engine="cpu"):
    """What is stored of a tensor of these values, at each step."""

    @ro.rule
    def take(w, dw, m):
        return w, dw

    weights = np.zeros(values.shape, np.float32)
    optimizer = ro.Optimizer(take, weights, engine=engine, formats={"m": storage})
    found = []
    for _ in range(steps):
        optimizer.step(values)
        found.append(optimizer.stored[""]["m"].astype(np.float64))
    return np.array(found)


@pytest.mark.parametrize("cut", [1, 0x2000, 0x8000, 0xC001, 0xFFFF])
@pytest.mark.parametrize("upper", [0x3F80, 0xBF7F, 0x0000, 0x8001, 0x7F00])
def test_a_number_goes_up_as_often_as_it_should(upper, cut):
    values = np.full(COUNT, upper << 16 | cut, np.uint32).view(np.float32)
    low, high = (np.uint32((upper + by) << 16).view(np.float32) for by in (0, 1))
    found = last_of(bfloat16_stochastic(), values, 4)

    assert np.all((found == low) | (found == high))
    chance = cut / 65536
    error = np.mean(found == high) - chance
    assert abs(error) < 5 * np.sqrt(chance * (1 - chance) / found.size) + 1e-5


@given(arrays(np.uint32, 64, elements=st.integers(0, 2**32 - 1)), st.integers(0, 2**32))
def test_a_number_stays_or_goes_to_a_neighbour(pattern, seed):
    values = pattern.view(np.float32)
    storage = bfloat16_stochastic(seed)
    (stored,) = storage.to_parts(values)
    upper = stored.view(np.uint16).astype(np.int64)

    numbers = ~np.isnan(values)
    assert np.array_equal(np.isnan(stored.astype(np.float32)), ~numbers)
    step = (upper - (pattern >> 16))[numbers]
    assert np.all((step == 0) | (step == 1) & ((pattern & 0xFFFF)[numbers] > 0))
    (again,) = storage.to_parts(storage.from_parts([stored]))
    assert np.array_equal(again.view(np.uint16)[numbers], stored.view(np.uint16)[numbers])


def test_inf_and_what_is_exact_stay_and_beyond_the_largest_is_the_largest_or_inf():
    largest = float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)
    exact = np.array([0.0, -0.0, 1.0, -3.140625, largest, np.inf, -np.inf, 2.0**-133], np.float32)
    found = last_of(bfloat16_stochastic(), np.tile(exact, 1000), 3)
    np.testing.assert_array_equal(found, np.tile(exact, (3, 1000)))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(np.tile(exact, (3, 1000))))

    beyond = last_of(bfloat16_stochastic(), np.full(COUNT, 3.4e38, np.float32))
    assert set(np.unique(beyond)) == {largest, np.inf}


@ro.rule
def decay(w, dw, *, rate=1e-4):
    """Weight decay alone."""
    return w - rate * w


def test_ten_thousand_small_decays_are_made_on_the_average():
    """1 - 1e-4 is 1 to nearest, and so nothing ever happens; 0.9999**10000 is 0.3679."""
    found = {}
    for name in ("bfloat16", "bfloat16_stochastic"):
        weights = np.ones(4096, ml_dtypes.bfloat16)
        optimizer = ro.Optimizer(decay, weights, formats={"w": name})
        for _ in range(10_000):
            optimizer.step(weights)
        found[name] = weights.astype(float)

    assert np.all(found["bfloat16"] == 1.0)
    assert abs(np.mean(found["bfloat16_stochastic"]) - 0.9999**10_000) < 0.004
    assert np.std(found["bfloat16_stochastic"]) < 0.1


def test_a_second_moment_decays_where_rounding_to_nearest_keeps_it():
    """beta2 = 0.999: half of it is left after 693 steps without a gradient."""
    left = {}
    for name in ("bfloat16", "bfloat16_stochastic"):
        weights = np.zeros(4096, np.float32)
        optimizer = ro.Adam(weights, formats={"v": name})
        optimizer.step(np.ones(4096, np.float32))
        before = np.mean(optimizer.state["v"].astype(float))
        for _ in range(693):
            optimizer.step(np.zeros(4096, np.float32))
        left[name] = np.mean(optimizer.state["v"].astype(float)) / before

    assert left["bfloat16"] == 1.0
    assert abs(left["bfloat16_stochastic"] - 0.5) < 0.01


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (None, 0.777, 0.243),
        ("bfloat16_stochastic", 0.777, 0.243),
        ("bfloat16", 0.882, 0.882),
        ("uint8_sqrt", 1.18, 1.44),
        ("uint4_sqrt", 1.11, 1.36),
    ],
)
def test_history_fades_by_chance_and_to_nearest_it_does_not(name, before, after):
    """What the page of formats says: gradients of size 1, and then 0.3, while one element of each
    block stays at 4. A thousandth of a change is less than half a level.
    """
    rng = np.random.default_rng(0)
    optimizer = ro.Adam(np.zeros(8192, "f4"), formats=name and Choice({"v": name}, 0))
    for scale, expected in ((1.0, before), (0.3, after)):
        for _ in range(1500):
            gradient = scale * rng.normal(size=8192).astype("f4")
            gradient[::128] = 4.0
            optimizer.step(gradient)
        others = np.delete(optimizer.state["v"].astype(float), np.s_[::128])
        assert abs(np.mean(others) - expected) < 0.02 * expected


def everything(weights, steps, engine="cpu", seed=0):
    """All bits after a few steps, weights and both states by chance."""
    storage = bfloat16_stochastic(seed)
    formats = dict.fromkeys("wmv", storage)
    weights = [x.astype(ml_dtypes.bfloat16) for x in weights]
    optimizer = ro.Adam(weights, formats=formats, engine=engine)
    rng = np.random.default_rng(5)
    for _ in range(steps):
        optimizer.step([rng.normal(size=x.shape).astype(np.float32) for x in weights])
    return [*weights, *(x for arrays_ in optimizer.stored.values() for x in arrays_.values())]


def test_engines_and_any_number_of_threads_give_the_same_bits():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=size).astype(np.float32) for size in (300_001, 77, 700_003)]
    found = {"reference": everything(weights, 2, "reference")}
    for count in (1, 4):
        ro.set_threads(count)
        found[count] = everything(weights, 2)

    for name, arrays_ in found.items():
        for ours, theirs in zip(arrays_, found["reference"], strict=True):
            np.testing.assert_array_equal(ours.view(np.uint16), theirs.view(np.uint16), str(name))
    other = everything(weights, 2, seed=1)
    assert not np.array_equal(other[0].view(np.uint16), found[1][0].view(np.uint16))


def test_elements_are_counted_as_they_lie_in_memory():
    values = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    turned = np.asfortranarray(values)
    found = [everything([x], 3, engine) for x in (turned,) for engine in ("cpu", "reference")]
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours.view(np.uint16), theirs.view(np.uint16))


def test_a_run_that_was_saved_goes_on_exactly(tmp_path):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(64, 70)).astype(ml_dtypes.bfloat16)
    gradients = rng.normal(size=(6, 64, 70)).astype(np.float32)
    formats = {"w": bfloat16_stochastic(3), "m": bfloat16_stochastic(3)}
    optimizer = ro.Adam(start.copy(), formats=formats)
    for gradient in gradients[:3]:
        optimizer.step(gradient)
    optimizer.save(tmp_path / "run")
    twin = ro.Adam(start.copy(), formats=formats)
    twin.load(tmp_path / "run")
    for gradient in gradients[3:]:
        optimizer.step(gradient)
        twin.step(gradient)

    np.testing.assert_array_equal(twin.params.view(np.uint16), optimizer.params.view(np.uint16))
    np.testing.assert_array_equal(twin.state["m"], optimizer.state["m"])


def codes_by_chance(block=64):
    """A format as a user writes one, in blocks, that rounds its codes by chance."""

    def decode(codes, scale):
        return number(codes) * scale

    def encode(x, random):
        scale = block_max(x) / 100.0
        chance = number(random & 0xFFFF) * (1 / 65536) - 0.5
        return integer(ro.where(scale > 0, x / scale, 0.0) + chance), scale

    parts = {"codes": Part(INT8), "scale": per_block(FLOAT32)}
    return Storage("codes_by_chance", decode, encode, parts, block, seed=9)


def test_random_bits_come_to_blocks_too():
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    found = [last_of(codes_by_chance(), values, 3, engine) for engine in ("cpu", "reference")]

    np.testing.assert_array_equal(*found)
    nearest = np.round(found[0])
    assert np.any(nearest[0] != nearest[1])
    assert np.max(np.abs(found[0] - np.mean(found[0], 0))) < 1


@pytest.mark.parametrize("report", [False, True])
def test_random_bits_of_several_tensors_meet_in_one_kernel(report):
    """In blocks and not, before and after the largest of a block is known, and beside sums."""
    rng = np.random.default_rng(0)
    values, *gradients = rng.normal(size=(4, 1500)).astype(np.float32)
    formats = {"w": bfloat16_stochastic(), "m": codes_by_chance(), "v": bfloat16_stochastic(1)}
    found = []
    for engine in ("cpu", "reference"):
        weights = values.astype(ml_dtypes.bfloat16)
        optimizer = ro.Adam(weights, formats=Choice(formats, 0), engine=engine)
        for gradient in gradients:
            optimizer.step(gradient, report=report)
        found.append([weights, *optimizer.stored[""].values()])

    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours.astype(float), theirs.astype(float))


def test_encode_takes_the_number_and_random_bits_and_nothing_more():
    with pytest.raises(FormatError, match=r"has to take the number, or the number and random"):
        Storage("mine", lambda x: x, lambda x, y, z: x, {"x": Part(BFLOAT16)})


@pytest.mark.parametrize("part", [0.0, 0.001, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("level", [1, 100, 254])
def test_a_root_goes_to_the_next_level_as_often_as_it_should(level, part):
    """In a block whose largest root is worth 255 levels of 1/255, to a few units of float32."""
    values = np.full(COUNT, ((level + part) / 255) ** 2, np.float32)
    values[::128] = 1.0
    found = last_of(uint8_sqrt_stochastic(), values, 4).reshape(-1, 128)

    assert np.all(found[:, 0] == 255)
    rest = found[:, 1:]
    assert set(np.unique(rest)) == ({level, level + 1} if part else {level})
    assert abs(np.mean(rest) - level - part) < 5 * np.sqrt(0.25 / rest.size) + 2.0**-13


def test_levels_stay_and_what_is_above_0_does_not_become_0():
    storage = uint8_sqrt_stochastic()
    codes = np.arange(256, dtype=np.uint8)
    stored = [codes, np.float32([1 / 255, 1 / 255])]
    stored[0][:128][-1] = 255  # so that both blocks have the same scale
    again, scale = storage.to_parts(storage.from_parts(stored))
    np.testing.assert_array_equal(again, stored[0])
    np.testing.assert_allclose(scale, stored[1], rtol=1e-6)

    values = np.full(1024, 1e-12, np.float32)
    values[::128] = 1.0
    values[1::128] = 0.0
    codes, _ = storage.to_parts(values)
    assert set(codes.reshape(-1, 128)[:, 2:].ravel()) == {1}
    assert not np.any(codes[1::128])
