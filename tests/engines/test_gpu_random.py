"""Random rules of every operation on the gpu engine, each operation held against NumPy's on the
operands that the kernel itself had; see tests/matrix/test_random_expressions.py.
"""

import numpy as np
import pytest
import tolerance
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix import test_random_expressions as random_rules

from ruleonce.engines import gpu
from ruleonce.engines.batch import Batch
from ruleonce.errors import HyperparameterError
from ruleonce.formats import FORMATS
from ruleonce.language import ops

# Where Triton's exp and log are a unit off, what is made of them is off by more; a power most, near
# the ends of the range of float64.
ULP = tolerance.ULP | {"tanh": 8, "arctan2": 8, "power": 32}


def values_of(expression, tensors, numbers, t, dtype, device):
    """What the kernel makes of every step of a random rule: one array each."""
    rule = random_rules.as_rule(expression)
    program = rule.program()
    size = random_rules.SIZE
    arrays = [tensors["w"], tensors["dw"], tensors["m"]]
    arrays += [np.zeros(size, dtype) for _ in expression.steps]
    held = [torch.from_numpy(x.copy()).to(device) for x in arrays]
    formats = dict.fromkeys(program.tensors, FORMATS[dtype.name])
    call = gpu.call(Batch(program, formats, [size], [0]), device)
    for place, tensor in enumerate(held):
        call.place(place, [tensor.data_ptr()])
    try:
        call.prepare([(*(numbers[name] for name in rule.schema.numbers), t)])
    except HyperparameterError:  # 1 / 0 among the numbers of a step, as Python has it
        return None
    call.run()
    return [x.cpu().numpy() for x in held[3:]]


def check(expression, dtype, a, b, t, seed, device):
    rng = np.random.default_rng(seed)
    size = random_rules.SIZE
    with np.errstate(all="ignore"):
        pool = np.array(random_rules.NUMBERS).astype(dtype)
    tensors = {
        name: np.where(rng.random(size) < 0.5, rng.choice(pool, size), rng.normal(size=size))
        for name in ("w", "dw", "m")
    }
    tensors = {name: x.astype(dtype) for name, x in tensors.items()}
    got = values_of(expression, tensors, {"a": a, "b": b}, t, dtype, device)
    if got is None:
        return
    arguments = {**tensors, "a": a, "b": b, "t": t}
    values = [arguments[name] for name in random_rules.LEAVES]
    with np.errstate(all="ignore"):
        for kernel, (name, places, constants) in zip(got, expression.steps, strict=True):
            op = ops.OPS[name]
            operands = random_rules.operands_of(values, places, constants)
            if all(np.ndim(x) == 0 for x in operands):  # the host's: Python's own number
                values.append(random_rules.WRITTEN.get(name, op.number)(*operands))
                expected = np.full(size, float(values[-1])).astype(dtype)
                np.testing.assert_array_equal(kernel, expected)
                continue
            expected = random_rules.held(op, operands, constants, dtype).astype(dtype)
            apart = np.max(tolerance.ulps_apart(kernel, expected))
            assert apart <= ULP.get(name, 0), (name, operands, kernel, expected)
            if op.exact:
                zeros = (kernel == 0) & (expected == 0)
                np.testing.assert_array_equal(
                    np.signbit(kernel[zeros]), np.signbit(expected[zeros])
                )
            values.append(kernel != 0 if op.gives == "truth" else kernel)


numbers = st.sampled_from([x for x in random_rules.NUMBERS if not np.isnan(x)])
random_arguments = given(
    expression=random_rules.expressions(),
    dtype=st.sampled_from([np.dtype("float32"), np.dtype("float64")]),
    a=numbers,
    b=numbers,
    t=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)


@settings(max_examples=80, deadline=None)
@random_arguments
def test_every_operation_of_a_random_rule_gives_the_bits_of_numpy(expression, dtype, a, b, t, seed):
    check(expression, dtype, a, b, t, seed, torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@settings(max_examples=80, deadline=None)  # each is compiled: half a second
@random_arguments
def test_the_same_on_a_gpu(expression, dtype, a, b, t, seed):
    check(expression, dtype, a, b, t, seed, torch.device("cuda"))
