"""Every rule x every format: the cpu and the gpu engine give the codes of the reference engine, bit
for bit; and those of a step in float64, but for ties.

A format is here because it stands in `ruleonce.formats.choice.STORAGES`.
"""

import numpy as np
import pytest
import tolerance
from on_device import Beside

import ruleonce as ro
from ruleonce.emit.llvm import LIBRARY
from ruleonce.formats import Choice
from ruleonce.formats.choice import STORAGES, eight_bits

SIZES = (0, 1, 127, 128, 300)
INTERPRETED = (0, 1024, 301)  # by Triton's interpreter, which takes its time
STEPS = 4
ROOTS = {name for name in STORAGES if name.startswith("uint")}  # for what is never negative


def has_tolerance(rule):
    """Whether a rule calls functions of the C library."""
    return any(node.op in LIBRARY for node in rule.program().body)


def formats_of(rule, name):
    """The format for every tensor that it can store: weights, or the states, or both."""
    storage = STORAGES[name]()
    if storage.is_random and not storage.block:
        return dict.fromkeys((rule.schema.weights, *rule.state), storage)
    if not storage.block:
        return {rule.schema.weights: storage}
    chosen = eight_bits(rule, {})
    if name in ROOTS:
        return {s: storage for s, best in chosen.items() if best.name == "uint8_sqrt"}
    return dict.fromkeys(rule.state, storage)


CASES = [
    pytest.param(rule, name, id=f"{rule.name}-{name}")
    for rule in ro.rules.ALL
    for name in STORAGES
    if formats_of(rule, name)
]


def start(size, formats, rule):
    weights = np.random.default_rng(size).normal(size=size).astype(np.float32)
    storage = formats.get(rule.schema.weights)
    return weights.astype(dtype_of(storage)) if storage else weights


def dtype_of(storage):
    """That of the weights that a model uses."""
    return next(iter(storage.parts.values())).form.dtype


def everything(optimizer):
    """All that lies in memory, by its name."""
    return {"w": optimizer.params, **optimizer.stored[""]}


@pytest.mark.parametrize(("rule", "name"), CASES)
def test_the_cpu_engine_has_the_codes_of_the_reference(rule, name):
    formats = formats_of(rule, name)
    for size in SIZES:
        rng = np.random.default_rng(size)
        ours, theirs = (
            ro.Optimizer(
                rule, start(size, formats, rule), engine=engine, formats=Choice(formats, 0)
            )
            for engine in ("cpu", "reference")
        )
        for _ in range(1 if has_tolerance(rule) else STEPS):
            gradient = (rng.normal(size=size) * 10.0 ** rng.integers(-4, 3, size)).astype("f4")
            ours.step(gradient)
            theirs.step(gradient)
        for what, array in everything(theirs).items():
            got = everything(ours)[what]
            if has_tolerance(rule) and what == "w.error":
                continue  # a unit of float32 is many of them, or a carry to the weights
            if has_tolerance(rule):
                np.testing.assert_allclose(
                    got.astype(float), array.astype(float), rtol=0.01, atol=1e-5, err_msg=what
                )
            else:
                np.testing.assert_array_equal(got, array, err_msg=what)


def any_codes(rng):
    """States as they may be after many steps: every code there is."""

    def start(array):
        if array.dtype.kind in "iu":
            codes = np.iinfo(array.dtype)
            found = rng.integers(codes.min, codes.max, array.shape, endpoint=True)
            if 2 * array.size - 1 in INTERPRETED:  # two codes in a byte, and one in the last
                found[-1] &= 15
            return found
        return np.abs(rng.normal(size=array.shape))

    return start


# For a GPU these are made of the operations of others, and meet no rule in a way of their own. Some
# rules stand for all: with few tensors, with many, with sums, and one that leaves a state as it is.
# What is new in these formats is in tests/engines/test_gpu_formats.py; the others meet every rule.
AS_OTHERS = {"int4", "uint4_sqrt", "uint8_sqrt_stochastic", "float16+8", "float16+16"}
SAMPLE = (ro.rules.adam, ro.rules.lion, ro.rules.adan, ro.rules.lamb, ro.rules.sophia)
ON_DEVICE = [x for x in CASES if x.values[1] not in AS_OTHERS or x.values[0] in SAMPLE]


@pytest.mark.parametrize(("rule", "name"), ON_DEVICE)
def test_the_gpu_engine_has_the_codes_of_the_reference(rule, name, device):
    """One launch for all tensors, of a whole block and of a short one."""
    formats, rng = formats_of(rule, name), np.random.default_rng(0)
    weights = [start(size, formats, rule) for size in INTERPRETED]
    both = Beside(rule, formats, weights, device, state=any_codes(rng))
    for gradient in both.gradients:
        gradient[...] = rng.normal(size=gradient.size) * 10.0 ** rng.integers(-4, 3, gradient.size)
    found = both.step()

    is_close = has_tolerance(rule) or len(both.program.passes) > 1
    for what, pairs in found.items():
        for got, expected in pairs:
            if not is_close:
                np.testing.assert_array_equal(got, expected, err_msg=what)
    if is_close:
        assert_close(found, both.storages, rule)
    assert not any(np.any(x) for tensors in both.on_device.values() for x in tensors.beyond())


def assert_close(found, storages, rule):
    """What one step of a rule gives that is not exact, from equal state."""
    close = tolerance.assert_close_step if has_tolerance(rule) else tolerance.assert_close_sums
    for tensor, storage in storages.items():
        parts = [found.pop(name) for name in storage.names(tensor)]
        if storage.block:
            codes, scales = parts
            for got, expected in codes:
                tolerance.assert_close_codes(got, expected, tensor)
            for got, expected in scales:
                close(got, expected, tensor)
        else:
            bits = sum(8 * x[0][0].itemsize for x in parts)
            coarse = 1 << (32 - bits)  # the bits of float32 that it lacks
            for pair in zip(*parts, strict=True):
                close(
                    *(storage.from_parts(list(x)) for x in zip(*pair, strict=True)), tensor, coarse
                )
    for what, pairs in found.items():
        for got, expected in pairs:
            close(got, expected, what)


@ro.rule
def last(w, dw, previous, rate, *, learning_rate=0.1):
    """States that are written and never read: a gradient, and a number of the step."""
    return w - learning_rate * dw, dw, learning_rate


@pytest.mark.parametrize("name", [name for name in STORAGES if STORAGES[name]().block])
def test_a_state_that_is_never_read_is_stored_all_the_same(name):
    formats = Choice(dict.fromkeys(last.state, name), 0)
    found = []
    for engine in ("cpu", "reference"):
        optimizer = ro.Optimizer(last, np.ones(300, "f4"), engine=engine, formats=formats)
        optimizer.step(np.arange(300, dtype=np.float32))
        found.append(everything(optimizer))

    for what, array in found[1].items():
        np.testing.assert_array_equal(found[0][what], array, err_msg=what)
    assert np.any(found[0]["previous"])


@pytest.mark.parametrize("name", ["bfloat16+16", "float16+16"])
@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_weights_with_16_error_bits_are_those_of_a_run_in_float32(rule, name):
    """For a thousand steps, on the engine that compiles; float16 does not reach as far."""
    rng = np.random.default_rng(0)
    masters = rng.normal(size=300).astype(np.float32)
    if name == "float16+16":
        masters += np.copysign(np.float32(20), masters)
    formats = {rule.schema.weights: name}
    narrow = ro.Optimizer(rule, masters.astype(dtype_of(STORAGES[name]())), formats=formats)
    narrow.masters = masters
    wide = ro.Optimizer(rule, masters.copy())
    for _ in range(1000):
        gradient = rng.normal(size=300).astype(np.float32)
        narrow.step(gradient)
        wide.step(gradient)
        if name == "float16+16":
            assert np.all(np.abs(wide.params) > 2.0**-17)

    np.testing.assert_array_equal(narrow.masters, wide.params)
    for state in rule.state:
        np.testing.assert_array_equal(narrow.state[state], wide.state[state])


@pytest.mark.parametrize("rule", [ro.rules.adam, ro.rules.adamw, ro.rules.lion, ro.rules.momentum])
def test_codes_are_those_of_float64_but_for_ties(rule):
    """Decoded, computed and encoded in float64 by the plain rule: a code is another only where the
    value lies within rounding of the middle between two.
    """
    size, ties = 5000, 0
    rng = np.random.default_rng(3)
    storages = eight_bits(rule, {})
    optimizer = ro.Optimizer(rule, rng.normal(size=size).astype(np.float32), formats="8bit")
    for t in range(1, 21):
        before = {"w": optimizer.params.astype(float)}
        for state, storage in storages.items():
            parts = [optimizer.stored[""][name] for name in storage.names(state)]
            before[state] = storage.from_parts(parts, np.float64)
        gradient = rng.normal(size=size).astype(np.float32)
        values = (before["w"], gradient, *map(before.get, rule.state))
        named = dict(zip(rule.schema.tensors, values, strict=True))
        given = [named.get(name, t) for name in rule.schema.positional]
        new = dict(zip(rule.schema.returns, rule(*given), strict=True))
        optimizer.step(gradient)
        np.testing.assert_allclose(optimizer.params, new["w"], rtol=1e-5, atol=1e-6)
        for state, storage in storages.items():
            codes, scale = storage.to_parts(new[state])
            got, got_scale = (optimizer.stored[""][name] for name in storage.names(state))
            np.testing.assert_allclose(got_scale, scale, rtol=1e-6)
            apart = np.abs(got.astype(int) - codes)
            assert apart.max() <= 1
            ties += np.count_nonzero(apart)
    assert ties < 20 * size * len(storages) * 1e-4  # what lies within 1e-5 of a middle, twice over


@ro.rule
def take(w, dw):
    """The gradient as the new weights, where they were 0."""
    return w + dw


@pytest.mark.parametrize("name", STORAGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_any_size_are_stored_alike_by_both_engines(name, dtype):
    """Random patterns, and blocks with inf and nan, computed in either precision."""
    storage = STORAGES[name]()
    patterns = np.random.default_rng(1).integers(0, 2**32, 1300, dtype=np.uint32)
    values = patterns.view(np.float32)
    values[np.isnan(values)] = np.nan
    values[:1024] = np.where(np.isfinite(values[:1024]), values[:1024], 1.0)
    values[128:256] = np.ldexp(values[128:256], -np.frexp(values[128:256])[1] - 30)
    values[256:384] = np.ldexp(values[256:384], -np.frexp(values[256:384])[1] - 120)
    values[384:640] = np.ldexp(values[384:640], -np.frexp(values[384:640])[1] + 14)
    values[1024:1152:50], values[1290] = np.inf, -np.inf
    values = np.abs(values) if name in ROOTS else values
    found = []
    for engine in ("cpu", "reference"):
        weights = np.zeros(1300, "f4" if storage.block else dtype_of(storage))
        rule, tensor = (last, "previous") if storage.block else (take, "w")
        optimizer = ro.Optimizer(rule, weights, engine=engine, formats=Choice({tensor: storage}, 0))
        optimizer.step(values.astype(dtype))
        found.append(everything(optimizer))

    for what, array in found[1].items():
        ours = found[0][what].astype(float)
        np.testing.assert_array_equal(ours, array.astype(float), err_msg=what)


@pytest.mark.parametrize("block", [1, 2, 8, 512])
def test_blocks_that_fill_no_vector_have_the_codes_of_the_reference(block):
    storage = STORAGES["int8"](block)
    found = []
    for engine in ("cpu", "reference"):
        rng = np.random.default_rng(0)
        optimizer = ro.Momentum(
            rng.normal(size=300).astype("f4"), engine=engine, formats=Choice({"m": storage}, 0)
        )
        for _ in range(3):
            optimizer.step(rng.normal(size=300).astype("f4"))
        found.append(everything(optimizer))

    for what, array in found[1].items():
        np.testing.assert_array_equal(found[0][what], array, err_msg=what)
