"""Tensors in parts on the gpu engine, against the reference engine: equal bits. Every rule in every
format is in tests/matrix/test_formats.py.
"""

import numpy as np
import pytest
import tolerance
import torch
from formats.test_stochastic import codes_by_chance
from formats.test_storage import odd
from ml_dtypes import bfloat16
from on_device import Beside

import ruleonce as ro
from ruleonce import formats
from ruleonce.emit.triton import ALIGNED
from ruleonce.formats import (
    FLOAT32,
    INT16,
    Choice,
    Part,
    Storage,
    bfloat16_8,
    bfloat16_16,
    bfloat16_stochastic,
    bits,
    block_max,
    float8_e4m3,
    float8_e5m2,
    float16_8,
    float16_16,
    int4,
    int8,
    int8_linear,
    integer,
    number,
    per_block,
    uint4_sqrt,
    uint8_linear,
    uint8_sqrt,
)
from ruleonce.language.monitor import GRADIENT

SIZES = (0, 1, 127, 2048, 128, 1025, 300)
BLOCKS = [1 << n for n in range(11)]


def weights_of(sizes, dtype="float32"):
    rng = np.random.default_rng(1)
    return [rng.normal(size=size).astype(dtype) for size in sizes]


def assert_same_steps(both, gradients):
    """Steps with these gradients, each a function of a size; nothing beside tensors is written."""
    for gradient_of in gradients:
        for gradient in both.gradients:
            gradient[...] = gradient_of(gradient.size)
        for what, pairs in both.step().items():
            for pair in pairs:  # NumPy knows no nan of bfloat16; widening loses nothing
                np.testing.assert_array_equal(*(x.astype(np.float64) for x in pair), what)
    assert not any(np.any(x) for tensors in both.on_device.values() for x in tensors.beyond())


def ordinary(steps):
    """Gradients of many magnitudes."""
    rng = np.random.default_rng(2)
    return [lambda size: rng.normal(size=size) * 10.0 ** rng.integers(-4, 3, size)] * steps


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_weights_with_16_error_bits_are_those_of_a_run_in_float32(rule, device):
    """For a thousand steps on a GPU. Triton's interpreter, where one takes some 10 ms, takes three:
    the thousand of every rule were seen there once, and are too slow for each run of the tests.
    """
    rng = np.random.default_rng(0)
    masters = rng.normal(size=100).astype(np.float32)
    chosen = {rule.schema.weights: bfloat16_16()}
    narrow = Beside(rule, chosen, weights_of([100], bfloat16), device)
    narrow.reference.masters = {"0": masters}
    for tensors in narrow.on_device.values():
        tensors.put()
    wide = Beside(rule, {}, [masters.copy()], device)
    for _ in range(1000 if device.type == "cuda" else 3):
        gradient = rng.normal(size=100)
        for both in (narrow, wide):
            both.gradients[0][...] = gradient
            both.step()

    for both in (narrow, wide):
        both.take()
    np.testing.assert_array_equal(narrow.reference.masters["0"], wide.reference.params["0"])
    for state in rule.state:
        np.testing.assert_array_equal(*(x.reference.state[state]["0"] for x in (narrow, wide)))


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_may_have_any_size(block, device):
    chosen = {"m": int8(block), "v": uint8_sqrt(block), "w": bfloat16_8()}
    both = Beside(ro.adam, chosen, weights_of((1025, 300), bfloat16), device)

    assert_same_steps(both, ordinary(2))


@pytest.mark.parametrize(
    ("chosen", "dtype", "gradient"),
    [
        ({"m": int8(), "v": uint8_sqrt(), "w": bfloat16_8()}, bfloat16, "bfloat16"),
        ({"m": int8_linear(32), "v": uint8_linear(32), "w": bfloat16_16()}, bfloat16, "float32"),
        ({"m": float8_e4m3(), "v": formats.BFLOAT16}, "float32", "float16"),
        ({"m": formats.FLOAT16, "v": float8_e5m2(256)}, "float16", "bfloat16"),
        ({"m": int8(), "v": uint8_sqrt()}, "float64", "float32"),
        ({"m": int8(), "w": bfloat16_8()}, bfloat16, "float64"),
        ({"w": bfloat16_16()}, bfloat16, "float64"),
        ({"m": int4(), "v": uint4_sqrt()}, "float32", "float32"),
        ({"m": int4(32), "v": uint8_sqrt(32), "w": bfloat16_8()}, bfloat16, "bfloat16"),
        ({"m": int8(64), "v": uint4_sqrt(64), "w": float16_8()}, "float16", "float16"),
        ({"m": int4(), "v": bfloat16_stochastic(), "w": float16_16()}, "float16", "float64"),
    ],
    ids=lambda x: "-".join(f.name for f in x.values()) if isinstance(x, dict) else None,
)
def test_formats_may_be_mixed(chosen, dtype, gradient, device):
    both = Beside(ro.adam, chosen, weights_of(SIZES, dtype), device, gradient)

    assert_same_steps(both, ordinary(2))


@pytest.mark.parametrize("block", BLOCKS[1:])
def test_blocks_of_4_bits_may_have_any_even_size(block, device):
    """Tensors of odd lengths among them: the last byte has one number."""
    both = Beside(ro.adam, {"m": int4(block)}, weights_of((1025, 301, 2, 4)), device)

    assert_same_steps(both, ordinary(2))
    assert all(x[-1] < 16 for x in both.on_device["m"].got()[:2])


@pytest.mark.parametrize("gradient", ["float32", "float64"])
@pytest.mark.parametrize(
    "states",
    [
        {"m": bfloat16_stochastic(), "v": bfloat16_stochastic(1)},
        {"m": codes_by_chance(), "v": uint4_sqrt(64)},
    ],
    ids=["elements", "blocks"],
)
def test_random_bits_are_those_of_the_other_engines(states, gradient, device):
    """In several blocks of the launch, whole and short, of several tensors."""
    weights = weights_of((3077, 1, 2048, 1025), bfloat16)
    chosen = {"w": bfloat16_stochastic(7), **states}
    both = Beside(ro.adam, chosen, weights, device, gradient)
    compiled = {str(place): x.copy() for place, x in enumerate(weights)}
    cpu = ro.Optimizer(ro.adam, compiled, engine="cpu", formats=Choice(chosen, 0))
    for gradient_of in ordinary(3):
        for dw in both.gradients:
            dw[...] = gradient_of(dw.size)
        found = both.step()
        cpu.step({str(place): x for place, x in enumerate(both.gradients)})

    for place, name in enumerate(compiled):
        for what, pairs in found.items():
            third = compiled[name] if what == "w" else cpu.stored[name][what]
            for other in (pairs[place][1], third):
                np.testing.assert_array_equal(pairs[place][0].astype(float), other.astype(float))


def test_codes_are_aligned_as_other_tensors_are_and_numbers_of_blocks_may_lie_anywhere(device):
    """The widest loads of a GPU fail on any other; the interpreter would not notice."""
    both = Beside(ro.adam, {"m": int8(), "v": uint8_sqrt()}, weights_of([2048] * 3), device)
    at = torch.zeros(4096, device=device).data_ptr()
    for place, name in enumerate(both.program.tensors):
        both.call.place(place, [at, at + (name == "m"), at + 4 * (name == "v.scale")])

    assert both.call._table.on_device()[:, ALIGNED].tolist() == [1, 0, 1]


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_a_block_that_holds_inf_or_nan_is_nan_and_the_others_are_not(special, device):
    chosen = {"m": int8(), "v": uint8_sqrt(), "w": bfloat16_16()}
    both = Beside(ro.adam, chosen, weights_of((1, 300, 1100), bfloat16), device)

    def gradient_of(size):
        found = np.random.default_rng(size).normal(size=size)
        found[-1] = special
        return found

    assert_same_steps(both, [gradient_of, gradient_of])
    scales = both.on_device["m.scale"].got()
    assert [np.isnan(x).tolist() for x in scales[:2]] == [[True], [False, False, True]]


@pytest.mark.parametrize(("storage", "levels"), [(int8(), 255), (int4(), 15)], ids=["int8", "int4"])
def test_what_is_past_the_end_is_not_among_the_largest_and_not_stored(storage, levels, device):
    """An element that is not there would be encoded as 1 here: rules may make anything of zeros."""
    rule = ro.rule(lambda w, dw, m: (w - m, ro.where(m == dw, 1.0, dw * 1e-3)))
    both = Beside(rule, {"m": storage}, weights_of((5, 301)), device)

    assert_same_steps(both, ordinary(2))
    assert max(np.max(x) for x in both.on_device["m.scale"].got()) < 1 / levels


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_of_storage_is_that_of_the_reference(dtype, device):
    both = Beside(ro.momentum, {"m": odd(64)}, weights_of((1025, 300), dtype), device, dtype)

    assert_same_steps(both, ordinary(3))


def whole():
    """Numbers that are rounded, and whole ones of 32 bits."""

    def decode(rounded, half, lower):
        return rounded + half + number(lower)

    def encode(x):
        found = integer(x)
        return formats.round(x), number(found >> 1), found

    parts = {"rounded": Part(FLOAT32), "half": Part(FLOAT32), "lower": Part(INT16)}
    return Storage("whole", decode, encode, parts)


@pytest.mark.parametrize("gradient", ["float32", "float64"])
def test_numbers_are_rounded_to_the_nearest_even(gradient, device):
    """Near every power of two, and what no whole number of 32 bits is."""
    rule = ro.rule(lambda w, dw, m: (w + 0.0 * m, dw))
    powers = 2.0 ** np.arange(-2, 34)
    steps = [-1.5, -1.0, -0.5, -(2.0**-22), 0.0, 2.0**-22, 0.5, 1.0, 1.5, 2.5]
    values = (powers[:, None] + steps).reshape(-1)
    special = [0.0, -0.0, 1e-45, 1e30, np.inf, np.nan, np.nextafter(np.float32(2**31), 0)]
    values = np.concatenate([values, -values, special, np.negative(special)]).astype(gradient)
    both = Beside(rule, {"m": whole()}, weights_of([values.size]), device, gradient)

    assert_same_steps(both, [lambda _: values])
    rounded = both.on_device["m"].got()[0]
    with np.errstate(invalid="ignore"):
        nearest = np.round(values).astype(np.float32)
    np.testing.assert_array_equal(rounded, nearest)
    is_number = ~np.isnan(nearest)
    np.testing.assert_array_equal(np.signbit(rounded[is_number]), np.signbit(nearest[is_number]))


def truths():
    """Truths about elements, about blocks and about neither."""

    def decode(values, scale):
        return ro.where((scale > 1) | (values < 0), values, -values)

    def encode(x):
        largest = block_max(x)
        both = (largest > 2) & ~(x > 0) | (largest < 1)
        return ro.where(both, x, x * 0.5), ro.where(
            (largest > 1) & (number(bits(largest)) != 0), largest, 1.0
        )

    parts = {"values": Part(FLOAT32), "scale": per_block(FLOAT32)}
    return Storage("truths", decode, encode, parts, 32)


def test_truths_about_blocks_meet_those_about_elements(device):
    both = Beside(ro.momentum, {"m": truths()}, weights_of((1025,)), device)

    assert_same_steps(both, ordinary(2))


@ro.rule
def last(w, dw, previous, rate, *, learning_rate=0.1, is_on=1.0):
    """States that are written and never read, one of them a number of the step."""
    return ro.where(is_on > 0, w - learning_rate * dw, w), dw, learning_rate


def test_states_that_are_never_read_are_stored_all_the_same(device):
    both = Beside(last, dict.fromkeys(last.state, int8()), weights_of(SIZES), device)

    assert_same_steps(both, ordinary(1))
    assert all(np.all(x == 127) for x in both.on_device["rate"].got())


@ro.rule
def summed(w, dw, m, length: ro.Scalar, t, *, learning_rate=0.1, beta=0.9):
    """Sums of each tensor and of all, made of what is decoded, and scalar state of them."""
    m = beta * m + (1 - beta) * dw
    ones = ro.where(m == m, 1.0, 0.0)  # noqa: PLR0124  (not for nan; and for what is not there)
    length = ro.sqrt(ro.total(ro.dot(m, m) + ro.sum(ones)))
    return w - learning_rate / t * m * (1 + ro.norm(w)) / (1 + length), m, length


def test_sums_are_of_what_is_decoded(device):
    """Of the elements that are there alone, on every path."""
    chosen = {"w": bfloat16_16(), "m": int8(32)}
    both = Beside(summed, chosen, weights_of((2048, *SIZES), bfloat16), device)
    rng = np.random.default_rng(2)
    for _ in range(2):
        for gradient in both.gradients:
            gradient[...] = rng.normal(size=gradient.size)
        found = both.step()

        for got, expected in (pair for name in ("m", "m.scale") for pair in found[name]):
            np.testing.assert_array_equal(got, expected)
        pairs = zip(found["w"], found["w.error"], strict=True)
        for got, expected in (zip(*pair, strict=True) for pair in pairs):
            masters = [bfloat16_16().from_parts(list(parts)) for parts in (got, expected)]
            tolerance.assert_close_sums(*masters, "w")
        (got,) = both.inputs[0, -2:-1].tolist()
        (expected,) = both.reference._groups[0].scalars
        tolerance.assert_close_sums(got, expected, "length")


def test_a_step_may_be_reported_on(device):
    """What is added up where codes are written too."""
    chosen = {"m": int8(), "v": uint8_sqrt(), "w": bfloat16_16()}
    both = Beside(ro.adam, chosen, weights_of(SIZES, bfloat16), device, reports=True)
    for gradient in both.gradients:
        gradient[...] = np.random.default_rng(0).normal(size=gradient.size)
        gradient[7:9] = np.inf

    def masters():
        parts = zip(both.tensors["w"], both.tensors["w.error"], strict=True)
        return [bfloat16_16().from_parts(list(x)).astype(np.float64) for x in parts]

    before = masters()
    both.step()
    with np.errstate(invalid="ignore"):
        rows = [
            (np.sum(dw.astype(np.float64) ** 2), np.sum(w**2), np.sum((new - w) ** 2))
            for dw, w, new in zip(both.gradients, before, masters(), strict=True)
        ]
    found = both.call.sums(0).cpu().numpy()
    np.testing.assert_allclose(found, rows, rtol=1e-5)
    assert np.isinf(found[:, GRADIENT]).tolist() == [size > 7 for size in SIZES]


@pytest.mark.parametrize(
    "chosen",
    [
        {"m": int8(), "v": uint8_sqrt(), "w": bfloat16_8()},
        {"m": int4(64), "v": codes_by_chance(), "w": bfloat16_stochastic()},
        dict.fromkeys("wmv", bfloat16_stochastic(2**31 + 5)),
    ],
    ids=["8bit", "random blocks", "random"],
)
def test_numbers_may_be_computed_on_the_device(chosen, device):
    """Whole numbers, such as the hash of the step, too."""
    both, other = (Beside(ro.adam, chosen, weights_of((1025,), bfloat16), device) for _ in range(2))
    for t in (1, 2):
        for each in (both, other):
            each.gradients[0][...] = np.random.default_rng(t).normal(size=1025)
            each.on_device["dw"].put()
        both.step()
        numbers = [group.inputs(t) for group in other.reference._groups]
        other.call.prepare_on_device(torch.tensor(numbers, dtype=torch.float64, device=device))
        other.call.run()

    for name, tensors in both.on_device.items():
        for got, expected in zip(other.on_device[name].got(), tensors.got(), strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=name)
