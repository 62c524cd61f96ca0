"""Numbers that vectors narrow and widen: for each width of vectors, with and without AVX-512 VBMI,
what is stored is what the reference engine stores.

Every kernel is compiled here whatever the processor is: LLVM does without what it has not.
"""

import ml_dtypes
import numpy as np
import pytest

import ruleonce as ro
from ruleonce.engines import compiled
from ruleonce.formats import (
    FLOAT32,
    INT4,
    INT8,
    INT16,
    UINT4,
    UINT8,
    Choice,
    Part,
    Storage,
    bits,
    block_max,
    integer,
    number,
    per_block,
)


@pytest.fixture(params=[(0, False), (256, False), (256, True), (512, False), (512, True)], ids=str)
def vectors(request, monkeypatch):
    """Kernels for vectors of so many bits, with VBMI or without."""
    fused, vbmi = request.param
    monkeypatch.setattr(compiled, "fused", lambda: fused)
    monkeypatch.setattr(compiled, "vbmi", lambda: vbmi)
    compiled.emitted.cache_clear()
    yield
    compiled.emitted.cache_clear()


@ro.rule
def keep(w, dw, kept):
    """The gradient, as it is stored."""
    return w, dw


def in_blocks(encode, form):
    """A format with codes of a kind, and a scale for each block."""

    def decode(codes, scale):
        return number(codes) * scale

    parts = {"codes": Part(form), "scale": per_block(FLOAT32)}
    return Storage("codes", decode, lambda x: (encode(x), block_max(x)), parts, block=128)


def alone(encode, form):
    """A format with codes of a kind."""
    return Storage("codes", lambda codes: number(codes), encode, {"codes": Part(form)})


def kept_of(codes, form):
    """The lower bits of whole numbers; two in a byte where these are four."""
    bytes_ = codes.astype(form.dtype)
    return bytes_ if form.per_item == 1 else bytes_[::2] & 15 | bytes_[1::2] << 4


def written(storage, values):
    """The codes of values, as the cpu engine writes them."""
    optimizer = ro.Optimizer(
        keep, np.zeros_like(values), engine="cpu", formats=Choice({"kept": storage}, 0)
    )
    optimizer.step(values)
    return optimizer.stored[""]["kept"]


of_whole_numbers = pytest.mark.parametrize(
    ("made", "form"),
    [
        *((in_blocks, form) for form in (INT8, UINT8, INT16, INT4, UINT4)),
        *((alone, form) for form in (INT8, UINT8, INT16)),
    ],
    ids=lambda x: getattr(x, "name", None) or x.__name__,
)


@pytest.mark.usefixtures("vectors")
@of_whole_numbers
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_lower_bits_of_every_whole_number_of_16_bits_are_kept(made, form, dtype):
    """Beyond those of a code they are cut off, not saturated; nan is 0."""
    whole = np.arange(-(1 << 15), 1 << 15)
    values = np.insert(whole.astype(dtype), range(0, len(whole), 64), np.nan)
    expected = kept_of(np.where(np.isnan(values), 0, values).astype(np.int32), form)

    np.testing.assert_array_equal(written(made(integer, form), values), expected)


@pytest.mark.usefixtures("vectors")
@of_whole_numbers
@pytest.mark.parametrize("place", [0, 8, 16])
def test_bits_are_taken_from_any_place_of_a_pattern(made, form, place):
    patterns = np.random.default_rng(place).integers(0, 1 << 32, 5000, dtype=np.uint32)
    storage = made(lambda x: bits(x) >> place, form)

    found = written(storage, patterns.view(np.float32))

    np.testing.assert_array_equal(found, kept_of(patterns >> place, form))


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("formats", [{}, {"w": "bfloat16+8"}, {"w": "bfloat16+16"}], ids=str)
@pytest.mark.parametrize(
    "states",
    [{}, {"m": "int8", "v": "uint8_sqrt"}, {"m": "int4", "v": "uint4_sqrt"}],
    ids=["32bit", "8bit", "4bit"],
)
@pytest.mark.parametrize("gradients", [ml_dtypes.bfloat16, np.float32, np.float64])
def test_what_is_narrow_is_read_and_written_as_by_the_reference(formats, states, gradients):
    found = []
    for engine in ("cpu", "reference"):
        rng = np.random.default_rng(0)
        weights = rng.normal(size=1000).astype(ml_dtypes.bfloat16)
        optimizer = ro.Optimizer(
            ro.rules.adamw, weights, engine=engine, formats=Choice({**formats, **states}, 0)
        )
        for _ in range(4):
            optimizer.step(rng.normal(size=1000).astype(gradients))
        found.append({"w": optimizer.params, **optimizer.stored[""]})

    for what, array in found[1].items():
        got = found[0][what]
        np.testing.assert_array_equal(got.view(f"u{got.itemsize}"), array.view(f"u{got.itemsize}"))
