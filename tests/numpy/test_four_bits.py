"""State in 4 bits, two numbers in a byte: bytes, threads, files, copies, and where it fails."""

import copy

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import CheckpointError
from ruleonce.formats import (
    FLOAT32,
    UINT4,
    Choice,
    Part,
    Storage,
    block_max,
    int4,
    integer,
    number,
    per_block,
    uint4_sqrt,
)

FOUR = Choice({"m": "int4", "v": "uint4_sqrt"}, 0)


def tree(seed=0, odd=77):
    rng = np.random.default_rng(seed)
    return {
        "layer": rng.normal(size=(101, odd)).astype(np.float32),
        "turned": np.asfortranarray(rng.normal(size=(80, 61)).astype(np.float32)),
        "short": rng.normal(size=5).astype(np.float32),
    }


def steps(first, count, *optimizers):
    for seed in range(first, first + count):
        for optimizer in optimizers:
            optimizer.step(tree(seed))


def test_state_takes_half_a_byte_a_number_and_its_scales():
    weights = np.zeros(1 << 20, np.float32)
    optimizer = ro.Adam(weights, formats={"m": "int4", "v": "uint4_sqrt"})

    assert optimizer.nbytes == weights.size + 2 * 4 * weights.size // 128
    small = ro.Adam(np.zeros((3, 5), np.float32), formats=FOUR)
    assert small.stored[""]["m"].shape == (8,)
    assert small.state["m"].shape == (3, 5)


@pytest.mark.parametrize("block", [32, 64, 128, 256])
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 255, 1000])
def test_every_size_of_blocks_has_the_codes_of_the_reference(block, size):
    formats = Choice({"m": int4(block), "v": uint4_sqrt(block=block)}, 0)
    found = []
    for engine in ("cpu", "reference"):
        rng = np.random.default_rng(size)
        optimizer = ro.Adam(rng.normal(size=size).astype("f4"), formats=formats, engine=engine)
        for _ in range(4):
            optimizer.step(rng.normal(size=size).astype("f4"))
        found.append([optimizer.params, *optimizer.stored[""].values()])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if size % 2:
        assert found[0][1][-1] < 16  # above an odd last number there is 0


def test_threads_share_no_byte():
    sizes = (300_001, 77, 700_003)
    found = []
    for count in (1, 3):
        ro.set_threads(count)
        rng = np.random.default_rng(0)
        weights = [rng.normal(size=size).astype(np.float32) for size in sizes]
        optimizer = ro.Adam(weights, formats=FOUR)
        for _ in range(3):
            optimizer.step([rng.normal(size=size).astype(np.float32) for size in sizes])
        found.append([array for arrays in optimizer.stored.values() for array in arrays.values()])

    for alone, shared in zip(*found, strict=True):
        np.testing.assert_array_equal(alone, shared)


def test_files_and_copies_go_on_exactly(tmp_path):
    optimizer = ro.Adam(tree(), formats=FOUR)
    steps(1, 3, optimizer)
    optimizer.save(tmp_path / "four")
    loaded = ro.Adam(tree(9), formats=FOUR)
    loaded.load(tmp_path / "four")
    twins = loaded, copy.deepcopy(optimizer)
    steps(4, 3, optimizer, *twins)

    for twin in twins:
        for name, weights in optimizer.params.items():
            np.testing.assert_array_equal(weights, twin.params[name])


def test_files_are_converted_to_and_from_other_formats(tmp_path):
    four, plain = ro.Adam(tree(), formats=FOUR), ro.Adam(tree())
    steps(1, 3, four, plain)
    four.save(tmp_path / "four")
    plain.save(tmp_path / "plain")

    wide = ro.Adam(tree())
    wide.load(tmp_path / "four")
    eight = ro.Adam(tree(), formats=Choice("8bit", 0))
    eight.load(tmp_path / "four")
    narrow = ro.Adam(tree(), formats=FOUR)
    narrow.load(tmp_path / "plain")
    smaller = ro.Adam(tree(), formats=Choice({"m": int4(32), "v": uint4_sqrt(32)}, 0))
    smaller.load(tmp_path / "four")
    turned = {name: np.array(x, order="C") for name, x in tree().items()}
    other = ro.Adam(turned, formats=FOUR)
    other.load(tmp_path / "four")
    for name in tree():
        np.testing.assert_array_equal(wide.state["m"][name], four.state["m"][name])
        most = np.max(np.abs(plain.state["m"][name]))
        for converted in (eight, narrow, smaller, other):
            apart = (
                converted.state["m"][name]
                - (plain if converted is narrow else four).state["m"][name]
            )
            assert np.max(np.abs(apart)) < 0.11 * most


def test_a_file_of_another_shape_is_refused(tmp_path):
    ro.Adam(tree(odd=70), formats=FOUR).save(tmp_path / "four")

    for formats in (None, FOUR, Choice("8bit", 0)):
        with pytest.raises(CheckpointError):
            ro.Adam(tree(), formats=formats).load(tmp_path / "four")


def test_a_copy_that_lies_in_another_order_keeps_its_state():
    weights = np.zeros((160, 400), np.float32)[:, ::2].T
    optimizer = ro.Adam(weights, formats=FOUR)
    gradient = np.random.default_rng(0).normal(size=weights.shape)
    gradient[50:150] *= 100
    optimizer.step(gradient.astype(np.float32))
    twin = copy.deepcopy(optimizer)
    again = copy.deepcopy(twin)
    assert twin.params.flags.f_contiguous

    values = optimizer.state["m"]
    assert np.max(np.abs(twin.state["m"] - values)) < 0.11 * np.max(np.abs(values))
    np.testing.assert_array_equal(again.state["m"], twin.state["m"])


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", ["normal", "log-normal", "embedding"])
def test_no_step_is_half_as_long_again_as_it_should_be(kind, scale):
    """m = g and v = g**2 are stored; the step m / sqrt(v) would be 1 everywhere."""
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=1 << 18)
    if kind == "log-normal":
        gradient *= np.exp(3 * rng.normal(size=gradient.shape))
    if kind == "embedding":
        gradient[rng.random(gradient.shape) > 0.02] = 0.0
    gradient = (gradient * scale).astype(np.float32)
    m = int4().from_parts(int4().to_parts(gradient), like=gradient)
    square = gradient.astype(np.float64) ** 2
    v = uint4_sqrt().from_parts(uint4_sqrt().to_parts(square), np.float64, like=square)
    moved = v > 0

    assert np.all(m[~moved] == 0)
    assert np.max(np.abs(m[moved]) / np.sqrt(v[moved])) <= 1.5001


def trained(formats, spread):
    """How far from the minimum weights are after 200 steps of Adam, from 1: those with small
    gradients, and those in the same blocks whose gradients are `spread` times as large.

    Adam does not see such a factor.
    """
    size = 512
    factor = np.where(np.arange(size) % 2, spread, 1.0).astype(np.float32)
    weights = np.ones(size, np.float32)
    optimizer = ro.Adam(weights, learning_rate=0.01, formats=formats and Choice(formats, 0))
    rng = np.random.default_rng(0)
    for _ in range(200):
        noise = 0.1 * rng.normal(size=size).astype(np.float32)
        optimizer.step(factor * (weights + noise))
    return np.abs(weights).reshape(-1, 2).mean(0)


def test_small_second_moments_are_too_large_in_4_bits_and_their_weights_hardly_move():
    """What is far below the largest of its block has level 1, a 15th of the largest root."""
    assert np.all(trained(None, 1000) < 0.02)
    assert np.all(trained({"v": "uint4_sqrt"}, 1) < 0.03)
    small, large = trained({"v": "uint4_sqrt"}, 30)
    assert 0.2 < small < 0.3
    assert large < 0.03
    small, _ = trained({"v": "uint4_sqrt"}, 1000)
    assert small > 0.9
    assert np.all(trained({"v": "uint8_sqrt"}, 30) < 0.02)  # 255 levels resolve these


def to_nearest(block=128):
    """uint4_sqrt, but that a small root becomes 0 where 0 is the nearest level."""

    def decode(codes, scale):
        root = number(codes) * scale
        return root * root

    def encode(x):
        root = ro.sqrt(x)
        scale = block_max(root) / 15.0
        return integer(root / ro.maximum(scale, 1e-37)), scale

    parts = {"codes": Part(UINT4), "scale": per_block(FLOAT32)}
    return Storage("to_nearest", decode, encode, parts, block)


def test_where_small_second_moments_become_0_weights_are_thrown_away():
    """Why what is above 0 is not stored as 0: the next step is m / sqrt(v) with too small a v."""
    small, _ = trained({"v": to_nearest()}, 30)
    assert small > 10
