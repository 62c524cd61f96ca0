"""The numbers of a step as the device computes them, against Python: powers, remainders, functions.

Without a GPU the kernel is run by Triton's interpreter.
"""

import itertools
import math

import numpy as np
import pytest
import torch

import ruleonce as ro
from ruleonce.engines import gpu
from ruleonce.engines.batch import Batch
from ruleonce.formats import FLOAT32


def computed(function, pairs, device):
    """What the device makes of a function of two numbers of the step: a row for each pair."""
    rule = ro.rule(lambda w, dw, *, a=1.0, b=1.0: w - dw * function(a, b))
    program = rule.program()
    (node,) = (x for x in program.host if x.op is not None)
    tensors = dict.fromkeys(program.tensors, FLOAT32)
    rows = list(range(len(pairs)))
    call = gpu.call(Batch(program, tensors, [0] * len(pairs), rows), device)
    inputs = [[*pair, 1.0] for pair in pairs]
    call.prepare_on_device(torch.tensor(inputs, dtype=torch.float64, device=device))
    call.run()
    return call._numbers[:, program.host.index(node)].cpu().numpy()


def same(got, expected):
    """Equal, with the sign of zero."""
    np.testing.assert_array_equal(got, expected)
    is_number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[is_number]), np.signbit(expected[is_number]))


def test_a_power_of_a_beta_is_as_precise_as_pythons(device):
    """Up to ten million steps; exp(t * log(beta)) would lose up to three digits."""
    betas = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99993, 1 - 1e-5, 1 - 1e-6, 1 - 1e-7, 1.0, 1.01]
    steps = [0, 1, 2, 3, 10, 1000, 12_345, 70_000, 1_000_000, 9_999_999, 10_000_000]
    pairs = [(beta, t) for beta in betas for t in steps if t * math.log(beta) < 700]
    expected = np.array([beta**t for beta, t in pairs])

    np.testing.assert_allclose(computed(lambda a, b: a**b, pairs, device), expected, rtol=4e-15)


def test_powers_of_all_kinds(device):
    values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, -3.0, 7.5, 5e-324, 1e-310, 1e308, -1e308]
    values += [math.inf, -math.inf, math.nan, 0.1, -0.8, 1e16, 9007199254740993.0]
    pairs = list(itertools.product(values, values))
    with np.errstate(all="ignore"):
        expected = np.power(*np.array(pairs).T)
    got = computed(lambda a, b: a**b, pairs, device)

    np.testing.assert_allclose(got, expected, rtol=4e-15)
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(expected[zeros]))


@pytest.mark.parametrize(
    "function", [lambda a, b: a % b, lambda a, b: a // b], ids=["modulo", "floordiv"]
)
def test_remainders_are_exact(function, device):
    rng = np.random.default_rng(0)
    values = [1.0, -1.0, 3.0, -3.0, 0.1, -0.1, 7.0, 1e7, -1e7, 9_999_999.0, 1e-310, 0.3, 1 / 3]
    pairs = list(itertools.product([*values, 0.0, -0.0], values))
    pairs += [(t, k) for t in range(40) for k in (1, 2, 5, 10, 2.5, -4)]
    pairs += [(x, y) for x, y in rng.normal(size=(300, 2)) * [1e9, 1]]
    pairs += [(k * y, y) for k, y in zip(range(1, 300), rng.random(299), strict=True)]
    pairs = [(x, y) for x, y in pairs if abs(x / y) < 2**53]  # as it is documented
    expected = np.array([function(float(x), float(y)) for x, y in pairs])

    same(computed(function, pairs, device), expected)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "cbrt", "sqrt", "sign", "abs"])
def test_a_function_of_a_number(name, device):
    function = getattr(ro, name)
    rng = np.random.default_rng(0)
    special = [0.0, -0.0, 1.0, -1.0, 0.3, -0.3, 5e-324, 1e-310, 1e308, -1e308, math.inf, -math.inf]
    values = [*special, math.nan, 710.0, -746.0, *rng.normal(size=100)]
    expected = np.array([function(float(x)) for x in values])
    got = computed(lambda a, b: function(a), [(x, 1.0) for x in values], device)

    np.testing.assert_allclose(got, expected, rtol=1e-15, atol=0)
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(expected[zeros]))


def test_the_numbers_of_the_host_are_used_again_after_those_of_the_device(device):
    rule = ro.rule(lambda w, dw, t, *, rate=0.5: w - rate * t * dw)
    program = rule.program()
    call = gpu.call(Batch(program, dict.fromkeys(program.tensors, FLOAT32), [3], [0]), device)
    w, dw = torch.ones(3, device=device), torch.ones(3, device=device)
    call.place(0, [w.data_ptr()])
    call.place(1, [dw.data_ptr()])
    call.prepare_on_device(torch.tensor([[0.5, 1.0]], dtype=torch.float64, device=device))
    call.run()
    call.prepare([(0.5, 2)])
    call.run()

    assert w.tolist() == [-0.5] * 3
