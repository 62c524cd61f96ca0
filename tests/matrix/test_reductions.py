"""Sums over tensors on every engine: against exact sums, in any number of threads, run after run.

What a sum should be is `math.fsum` of the elements in float64, which rounds once.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from tolerance import LONG_SUM

import ruleonce as ro
import ruleonce.torch
from ruleonce.engines import threads
from ruleonce.errors import HyperparameterError

BLOCK = 4096  # elements of the cpu engine's blocks; the gpu engine has 1024
SIZES = (0, 1, 2, 3, 7, 64, 65, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 12_289)
DTYPES = (np.float64, np.float32, np.float16, bfloat16)
NUMPY = ("cpu", "reference")
TORCH = ("cpu", "gpu", "tensors")


@ro.rule
def measured(w, dw, product, length, middle, count,
             added: ro.Scalar, squares: ro.Scalar, elements: ro.Scalar):  # fmt: skip
    """Every reduction: of one tensor into its state, of all of them into scalar state.

    Source: none.
    """
    return (
        ro.sum(dw),
        ro.dot(w, dw),
        ro.norm(dw),
        ro.mean(dw),
        ro.size(dw),
        ro.total(ro.sum(dw)),
        ro.total(ro.dot(dw, dw)),
        ro.total(ro.size(w)),
    )


STATE = ("w", *measured.state)


def by_numpy(rule, engine, weights, gradients, steps=1, **options):
    """(state name -> arrays, scalar name -> number) after some steps; w is among the state."""
    weights = [w.copy() for w in weights]
    optimizer = ro.Optimizer(rule, weights, engine=engine, **options)
    for _ in range(steps):
        optimizer.step(gradients)
    state = optimizer.state
    return {"w": weights} | {n: state[n] for n in rule.state}, {n: state[n] for n in rule.scalars}


def as_tensor(array):
    if array.dtype == bfloat16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def as_array(tensor, dtype):
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(bfloat16).copy()
    return tensor.detach().numpy().astype(dtype)


def by_torch(rule, engine, weights, gradients, steps=1, **options):
    """The same through the PyTorch front end."""
    tensors = [torch.nn.Parameter(as_tensor(w)) for w in weights]
    optimizer = ruleonce.torch.optimizer(rule)(tensors, engine=engine, **options)
    for w, dw in zip(tensors, gradients, strict=True):
        w.grad = as_tensor(dw)
    for _ in range(steps):
        optimizer.step()
    entries = [optimizer.state[w] for w in tensors]
    arrays = {"w": [as_array(w, x.dtype) for w, x in zip(tensors, weights, strict=True)]}
    for name in rule.state:
        arrays[name] = [as_array(e[name], x.dtype) for e, x in zip(entries, weights, strict=True)]
    return arrays, {name: float(entries[0][name]) for name in rule.scalars}


WAYS = {f"numpy-{engine}": (by_numpy, engine) for engine in NUMPY} | {
    f"torch-{engine}": (by_torch, engine) for engine in TORCH
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


# Values


def ordinary(rng, size):
    return rng.normal(size=size)


def of_all_magnitudes(rng, size):
    return rng.normal(size=size) * 10.0 ** rng.integers(-30, 30, size)


def denormal(rng, size):
    return rng.integers(-50, 50, size) * 5e-324


def huge(rng, size):
    """No sum of so many is beyond float64, however it is made; of squares it is."""
    return rng.uniform(-1, 1, size) * 1e300


def zero(rng, size):
    return rng.choice([0.0, -0.0], size)


def odd(rng, size):
    """With an infinite element, a nan, or several."""
    values = rng.normal(size=size)
    some = rng.integers(0, size, min(size, 3)) if size else []
    values[some] = rng.choice([np.inf, -np.inf, np.nan], len(some))
    return values


KINDS = (ordinary, of_all_magnitudes, denormal, huge, zero, odd)


def exact(terms):
    """Their sum, rounded once, and the sum of their magnitudes; inf and nan as addition has it."""
    terms = np.asarray(terms, np.float64)
    if not np.all(np.isfinite(terms)):
        with np.errstate(invalid="ignore"):
            return float(np.sum(terms[~np.isfinite(terms)])), 0.0
    return math.fsum(terms), math.fsum(np.abs(terms))


def assert_sum(got, terms, unit=0.0):
    """`got` is their sum: off by no more than adding up a block, and the blocks, may be.

    unit   what else may be rounded away: half a unit in the last place of the result's own dtype
    """
    total, magnitude = exact(terms)
    if not math.isfinite(total):
        np.testing.assert_equal(float(got), total)
        return
    additions = BLOCK + len(terms) / 1024
    allowed = additions * 2.0**-53 * magnitude + unit * abs(total) + len(terms) * 5e-324
    assert abs(float(got) - total) <= allowed, (float(got), total)


def products(x, y):
    with np.errstate(over="ignore", invalid="ignore"):
        return x.astype(np.float64) * y.astype(np.float64)


def check(way, weights, gradients, **options):
    """Run `measured`, and hold everything that it leaves against exact sums."""
    run, engine = WAYS[way]
    arrays, scalars = run(measured, engine, weights, gradients, **options)
    end_to_end = np.concatenate([dw.astype(np.float64) for dw in gradients])
    assert_sum(scalars["added"], end_to_end)
    assert_sum(scalars["squares"], products(end_to_end, end_to_end))
    assert scalars["elements"] == len(end_to_end)
    for place, (w, dw) in enumerate(zip(weights, gradients, strict=True)):
        if not w.size:
            continue
        results = {name: arrays[name][place] for name in STATE}
        assert all(np.all((x == x[0]) | np.isnan(x)) for x in results.values())
        one = {name: float(x[0]) for name, x in results.items()}
        dtype = w.dtype
        assert_stored(one["w"], dw, dtype)
        assert_stored(one["product"], products(w, dw), dtype)
        assert_stored(one["count"], np.ones(dw.size), dtype)
        assert_stored(one["middle"] * dw.size, dw, dtype, dw.size)
        assert_stored(one["length"] ** 2, products(dw, dw), dtype, 4.0)


def assert_stored(got, terms, dtype, factor=1.0):
    """A sum that was rounded to a dtype; what is beyond it is infinite, and what is below it 0.

    factor   how much more than the sum itself may be off: it was squared, or multiplied
    """
    total, _ = exact(terms)
    info = ml_finfo(dtype)
    if math.isfinite(total) and abs(total) > 0.99 * float(info.max):
        return
    if math.isfinite(total) and abs(total) < 1e3 * factor * float(info.tiny):
        return
    assert_sum(got, terms, 4.0 * float(info.eps) * min(factor, 4.0))


def ml_finfo(dtype):
    import ml_dtypes

    return ml_dtypes.finfo(dtype)


@st.composite
def tensors(draw, sizes=SIZES):
    """Weights and gradients: up to 4 tensors of one dtype."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(DTYPES))
    weights, gradients = [], []
    for size in draw(st.lists(st.sampled_from(sizes), min_size=1, max_size=4)):
        w, dw = (draw(st.sampled_from(KINDS))(rng, size) for _ in range(2))
        with np.errstate(over="ignore"):
            weights.append(w.astype(dtype))
            gradients.append(dw.astype(dtype))
    return weights, gradients


@pytest.mark.parametrize("way", [way for way in WAYS if way != "torch-gpu"])
@given(case=tensors())
@settings(max_examples=60, deadline=None)
def test_a_sum_is_the_exact_sum(way, case):
    check(way, *case)


@given(case=tensors(sizes=(0, 1, 7, 1023, 1024, 1025, 3000)))
@settings(max_examples=15, deadline=None)
def test_a_sum_of_the_interpreted_gpu_engine_is_the_exact_sum(case):
    check("torch-gpu", *case)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", [way for way in WAYS if way != "torch-gpu"])
def test_a_sum_of_a_million_is_off_by_a_few_units_only(way, dtype):
    """Added up one by one they would be off by a thousand units of float64; in float32, by
    far. How many units it is depends on how many elements the processor takes at a time.
    """
    rng = np.random.default_rng(7)
    dw = rng.uniform(0, 1, 1_000_003).astype(dtype)
    run, engine = WAYS[way]
    _, scalars = run(measured, engine, [np.zeros_like(dw)], [dw])
    assert scalars["added"] == pytest.approx(math.fsum(dw), rel=LONG_SUM, abs=0)
    assert scalars["squares"] == pytest.approx(math.fsum(products(dw, dw)), rel=LONG_SUM, abs=0)


# Bits that stay


SHARED = [1_300_001, 3, 0, 4096, 40_000]


@pytest.fixture
def _number_of_threads():
    before = threads._count
    yield
    threads._count = before


def assert_equal_bits(one, another):
    for name, arrays in one[0].items():
        for x, y in zip(arrays, another[0][name], strict=True):
            np.testing.assert_array_equal(x, y, err_msg=name, strict=True)
    assert one[1] == another[1]


@pytest.mark.usefixtures("_number_of_threads")
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("way", ["numpy-cpu", "torch-cpu"])
def test_a_sum_does_not_depend_on_the_number_of_threads(way, dtype):
    assert sum(SHARED) > threads.POOL.worth
    rng = np.random.default_rng(0)
    weights, gradients = ([rng.normal(size=n).astype(dtype) for n in SHARED] for _ in range(2))
    run, engine = WAYS[way]
    ro.set_threads(1)
    expected = run(measured, engine, weights, gradients)
    for count in (1, 2, 3, 7):  # 1 again: the same from run to run
        ro.set_threads(count)
        assert_equal_bits(run(measured, engine, weights, gradients), expected)


@EVERY_WAY
def test_a_sum_does_not_depend_on_the_tensors_beside_it(way):
    """Each tensor is cut into blocks from its own first element on."""
    rng = np.random.default_rng(0)
    weights, gradients = ([rng.normal(size=n) for n in (5000, 1, 1025)] for _ in range(2))
    run, engine = WAYS[way]
    together, _ = run(measured, engine, weights, gradients)
    for place in range(3):
        alone, _ = run(measured, engine, weights[place:][:1], gradients[place:][:1])
        for name in STATE:
            np.testing.assert_array_equal(alone[name][0], together[name][place], err_msg=name)


@EVERY_WAY
def test_a_run_gives_the_bits_of_the_run_before(way):
    rng = np.random.default_rng(0)
    weights, gradients = ([rng.normal(size=n) for n in (5000, 1, 1025)] for _ in range(2))
    run, engine = WAYS[way]
    first = run(two_levels, engine, weights, gradients, steps=3)
    assert_equal_bits(run(two_levels, engine, weights, gradients, steps=3), first)


# Totals over all tensors of an optimizer


@pytest.mark.parametrize("engine", NUMPY)
def test_a_total_is_over_all_formats_and_groups(engine):
    """Four launches, two groups: each group has the same total of all."""
    rng = np.random.default_rng(3)
    sizes = (5000, 7, 0, 4097, 1, 33)
    dtypes = (np.float64, np.float32, np.float16, bfloat16, np.float32, np.float64)
    gradients = [rng.normal(size=n).astype(d) for n, d in zip(sizes, dtypes, strict=True)]
    weights = [np.zeros_like(dw) for dw in gradients]
    params = {"first": weights[:3], "second": weights[3:]}
    optimizer = ro.Optimizer(scaled, params, engine=engine, groups={"second*": {"rate": 2.0}})
    optimizer.step({"first": gradients[:3], "second": gradients[3:]})

    end_to_end = np.concatenate([dw.astype(np.float64) for dw in gradients])
    assert len(optimizer._launches) > 3
    lengths = optimizer.state["length"]
    assert len(lengths) == 2
    for rate, length in zip((1.0, 2.0), lengths, strict=True):
        assert_sum((length / rate) ** 2, products(end_to_end, end_to_end), 1e-15)
    for w, dw, rate in zip(weights, gradients, (1, 1, 1, 2, 2, 2), strict=True):
        expected = -dw.astype(np.float64) / np.linalg.norm(end_to_end) * rate
        eps = float(ml_finfo(w.dtype).eps)
        np.testing.assert_allclose(w.astype(np.float64), expected, rtol=4 * eps, atol=eps / 1e3)


@ro.rule
def scaled(w, dw, length: ro.Scalar, *, rate=1.0):
    """A step as long, over all tensors, as its rate.

    Source: none.
    """
    norm = ro.sqrt(ro.total(ro.dot(dw, dw)))
    return w - rate * dw / norm, rate * norm


@pytest.mark.parametrize("engine", TORCH)
def test_a_total_is_over_all_formats_and_groups_in_pytorch(engine):
    rng = np.random.default_rng(3)
    kinds = (torch.float64, torch.float32, torch.bfloat16, torch.float32)
    weights = [
        torch.nn.Parameter(torch.zeros(n, dtype=kind))
        for n, kind in zip((5000, 7, 0, 33), kinds, strict=True)
    ]
    for w in weights:
        w.grad = torch.from_numpy(rng.normal(size=w.numel())).to(w.dtype)
    groups = [{"params": weights[:2]}, {"params": weights[2:], "rate": 2.0}]
    optimizer = ruleonce.torch.optimizer(scaled)(groups, engine=engine)
    optimizer.step()

    end_to_end = torch.cat([w.grad.double() for w in weights]).numpy()
    for w, rate in zip(weights, (1.0, 1.0, 2.0, 2.0), strict=True):
        length = float(optimizer.state[w]["length"])
        assert_sum((length / rate) ** 2, products(end_to_end, end_to_end), 1e-15)


@pytest.mark.parametrize("dtypes", ["dd", "df"], ids=["one launch", "two launches"])
@EVERY_WAY
def test_an_infinite_total_says_nothing(way, dtypes):
    """No warning, whatever the signs; what a step makes of it shows in its numbers."""
    gradients = [np.array([1.0, np.inf], dtypes[0]), np.array([-np.inf, 2.0], dtypes[1])]
    run, engine = WAYS[way]
    _, scalars = run(measured, engine, [np.zeros_like(dw) for dw in gradients], gradients)
    assert math.isnan(scalars["added"])
    assert scalars["squares"] == math.inf
    assert scalars["elements"] == 4


@EVERY_WAY
def test_where_there_is_no_element_sums_are_0_and_means_nan(way):
    run, engine = WAYS[way]
    empty = [np.zeros(0), np.zeros((0, 3))]
    _, scalars = run(measured, engine, empty, empty)
    assert scalars == {"added": 0.0, "squares": 0.0, "elements": 0.0}

    dw = np.arange(3.0)
    arrays, scalars = run(measured, engine, [*empty, np.ones(3)], [*empty, dw])
    assert scalars == {"added": 3.0, "squares": 5.0, "elements": 3.0}
    assert arrays["middle"][2].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("engine", NUMPY)
def test_an_optimizer_of_nothing_has_totals_of_nothing(engine):
    optimizer = ro.Optimizer(measured, [], engine=engine)
    optimizer.step([])
    assert optimizer.t == 1


# Several levels


@ro.rule
def two_levels(w, dw, deviation, t, *, rate=0.1):
    """What is measured is measured again: a variance, and a norm of what was divided by a norm.

    Source: none.
    """
    centred = dw - ro.mean(dw)
    spread = ro.sqrt(ro.mean(centred**2))
    step = centred / (spread + 1e-3)
    share = ro.norm(step) / ro.sqrt(ro.total(ro.dot(step, step)))
    return w - rate * share * step / t, deviation + spread


def levels_in_numpy(weights, gradients, steps):
    """The same in NumPy's own words, all in float64."""
    weights = [w.astype(np.float64) for w in weights]
    steps_of = [(dw - dw.mean()) / (dw.std() + 1e-3) for dw in map(np.float64, gradients)]
    length = np.linalg.norm(np.concatenate(steps_of))
    for t in range(1, steps + 1):
        for w, step in zip(weights, steps_of, strict=True):
            w[:] -= 0.1 * np.linalg.norm(step) / length * step / t
    return weights


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, bfloat16])
@EVERY_WAY
def test_sums_of_what_was_made_of_sums(way, dtype):
    rng = np.random.default_rng(11)
    sizes = (5000, 2, 1025, 70)
    weights, gradients = ([rng.normal(size=n).astype(dtype) for n in sizes] for _ in range(2))
    run, engine = WAYS[way]
    assert len(two_levels.program().passes) == 4
    arrays, _ = run(two_levels, engine, weights, gradients, steps=3)

    eps = float(ml_finfo(dtype).eps)
    expected = levels_in_numpy(weights, [dw.astype(np.float64) for dw in gradients], 3)
    for w, wanted, dw in zip(arrays["w"], expected, gradients, strict=True):
        assert w.dtype == dtype
        np.testing.assert_allclose(w.astype(np.float64), wanted, rtol=4 * eps, atol=4 * eps)
        spread = 3 * dw.astype(np.float64).std()
        got = arrays["deviation"][sizes.index(dw.size)].astype(np.float64)
        np.testing.assert_allclose(got, spread, rtol=4 * eps)


@ro.rule
def late_total(w, dw, found: ro.Scalar):
    """Its first pass has no total, its second has.

    Source: none.
    """
    found = ro.total(ro.norm(dw / ro.norm(dw)))
    return w - dw / found, found


@EVERY_WAY
def test_a_total_of_a_later_pass(way):
    """Three tensors of norm 1 each, once they are divided by their own."""
    rng = np.random.default_rng(5)
    gradients = [rng.normal(size=n) for n in (5000, 7, 1025)]
    run, engine = WAYS[way]
    arrays, scalars = run(late_total, engine, [np.zeros(n.size) for n in gradients], gradients)
    assert scalars["found"] == pytest.approx(3.0, rel=1e-14)
    for w, dw in zip(arrays["w"], gradients, strict=True):
        np.testing.assert_allclose(w, -dw / 3, rtol=1e-14)


# A step that is refused


@pytest.mark.parametrize("engine", NUMPY)
@pytest.mark.parametrize("how", ["schedule", "shape", "gradient"])
def test_a_refused_step_changes_nothing(engine, how):
    weights = [np.arange(5000.0), np.arange(7.0)]
    options = {"on_nonfinite": "raise"} if how == "gradient" else {}
    rate = (lambda t: 1.0 if t < 2 else math.nan) if how == "schedule" else 1.0
    optimizer = ro.Optimizer(scaled, weights, engine=engine, rate=rate, **options)
    good = [np.ones(5000), np.ones(7)]
    optimizer.step(good)
    before, length = [w.copy() for w in weights], optimizer.state["length"]
    bad = {"schedule": np.ones(7), "shape": np.ones(8), "gradient": np.full(7, np.nan)}[how]

    with pytest.raises((HyperparameterError, ValueError)):
        optimizer.step([np.ones(5000), bad])

    assert optimizer.t == 1
    assert optimizer.state["length"] == length
    for w, was in zip(weights, before, strict=True):
        np.testing.assert_array_equal(w, was)
    optimizer.hyperparameters["rate"] = 1.0
    optimizer.step(good)
    assert all(np.all(w != was) for w, was in zip(weights, before, strict=True))
