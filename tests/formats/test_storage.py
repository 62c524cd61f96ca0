"""Formats on their own: what is kept of a number, and what a mistake is told."""

import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ruleonce as ro
from ruleonce import formats
from ruleonce.errors import FormatError
from ruleonce.formats import (
    FLOAT16,
    FLOAT32,
    INT4,
    INT8,
    Part,
    Storage,
    bfloat16_8,
    bfloat16_16,
    bits,
    block_max,
    float8_e4m3,
    float8_e5m2,
    float16_8,
    float16_16,
    from_bits,
    int4,
    int8,
    int8_linear,
    integer,
    number,
    per_block,
    small_integer,
    uint4_sqrt,
    uint8_linear,
    uint8_sqrt,
    within,
)
from ruleonce.formats.choice import STORAGES
from ruleonce.language import bits as bits_of_language
from ruleonce.language.graph import in_order

SPECIAL = [
    0.0,
    -0.0,
    1e-45,
    -1e-40,
    1.2e-38,
    1.0,
    -1.00390625,
    65504.0,
    3.4028235e38,
]

# How far a decoded number may be from what was encoded, in parts of the largest of its block.
LEVELS = {
    int8: 191 / 63 / 255 / 2,
    int4: 3 / 15 / 2,
    int8_linear: 1 / 127 / 2,
    uint8_linear: 1 / 255 / 2,
}


def back(storage, values):
    return storage.from_parts(storage.to_parts(values), like=values)


@pytest.mark.parametrize("factory", LEVELS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e6, 1e30])
def test_a_number_is_kept_to_half_a_level(factory, scale):
    values = (np.random.default_rng(0).normal(size=1000) * scale).astype(np.float32)
    values = np.abs(values) if factory is uint8_linear else values
    storage = factory(64)
    largest = np.repeat(np.maximum.reduceat(np.abs(values), np.arange(0, 1000, 64)), 64)[:1000]

    # What is above 0 has at least level 1, where 0 would be nearer.
    least = 2 if factory is uint8_linear else 1
    allowed = LEVELS[factory] * largest * np.where(values < largest / 255, least, 1)
    assert np.all(np.abs(back(storage, values) - values) <= allowed * 1.00001)


def test_a_root_is_kept_to_half_a_level_and_does_not_vanish():
    values = np.random.default_rng(0).normal(size=4096).astype(np.float32) ** 2
    values[::7] = 0.0
    decoded = back(uint8_sqrt(), values)
    largest = np.repeat(np.sqrt(values).reshape(-1, 128).max(1), 128)

    small = np.sqrt(values) < largest / 255
    apart = np.abs(np.sqrt(decoded) - np.sqrt(values))
    assert np.all(apart[~small] <= largest[~small] / 255 / 2 * 1.00001)
    assert np.array_equal(decoded == 0, values == 0)


@pytest.mark.parametrize("factory", [int4, uint4_sqrt])
def test_four_bits_are_the_nearest_of_their_levels(factory):
    """int4: 0, 1, 2, 3, 6, 9, 12, 15 of them; uint4_sqrt: roots, of which none becomes 0."""
    values = np.random.default_rng(0).normal(size=(40, 32)).astype(np.float32)
    values[::3] *= np.geomspace(1e-3, 1, 32, dtype=np.float32)
    values = values if factory is int4 else values**2
    decoded = back(factory(32), values)
    sizes = [np.sqrt(x) if factory is uint4_sqrt else np.abs(x) for x in (values, decoded)]
    exact, kept = (x.astype(float) / sizes[0].max(1, keepdims=True) * 15 for x in sizes)

    levels = np.array([0, 1, 2, 3, 6, 9, 12, 15] if factory is int4 else range(1, 16))
    np.testing.assert_allclose(kept, np.round(kept), atol=1e-4)
    assert np.all(np.isin(np.round(kept), levels))
    best = np.min(np.abs(exact[..., None] - levels), axis=-1)
    assert np.all(np.abs(exact - kept) <= best + 1e-4)
    assert np.all(np.sign(decoded) * (kept > 0.5) == np.sign(values) * (kept > 0.5))


@pytest.mark.parametrize("name", STORAGES)
@given(arrays(np.uint32, 40, elements=st.integers(0, 2**32 - 1)))
def test_what_was_stored_is_stored_again_as_it_was(name, pattern):
    """A scale may differ in its last digit; a code, or a number with its error, does not."""
    near = (pattern & 0x83FFFFFF) | 0x3C000000  # numbers that one block resolves
    values = np.concatenate([pattern, near]).view(np.float32)
    values = np.abs(values) if name.startswith("uint") else values
    storage = STORAGES[name](32) if STORAGES[name]().block else STORAGES[name]()
    values[~(np.abs(values) < 1e38)] = 0.5 if storage.block else np.nan
    if name == "uint8_sqrt_stochastic":
        values[values < 1e-30] = 0.5  # denormals have too few digits for a root to stay a level
    first = storage.to_parts(values)
    again = storage.to_parts(storage.from_parts(first, like=values))
    for form, before, after in zip(storage.parts.values(), first, again, strict=True):
        close = (1e-6, 1e-37) if form.per_block else (0, 0)  # a scale below 1e-37 is one of zeros
        np.testing.assert_allclose(after.astype(float), before.astype(float), *close)


@pytest.mark.parametrize(
    ("factory", "dtype"),
    [(float8_e4m3, ml_dtypes.float8_e4m3fn), (float8_e5m2, ml_dtypes.float8_e5m2)],
)
def test_eight_bit_floats_are_those_of_ml_dtypes(factory, dtype):
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    values *= 10.0 ** np.random.default_rng(1).integers(-6, 1, 5000).astype(np.float32)
    codes, scale = factory(32).to_parts(values)
    inverse = (np.float32(1) / scale)[np.arange(5000) // 32]
    expected = (values * inverse).astype(dtype)

    np.testing.assert_array_equal(codes.view(np.uint8), expected.view(np.uint8))
    of_block = scale[np.arange(5000) // 32]
    np.testing.assert_array_equal(
        factory(32).from_parts([codes, scale]), expected.astype(np.float32) * of_block
    )


@given(arrays(np.uint32, 64, elements=st.integers(0, 2**32 - 1)))
def test_16_error_bits_are_a_float32_bit_for_bit(pattern):
    values = pattern.view(np.float32)
    decoded = back(bfloat16_16(), values)

    number_ = ~np.isnan(values)
    np.testing.assert_array_equal(decoded.view(np.uint32)[number_], pattern[number_])
    assert np.all(np.isnan(decoded[~number_]))


@given(arrays(np.uint32, 64, elements=st.integers(0, 2**32 - 1)))
def test_8_error_bits_are_the_upper_24_of_a_float32(pattern):
    values = pattern.view(np.float32)
    decoded = back(bfloat16_8(), values).view(np.uint32)

    number_ = ~np.isnan(values) & (np.abs(values) < 3.4e38)
    apart = np.abs(decoded.astype(np.int64) - pattern)[number_]
    assert np.max(apart, initial=0) <= 128
    assert np.all(decoded[number_] % 256 == 0)


# Beside random patterns: both ends of float16, its least normal number, ties, what is not finite.
OF_FLOAT16 = [0.0, 65504.0, 65519.9, 65520.0, 65536.0, np.inf, np.nan, 2.0**-14, 2.0**-25, 1e-45]
OF_FLOAT16 += [2.0**-14 * (1 - 2.0**-11), 1 + 2.0**-11, 1 - 2.0**-12, 2.0**-17]


@pytest.mark.parametrize(
    ("factory", "relative", "absolute", "infinite"),
    [(float16_8, 2.0**-19, 2.0**-33, 65519.9375), (float16_16, 0.0, 2.0**-41, 65520.0)],
)
@given(arrays(np.uint32, 64, elements=st.integers(0, 2**32 - 1)))
def test_float16_and_error_bits_are_as_near_as_documented(
    factory, relative, absolute, infinite, pattern
):
    values = pattern.view(np.float32)
    near = ((pattern & 0x8FFFFFFF) | 0x30000000).view(np.float32)  # about its range
    values = np.concatenate([values, near, np.array([OF_FLOAT16, OF_FLOAT16], "f4").ravel()])
    values[-len(OF_FLOAT16) :] *= -1
    weights, error = factory().to_parts(values)
    decoded = factory().from_parts([weights, error])
    size = np.abs(values)

    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(values))
    np.testing.assert_array_equal(np.isinf(decoded), size >= infinite)
    np.testing.assert_array_equal(np.isinf(weights), size >= infinite)
    values, kept = (x[size < infinite].astype(float) for x in (values, decoded))
    np.testing.assert_array_equal(np.signbit(kept), np.signbit(values))
    size = np.abs(values)
    allowed = np.where(size >= 2.0**-14, relative * size, absolute)
    if factory is float16_16:
        allowed[size >= 2.0**-17] = 0
    assert np.all(np.abs(kept - values) <= allowed)
    again = factory().to_parts(decoded)
    for first, second in zip((weights, error), again, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("factory", "infinite"), [(float16_8, 65519.9375), (float16_16, 65520.0)])
def test_a_float64_is_a_float32_first(factory, infinite):
    """Just below what is inf it is rounded up to it, and the error is 0."""
    parts = factory().to_parts(np.array([infinite - 1e-9, 1 + 1e-12, 2.0**-14 - 1e-15]))

    assert factory().from_parts(parts).tolist() == [np.inf, 1.0, 2.0**-14]


@pytest.mark.parametrize("factory", [float16_8, float16_16])
def test_the_16_bits_are_the_nearest_float16(factory):
    values = np.ldexp(np.random.default_rng(0).normal(size=9000), np.arange(9000) % 28 - 26)
    values = values.astype(np.float32)
    weights, error = factory().to_parts(values)
    nearest = values.astype(np.float16)

    # Where two are nearly as near, the other one: the number is rounded to the error bits first.
    ours, best = (np.abs(x.astype(float) - values) for x in (weights, nearest))
    unit = np.spacing(np.maximum(np.abs(nearest), np.float16(2.0**-14))).astype(float)
    assert np.all(ours - best <= unit * 2.0 ** -(8 * error.itemsize))
    assert np.count_nonzero(weights != nearest) < 40


@pytest.mark.parametrize("factory", [bfloat16_8, bfloat16_16])
def test_the_16_bits_are_the_nearest_bfloat16(factory):
    values = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    values = np.concatenate([values, np.array(SPECIAL, np.float32)])
    weights, _ = factory().to_parts(values)
    nearest = values.astype(ml_dtypes.bfloat16)

    tie = (values.view(np.uint32) & 0xFFFF) == 0x8000  # away from 0, not to even
    if factory is bfloat16_8:  # it is rounded to 24 bits first
        tie |= (values.view(np.uint32) & 0xFFFF) // 128 == 0xFF
    np.testing.assert_array_equal(weights[~tie], nearest[~tie])


@pytest.mark.parametrize("name", [name for name, make in STORAGES.items() if make().block])
@pytest.mark.parametrize("odd", [np.inf, np.nan])
def test_a_block_that_holds_inf_or_nan_is_nan_and_the_others_are_not(name, odd):
    values = np.ones(384, np.float32)
    values[130] = odd
    decoded = back(STORAGES[name](), values)

    assert np.all(np.isnan(decoded[128:256]))
    assert np.all(np.isfinite(decoded[:128]))
    assert np.all(np.isfinite(decoded[256:]))


@pytest.mark.parametrize("name", STORAGES)
@pytest.mark.parametrize("shape", [(0,), (1,), (), (7, 30), (128,), (129,)])
def test_zeros_stay_zeros_in_any_shape(name, shape):
    for order in "CF":
        decoded = back(STORAGES[name](), np.zeros(shape, np.float32, order))
        assert decoded.shape == shape
        assert not decoded.any()


def test_a_format_is_pickled_by_the_function_that_makes_it():
    for make in STORAGES.values():
        assert pickle.loads(pickle.dumps(make())) is make()  # noqa: S301  (our own)
    with pytest.raises(FormatError, match="cannot be pickled"):
        pickle.dumps(Storage("mine", lambda x: x, lambda x: x, {"x": Part(FLOAT32)}))


def halves():
    """A format as a user writes one."""

    def decode(codes, scale):
        return number(codes) * scale

    def encode(x):
        scale = block_max(x) / 100.0
        return integer(x / scale), scale

    return Storage("halves", decode, encode, {"codes": Part(INT8), "scale": per_block(FLOAT32)}, 32)


def test_a_format_of_a_user_takes_ten_lines():
    values = np.linspace(-1, 1, 100).astype(np.float32)

    assert np.max(np.abs(back(halves(), values) - values)) <= 0.005 * 1.00001


PARTS = {"codes": Part(INT8), "scale": per_block(FLOAT32)}
HALVES = {"codes": Part(INT4), "scale": per_block(FLOAT32)}


@pytest.mark.parametrize(
    ("decode", "encode", "parts", "block", "words"),
    [
        (lambda x: x, lambda x: x, PARTS, 32, "its parts are \\(codes, scale\\)"),
        (lambda codes, scale: codes, lambda x: x, PARTS, 0, "has a block of 0"),
        (lambda x: x, lambda x: x, {"x": Part(FLOAT32)}, 32, "has a block of 32"),
        (lambda codes, scale: codes, lambda x: x, PARTS, 48, "power of two"),
        (lambda codes, scale: codes, lambda x: x, PARTS, 2048, "at most 1024"),
        (lambda codes, scale: codes, lambda x: x, HALVES, 1, "blocks of an even size"),
        (lambda codes: codes, lambda x: x, {"codes": Part(INT4)}, 0, "threads must not share"),
        (lambda x, y: x, lambda x: x, {"x": Part(INT8), "y": per_block(INT4)}, 8, "in a byte"),
        (lambda codes, scale: number(codes), lambda x: x, PARTS, 32, "encode returned 1 values"),
        (lambda codes, scale: number(codes), lambda x: (x, x), PARTS, 32, "integer for each"),
        (lambda codes, scale: codes, lambda x: (integer(x), block_max(x)), PARTS, 32, "a number"),
    ],
)
def test_a_format_that_cannot_be_is_refused_with_what_is_wrong(decode, encode, parts, block, words):
    with pytest.raises(FormatError, match=words):
        back(Storage("mine", decode, encode, parts, block), np.ones(3, np.float32))


def odd(block):
    """A format of no use, with all that the language has for storage, and numbers for parts."""

    def decode(values, scale):
        return values * scale

    def encode(x):
        largest = block_max(x)
        whole = integer(ro.clip(x * 1000.0, -1e6, 1e6))
        mixed = ((whole * 3 + 5 - (whole << 2)) ^ (whole >> 1)) & 0xFF | 1
        small = small_integer(within(x * 10.0, largest * 7.0))
        chosen = ro.where(x > 0, mixed, (whole & 7) + small)
        scale = from_bits(bits(ro.where(largest > 0, largest, 1.0)) & 0x7F800000)
        return formats.round(number(chosen)) / 256.0, scale

    parts = {"values": Part(FLOAT16), "scale": per_block(FLOAT32)}
    return Storage("odd", decode, encode, parts, block)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_of_storage_is_the_same_on_both_engines(dtype):
    storage = odd(64)
    used = {node.op for node in in_order(storage.encoder)}
    made_elsewhere = {bits_of_language.EACH, bits_of_language.MULTIPLY_ADD}
    assert used >= set(bits_of_language.OPS.values()) - made_elsewhere
    found = []
    for engine in ("cpu", "reference"):
        rng = np.random.default_rng(0)
        choice = formats.Choice({"m": storage}, 0)
        optimizer = ro.Momentum(rng.normal(size=300).astype(dtype), engine=engine, formats=choice)
        for _ in range(3):
            optimizer.step(rng.normal(size=300).astype(dtype))
        found.append([optimizer.params, *optimizer.stored[""].values()])

    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
