"""Any number of blocks, whole and short, done at once or in parts: the codes of the reference.

Blocks go through a kernel in groups, with a second stage that lags behind the first
(emit/llvm_pipeline.py), so each number of blocks up to some groups has a way of its own.
"""

from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ruleonce as ro
from ruleonce.emit import llvm
from ruleonce.emit.names import identifier
from ruleonce.engines.native import compile_ir
from ruleonce.formats import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    INT8,
    Choice,
    Part,
    Storage,
    block_max,
    int8,
    integer,
    number,
    per_block,
    stored_program,
    uint8_sqrt,
)
from ruleonce.formats.masters import bfloat16_8

WHOLE = 13  # blocks: three groups, and one block more


def decode(codes, scale, shift, coarse):
    return number(codes) * scale * number(shift) + coarse * 0.0


def encode(x):
    """Of each kind that a number of a block can be: a truth, a whole number, numbers of 16 bits."""
    largest = block_max(x)
    is_large = largest > 1.0
    shift = ro.where(is_large, 2.0, 1.0)
    inverse = 127.0 / ro.maximum(largest, 1e-30)
    codes = integer(ro.where(is_large, x, 0.5 * x) * inverse)
    return codes, largest * (1 / 127), integer(shift), largest


ODD = {
    "codes": Part(INT8),
    "scale": per_block(FLOAT16),
    "shift": per_block(INT8),
    "coarse": per_block(BFLOAT16),
}


def odd(block):
    return Storage("odd", decode, encode, ODD, block)


FORMATS = {
    "8 bits": (np.float32, lambda: {"m": int8(), "v": uint8_sqrt()}),
    "8 bits in float64": (np.float64, lambda: {"m": int8(), "v": uint8_sqrt()}),
    "error bits": (
        ml_dtypes.bfloat16,
        lambda: {"w": bfloat16_8(), "m": int8(), "v": uint8_sqrt()},
    ),
    "short blocks": (np.float32, lambda: {"m": int8(16), "v": uint8_sqrt(16)}),
    "long blocks": (np.float32, lambda: {"m": int8(512), "v": uint8_sqrt(512)}),
    "odd numbers": (np.float32, lambda: {"m": odd(64)}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_any_number_of_blocks_has_the_codes_of_the_reference(name):
    """With a short one at the end and without, each a tensor of one optimizer."""
    dtype, made = FORMATS[name]
    formats, rng = made(), np.random.default_rng(0)
    block = formats["m"].block
    sizes = [whole * block + rest for whole in range(1, WHOLE + 1) for rest in (0, 1, block - 1)]
    weights = {f"{size}": rng.normal(size=size).astype("f4").astype(dtype) for size in sizes}
    ours, theirs = (
        ro.Optimizer(
            ro.rules.adamw,
            {size: w.copy() for size, w in weights.items()},
            engine=engine,
            formats=Choice(formats, 0),
        )
        for engine in ("cpu", "reference")
    )
    for _ in range(3):
        gradients = {
            size: (rng.normal(size=w.size) * 10.0 ** rng.integers(-4, 3, w.size)).astype("f4")
            for size, w in weights.items()
        }
        ours.step(gradients)
        theirs.step(gradients)
    for size in weights:
        np.testing.assert_array_equal(ours.params[size], theirs.params[size], err_msg=size)
        for what, array in theirs.stored[size].items():
            got = ours.stored[size][what]
            np.testing.assert_array_equal(got, array, err_msg=f"{what} of {size}")


CANARY = 0xA5
AROUND = 64  # bytes


class Kernel:
    """AdamW with 8-bit state and error bits, compiled for vectors of so many bits; 0 where each
    element comes alone.
    """

    storages = {"w": bfloat16_8(), "m": int8(), "v": uint8_sqrt()}  # noqa: RUF012
    block = storages["m"].block

    def __init__(self, fused):
        self.program = stored_program(ro.rules.adamw.program(), self.storages)
        self.formats = dict.fromkeys(self.program.tensors, FLOAT32)
        for name, storage in self.storages.items():
            self.formats |= storage.forms(name)
        source = llvm.emit(self.program, self.formats, FLOAT32, fused)
        assert (".vectors(" in source) == (fused > 0)
        self.native = compile_ir(source, identifier(self.program.name))

    def memory(self, size, seed):
        """All tensors, with bytes around them that stay."""
        rng, found = np.random.default_rng(seed), {}
        for tensor, form in self.formats.items():
            count = -(-size // self.block) if tensor in self.program.of_blocks else size
            values = rng.normal(size=count).astype(np.float32)
            if tensor in self.program.of_blocks:
                values = np.abs(values)
            if form.is_integer:
                values = rng.integers(*((0, 256) if form.dtype == np.uint8 else (-128, 128)), count)
            around = np.full(AROUND, CANARY, np.uint8)
            values = values.astype(form.dtype).view(np.uint8)
            found[tensor] = np.concatenate([around, values, around])
        return found

    def __call__(self, memory, size, parts):
        """Once over all elements, in parts that begin and end where two numbers say."""
        host = np.random.default_rng(0).uniform(0.1, 0.9, 16)
        row = [size, host.ctypes.data]
        row += [memory[tensor].ctypes.data + AROUND for tensor in self.program.tensors]
        table = np.array(row, np.int64)
        for begin, end in parts:
            job = np.array([table.ctypes.data, 0, begin, 0, end], np.int64)
            self.native.call(job.ctypes.data)


KERNELS = {}


def kernel(fused):
    if fused not in KERNELS:
        KERNELS[fused] = Kernel(fused)
    return KERNELS[fused]


@pytest.mark.parametrize("fused", [256, 512])
@settings(max_examples=60, deadline=None)
@given(
    whole=st.integers(0, WHOLE),
    rest=st.integers(0, Kernel.block - 1),
    cuts=st.lists(st.integers(1, WHOLE), max_size=3),
    seed=st.integers(0, 9),
)
@example(whole=WHOLE, rest=0, cuts=[], seed=0)
@example(whole=WHOLE, rest=5, cuts=[1, 6, 11], seed=0)
def test_blocks_in_parts_are_those_of_a_loop_over_elements(fused, whole, rest, cuts, seed):
    """As threads share them: each part begins at a block. Nothing is written beyond a tensor."""
    size = whole * Kernel.block + rest
    places = sorted({0, size, *(cut * Kernel.block for cut in cuts if cut <= whole)})
    parts = list(pairwise(places))
    got, expected = (kernel(fused).memory(size, seed) for _ in range(2))
    kernel(fused)(got, size, parts[::-1])
    kernel(0)(expected, size, [(0, size)])

    for tensor, array in expected.items():
        np.testing.assert_array_equal(got[tensor], array, err_msg=tensor)
        for beyond in (got[tensor][:AROUND], got[tensor][-AROUND:]):
            assert np.all(beyond == CANARY), tensor
