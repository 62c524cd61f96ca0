"""Every rule x dtype x size: the cpu engine gives the bits of the plain rule on NumPy arrays.

The demand is equal bits, not a tolerance: + - * / sqrt and comparisons are correctly rounded, and
nothing is contracted or rearranged. A rule is here because it stands in `ruleonce.rules`; each
setting of its switches is a row. A rule that uses exp, log, tanh, cbrt or power is held step by
step to the tolerance of tests/tolerance.py; so is one that looks at whole tensors, against the
reference engine, tensor by tensor.
"""

import itertools

import numpy as np
import pytest
import tolerance
from ml_dtypes import bfloat16

import ruleonce as ro

STEPS = 100
SIZES = (*range(71), 1003)  # every vector tail, and more than one vector
STEPS_OF_SUMS = 30
SIZES_OF_SUMS = (0, 1, 2, 7, 64, 70, 1003, 4096, 5000)


def settings_of_switches(rule):
    names = rule.schema.switches
    return [
        dict(zip(names, v, strict=True)) for v in itertools.product(*[(False, True)] * len(names))
    ]


CASES = [
    pytest.param(rule, switches, id="-".join([rule.name, *(k for k, v in switches.items() if v)]))
    for rule in ro.rules.ALL
    for switches in settings_of_switches(rule)
]


def has_sums(rule, switches):
    return len(rule.program(**switches).passes) > 1


def gradients(rng, size, dtype):
    """Gradients of all magnitudes, with zeros among them."""
    values = rng.normal(size=size) * 10.0 ** rng.integers(-4, 3, size)
    values[rng.random(size) < 0.1] = 0.0
    return values.astype(dtype)


def start_of(rule, name):
    start = rule.schema.initial.get(name, 0.0)
    return rule.hyperparameters[start] if isinstance(start, str) else start


def plain(rule, switches, values, dw, t):
    """One step of the plain rule: computed in at least float32, rounded once."""
    storage = values[rule.schema.weights].dtype
    computed = np.float64 if storage == np.float64 else np.float32
    inputs = {k: v.astype(computed) if np.ndim(v) else v for k, v in values.items()}
    inputs |= {rule.schema.gradient: dw.astype(computed), "t": t}
    results = rule(*(inputs[name] for name in rule.schema.positional), **switches)
    return {
        name: result.astype(storage) if np.ndim(result) else result
        for name, result in zip(rule.schema.returns, results, strict=True)
    }


def assert_same(rule, switches, got, expected):
    for name, values in expected.items():
        if all(node.op is None or node.op.exact for node in rule.program(**switches).body):
            np.testing.assert_array_equal(got[name], values, err_msg=name, strict=True)
        else:
            tolerance.assert_close_step(got[name], values, name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, bfloat16])
@pytest.mark.parametrize(("rule", "switches"), CASES)
def test_the_cpu_engine_gives_the_bits_of_the_plain_rule(rule, switches, dtype):
    if has_sums(rule, switches):
        compare_with_the_reference(rule, switches, dtype)
        return
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=size).astype(dtype) for size in SIZES]
    optimizer = ro.Optimizer(rule, weights, engine="cpu", **switches)
    before = np.concatenate(weights)
    # The plain rule has all tensors end to end: element by element that is the same.
    expected = {rule.schema.weights: before}
    expected |= {name: np.full_like(before, start_of(rule, name)) for name in rule.state}
    expected |= {name: float(start_of(rule, name)) for name in rule.scalars}

    with np.errstate(all="ignore"):
        for t in range(1, STEPS + 1):
            dws = [gradients(rng, size, dtype) for size in SIZES]
            optimizer.step(dws)
            state = optimizer.state
            got = {rule.schema.weights: np.concatenate(weights)}
            got |= {name: np.concatenate(state[name]) for name in rule.state}
            got |= {name: state[name] for name in rule.scalars}
            expected = plain(rule, switches, expected, np.concatenate(dws), t)
            assert_same(rule, switches, got, expected)
            expected = got

    assert np.any(got[rule.schema.weights] != before)


def compare_with_the_reference(rule, switches, dtype):
    """Step by step from equal state, in sizes that are several blocks of a sum among others."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=size).astype(dtype) for size in SIZES_OF_SUMS]
    mine, other = [w.copy() for w in start], [w.copy() for w in start]
    cpu = ro.Optimizer(rule, mine, engine="cpu", **switches)
    reference = ro.Optimizer(rule, other, engine="reference", **switches)

    for _ in range(STEPS_OF_SUMS):
        dws = [gradients(rng, size, dtype) for size in SIZES_OF_SUMS]
        cpu.step(dws)
        reference.step(dws)
        got, expected = cpu.state | {"w": mine}, reference.state | {"w": other}
        for name in rule.scalars:
            tolerance.assert_close_sums(got[name], expected[name], name)
        for name in ("w", *rule.state):
            for one, another in zip(got[name], expected[name], strict=True):
                tolerance.assert_close_sums(one, another, name)
                another[...] = one
        reference._groups[0].scalars = cpu._groups[0].scalars

    is_short = np.dtype(dtype).itemsize == 2  # 16 bits may have no room for a small step
    for w, before in zip(mine, start, strict=True):
        assert np.any(w != before) or not w.size or is_short


@pytest.mark.parametrize("state", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("gradient", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("weights", ["float64", "float32", "float16", "bfloat16"])
def test_any_mix_of_formats_gives_the_bits_of_the_reference(weights, gradient, state):
    """Adam holds every operation of the card; 257 elements are vectors and a tail."""
    rng = np.random.default_rng(1)
    start = rng.normal(size=257).astype(ro.formats.FORMATS[weights].dtype)
    runs = {
        engine: ro.Adam(start.copy(), learning_rate=0.1, engine=engine, state_dtype=state)
        for engine in ("cpu", "reference")
    }

    for _ in range(5):
        dw = gradients(rng, 257, ro.formats.FORMATS[gradient].dtype)
        for optimizer in runs.values():
            optimizer.step(dw)

    cpu, reference = runs["cpu"], runs["reference"]
    np.testing.assert_array_equal(cpu.params, reference.params, strict=True)
    for name in cpu.state:
        np.testing.assert_array_equal(cpu.state[name], reference.state[name], strict=True)
    assert np.any(cpu.params != start)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_every_rule_goes_downhill(rule, engine):
    """The matrix compares us with ourselves; this would see a sign that is wrong in both."""
    w = np.array([3.0, -2.0])
    rate = {"learning_rate": 0.01} if "learning_rate" in rule.hyperparameters else {}
    optimizer = ro.Optimizer(rule, w, engine=engine, **rate)

    for _ in range(300):
        optimizer.step(2 * w)

    assert np.all(np.abs(w) < [3.0, 2.0])


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_on_floats_is_the_rule_on_an_array_of_one(rule):
    """In float64 both are Python's arithmetic, but for `dw**2`, where pow may differ in a bit."""
    names = rule.schema.positional
    inputs = {name: 3 if name == "t" else 0.25 + 0.5 * i for i, name in enumerate(names)}
    arrays = {k: v if k == "t" else np.array([v]) for k, v in inputs.items()}

    numbers = rule(*inputs.values())
    ones = rule(*arrays.values())

    for number, one in zip(numbers, ones, strict=True):
        np.testing.assert_allclose(one, [number], rtol=4e-16)


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_changes_none_of_its_arguments(rule):
    names = rule.schema.positional
    inputs = {name: 3 if name == "t" else np.linspace(0.5, 2.0, 5) for name in names}
    before = {name: np.copy(value) for name, value in inputs.items()}

    results = rule(*inputs.values())

    assert len(results) == len(rule.schema.returns)
    for name, value in inputs.items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
