"""Division by a number of the step: the bits of NumPy's division, for all operands.

The kernels that multiply instead (emit/llvm_division.py) are compiled here for each width of
vectors that is emitted anywhere, so that no test depends on the processor.
"""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ruleonce as ro
from ruleonce.emit import llvm
from ruleonce.emit.names import identifier
from ruleonce.engines.host import host_function
from ruleonce.engines.native import compile_ir
from ruleonce.formats import FORMATS, computed_in
from ruleonce.formats.floating import stored
from ruleonce.language import ops

WIDTHS = [("float32", 512), ("float64", 256), ("float64", 512)]
BITS = {"float32": np.uint32, "float64": np.uint64}

by_c = ro.rule(lambda w, dw, *, c=1.0: dw / c)


def lanes(form, fused):
    return fused // (8 * FORMATS[form].itemsize)


class Kernel:
    """A rule, compiled for vectors of some width."""

    def __init__(self, rule, forms, fused):
        self.program = rule.program()
        self.forms = [forms] * len(self.program.tensors) if isinstance(forms, str) else forms
        kinds = [FORMATS[form] for form in self.forms]
        formats = dict(zip(self.program.tensors, kinds, strict=True))
        source = llvm.emit(self.program, formats, computed_in(kinds), fused)
        self.has_vectors = ".vectors(" in source
        self.native = compile_ir(source, identifier(self.program.name))

    def __call__(self, tensors, inputs, begin=0, end=None):
        """Run once on rows of equal length: tensors[k][row] and inputs[row] belong together."""
        rows, length = tensors[0].shape
        numbers = np.zeros((rows, len(self.program.host)))
        pack = struct.Struct(f"{len(self.program.host)}d").pack_into
        for row in range(rows):
            host_function(self.program)(pack, memoryview(numbers[row]), *map(float, inputs[row]), 1)
        columns = [np.full(rows, length)]
        for array in (numbers, *tensors):
            assert array.flags.c_contiguous
            columns.append(array.ctypes.data + array.strides[0] * np.arange(rows))
        assert [x.dtype for x in tensors] == [FORMATS[form].dtype for form in self.forms]
        table = np.ascontiguousarray(np.array(columns, np.int64).T)
        end = length if end is None else end
        job = np.array([table.ctypes.data, 0, begin, rows - 1, end], np.int64)
        self.native.call(job.ctypes.data)


def assert_divided(form, fused, dividends, divisors):
    """The kernel's dividends[row] / divisors[row] and NumPy's, bit for bit."""
    kernel, got = Kernel(by_c, form, fused), np.empty_like(dividends)
    assert kernel.has_vectors
    kernel([got, dividends], divisors[:, None])
    with np.errstate(all="ignore"):
        expected = dividends / divisors.astype(form)[:, None]
    assert_same_bits(got, expected, dividends, divisors[:, None])


def assert_same_bits(got, expected, *operands):
    bits = BITS[got.dtype.name]
    differs = (got.view(bits) != expected.view(bits)) & ~(np.isnan(got) & np.isnan(expected))
    where = np.argwhere(differs)[:3]
    shown = [[np.broadcast_to(x, got.shape)[tuple(w)] for x in operands] for w in where]
    assert not differs.any(), f"{differs.sum()} of {differs.size}, as {shown}"


def numbers_of_all_kinds(form):
    info = np.finfo(form)
    least, tiny, eps = info.smallest_subnormal, info.tiny, info.eps
    positive = [0.0, least, 3 * least, tiny / 2, np.nextafter(tiny, 0, dtype=form), tiny, 49 * tiny]
    positive += [eps, 1 - info.epsneg, 1.0, 1 + eps, 2 - eps, 3.0, 49.0, 0.1]  # all-ones among them
    positive += [info.max / 2, info.max, np.inf, np.nan]
    # Where the kernel begins to divide: the numbers there, and their neighbours.
    edges = [-767, 257, -64, 64] if form == "float64" else [-95, 33, -24, 24]
    for exponent in edges:
        edge = np.array(2.0**exponent, form)
        positive += [np.nextafter(edge, 0, dtype=form), edge, np.nextafter(edge, edge * 2)]
    return np.array([*positive, *(-x for x in positive)], form)


def medium(rng, form, shape):
    """Numbers that no kernel divides: significands of all kinds, exponents around 1, some 0."""
    values = rng.uniform(1, 2, shape) * 2.0 ** rng.integers(-20, 20, shape)
    values[rng.random(shape) < 0.05] = 0.0
    return (values * rng.choice([-1.0, 1.0], shape)).astype(form)


def of_any_bits(rng, form, shape):
    bits = BITS[form]
    return rng.integers(0, np.iinfo(bits).max, shape, bits, endpoint=True).view(form)


def corrections(form):
    """The divisors of Adam."""
    betas = [0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1 - 2.0**-24]
    values = np.array([1 - beta**t for beta in betas for t in (*range(1, 60), 1000, 100_000)])
    return values.astype(form).astype(float)


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
@pytest.mark.parametrize("seed", range(3))
def test_random_dividends_by_random_divisors(form, fused, seed):
    """A million pairs each time."""
    rng = np.random.default_rng(seed)
    near_1 = np.abs(medium(rng, form, 600)) + np.finfo(form).tiny
    with np.errstate(invalid="ignore"):  # a signalling nan
        of_all = of_any_bits(rng, form, 200).astype(float)
    divisors = np.concatenate([corrections(form), near_1, of_all])
    dividends = medium(rng, form, (len(divisors), 1003))
    dividends[::4] = of_any_bits(rng, form, dividends[::4].shape)

    assert_divided(form, fused, dividends, divisors)


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
def test_every_kind_of_number_by_every_kind(form, fused):
    kinds = numbers_of_all_kinds(form)

    assert_divided(form, fused, np.tile(kinds, (len(kinds), 5)), kinds.astype(float))


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
def test_quotients_next_to_the_middle_of_two_numbers(form, fused):
    """The hardest there are: x / c is r / c away from a middle, and r is as small as can be.

    A middle is an odd number K of p + 1 bits. In K * c + r = x * 2**s, with odd c, K follows from
    the last s bits.
    """
    p = np.finfo(form).nmant + 1
    rng = np.random.default_rng(5)
    odd = [int(c) | 1 for c in rng.integers(2 ** (p - 1), 2**p, 300)]
    rows = {c: hard_dividends(c, p) for c in [2**p - 1, 2**p - 3, 2 ** (p - 1) + 1, *odd]}
    size = max(map(len, rows.values()))
    dividends = np.array([(x + [1] * size)[:size] for x in rows.values()], form)
    scale = 2.0**-p

    assert size > 3
    assert_divided(form, fused, np.tile(dividends, 29) * scale, np.array([*rows]) * scale)


def hard_dividends(c, p):
    found = []
    for r in (-5, -3, -1, 1, 3, 5):
        for s in (p, p + 1):
            middle = -r * pow(c, -1, 2**s) % 2**s
            middle |= 2**p if s == p else 0
            x = (middle * c + r) >> s
            if middle >= 2**p and 2 ** (p - 1) <= x < 2**p:
                found += [x, -x]
    return found


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
def test_one_lane_that_is_out_of_the_ordinary(form, fused):
    """In each lane of the first, the second and the last vector; its neighbours are zeros too."""
    rng = np.random.default_rng(6)
    width = lanes(form, fused)
    kinds = numbers_of_all_kinds(form)
    for others in (medium(rng, form, 12 * width), np.zeros(12 * width, form)):
        places = [*range(2 * width), *range(11 * width, 12 * width)]
        dividends = np.tile(others, (len(places) * len(kinds), 1))
        for row, (place, kind) in enumerate((p, k) for p in places for k in kinds):
            dividends[row, place] = kind

        assert_divided(form, fused, dividends, np.full(len(dividends), 1 - 0.9**3))


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
def test_runs_of_any_length_that_begin_anywhere(form, fused):
    """And nothing outside of a run is written."""
    rng = np.random.default_rng(7)
    width = lanes(form, fused)
    kernel = Kernel(by_c, form, fused)
    size = 12 * width
    dividends = medium(rng, form, (1, size))
    dividends[0, ::width] = np.finfo(form).smallest_subnormal
    expected = dividends / np.array(0.3, form)
    for begin in range(2 * width + 2):
        for end in (begin, begin + 1, *range(size - 3 * width, size + 1)):
            got = np.full((1, size), 7, form)
            kernel([got, dividends], [[0.3]], begin, end)

            wanted = np.full_like(got, 7)
            wanted[:, begin:end] = expected[:, begin:end]
            assert_same_bits(got, wanted, dividends)


@settings(max_examples=300, deadline=None)
@given(
    width=st.sampled_from(WIDTHS),
    c=st.floats() | st.floats(0, 1, exclude_min=True),
    x=st.lists(st.floats(), min_size=1, max_size=40),
    seed=st.integers(0, 2**31),
)
def test_any_divisor_with_any_few_dividends(width, c, x, seed):
    form, fused = width
    rng = np.random.default_rng(seed)
    dividends = medium(rng, form, (1, 167))
    with np.errstate(all="ignore"):
        dividends[0, rng.integers(0, 167, len(x))] = np.array(x).astype(form)
        divisor = np.array([c]).astype(form).astype(float)

    assert_divided(form, fused, dividends, divisor)


# Divisions that wait for others, that are checked together, that share a divisor, by constants.
CHAINS = [
    ro.rule(lambda w, dw, m, *, a=1.0, b=1.0: (w / a / b, m / b)),
    ro.rule(lambda w, dw, m, *, a=1.0, b=1.0: (dw / a + w / a, (m / a + 1) / b / 3.0)),
    ro.rule(lambda w, dw, m, *, a=1.0, b=1.0: (a / w + w / (a * b), b / m + dw / 0.1 / 4.0)),
    ro.rule(lambda w, dw, m, *, a=1.0, b=1.0: (w / a / dw / b, ro.where(a > b, m / a, m / b))),
    ro.rule(lambda w, dw, m, *, a=1.0, b=1.0: (dw / 0.0 / a, m / -b / np.inf)),
]


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
@pytest.mark.parametrize("chain", CHAINS, ids=range(len(CHAINS)))
def test_divisions_of_quotients_and_several_at_once(chain, form, fused):
    rng = np.random.default_rng(8)
    inputs = np.abs(medium(rng, form, (40, 2))) + np.array(1e-3, form)
    inputs[-2:, 0] = [np.inf, 0.0]

    assert_as_plain(chain, form, fused, inputs, of_any_bits(rng, form, 1000))


def assert_as_plain(rule, form, fused, inputs, kinds):
    """A rule of three tensors and two inputs, on medium numbers with some of `kinds` in them."""
    rng = np.random.default_rng(9)
    kernel = Kernel(rule, form, fused)
    assert kernel.has_vectors
    shape = len(inputs), 183
    tensors = [medium(rng, form, shape) for _ in range(3)]
    for tensor in tensors:
        odd = rng.random(shape) < 0.02
        tensor[odd] = rng.choice(kinds, shape)[odd]
    a, b = rule.hyperparameters
    with np.errstate(all="ignore"):
        rows = zip(*tensors, np.array(inputs, float).tolist(), strict=True)
        expected = [rule(w, dw, m, **{a: x, b: y}) for w, dw, m, (x, y) in rows]
    got = [x.copy() for x in tensors]
    kernel(got, inputs)

    assert_same_bits(got[0], np.array([w for w, _ in expected]), *tensors)
    assert_same_bits(got[2], np.array([m for _, m in expected]), *tensors)


@ro.rule
def every_operation(w, dw, m, *, c=1.0, k=0.5):
    """Every exact operation beside a division, so that it is done on vectors."""
    either = (w < dw) & ~(dw <= m) | (w > k)
    other = (w >= dw) | (w == m) & (m != k)
    x = ro.where(either, ro.maximum(w, dw), ro.minimum(dw, -m))
    y = ro.where(other, ro.sign(w) + ro.sqrt(abs(m)), w * dw - k)
    return ro.where(k < c, x / c, y), ro.where(c < k, x, y / c)


@pytest.mark.parametrize(("form", "fused"), WIDTHS)
def test_every_operation_beside_a_division(form, fused):
    used = {node.op for node in every_operation.program().body}
    assert used >= {op for op in ops.DEVICE_OPS if op.exact}

    inputs = [(0.3, 0.5), (0.7, 0.5)] * 20
    assert_as_plain(every_operation, form, fused, inputs, numbers_of_all_kinds(form))


@pytest.mark.parametrize("gradient", FORMATS)
@pytest.mark.parametrize("weights", FORMATS)
@pytest.mark.parametrize("fused", [256, 512])
def test_any_two_formats(weights, gradient, fused):
    """Read, divided in float32 or float64, and rounded once."""
    rng = np.random.default_rng(10)
    kernel = Kernel(by_c, [weights, gradient], fused)
    computed = computed_in([FORMATS[weights], FORMATS[gradient]])
    kinds = numbers_of_all_kinds(computed.name)
    divisors = np.abs(kinds[np.isfinite(kinds) & (kinds != 0)])
    values = medium(rng, computed.name, (len(divisors), 335))
    values[:, ::39] = rng.choice(kinds, values[:, ::39].shape)
    with np.errstate(all="ignore"):
        dividends = stored(values, FORMATS[gradient])
        wide = dividends.astype(computed.dtype) / divisors[:, None]
        expected = stored(wide, FORMATS[weights])
    got = np.empty_like(expected)
    kernel([got, dividends], divisors[:, None])

    got, wanted = (x.astype(computed.dtype) for x in (got, expected))
    assert_same_bits(got, wanted, values, divisors[:, None])
