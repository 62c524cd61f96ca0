"""Random rules of every operation, on values from 0 and denormals to inf and nan.

A rule is a list of operations on earlier values, and every value is kept as state, so each single
operation of the compiled kernel can be held against NumPy on the operands that the kernel itself
had: equal bits, or the ulp of tests/tolerance.py for exp, log, tanh, cbrt and power. Where all are
exact, the whole rule is also held against the plain rule.
"""

import inspect
from dataclasses import dataclass

import numpy as np
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st

import ruleonce as ro
from ruleonce.errors import HyperparameterError
from ruleonce.language import ops

LEAVES = ("w", "dw", "m", "a", "b", "t")
ELEMENTS = frozenset({"w", "dw", "m"})
SIZE = 37  # vectors and a tail

# As a user writes them; an operator where there is one, so that Symbol's are tried.
WRITTEN = {
    "sqrt": ro.sqrt,
    "abs": ro.abs,
    "sign": ro.sign,
    "maximum": ro.maximum,
    "minimum": ro.minimum,
    "exp": ro.exp,
    "log": ro.log,
    "tanh": ro.tanh,
    "arctan2": ro.arctan2,
    "cbrt": ro.cbrt,
    "where": ro.where,
    "not": np.logical_not,
}

NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    3.0,
    1e-3,
    -7.25,
    1e-40,  # denormal in float32
    -5e-324,  # the smallest denormal of float64
    1.17549435e-38,
    2.2250738585072014e-308,
    3.4028235e38,
    1.7976931348623157e308,
    1e30,
    -1e30,
    np.inf,
    -np.inf,
    np.nan,
]


def operands_of(values, places, constants):
    return [values[p] if c is None else c for p, c in zip(places, constants, strict=True)]


@dataclass(frozen=True)
class Expression:
    """Operations, each on the places of earlier values: the leaves first, then results."""

    steps: tuple

    def values(self, arguments):
        values = [arguments[name] for name in LEAVES]
        for name, places, constants in self.steps:
            operands = [
                values[p] if c is None else c for p, c in zip(places, constants, strict=True)
            ]
            op = ops.OPS[name]
            values.append(WRITTEN.get(name, op.number)(*operands))
        return values


@st.composite
def expressions(draw):
    kinds = ["number"] * len(LEAVES)
    element = [name in ELEMENTS for name in LEAVES]
    steps = []
    for _ in range(draw(st.integers(2, 9))):
        op = draw(st.sampled_from(ops.DEVICE_OPS))
        places, constants = [], []
        for wanted in op.takes:
            candidates = [i for i, kind in enumerate(kinds) if kind == wanted]
            if not candidates:  # no condition yet: a comparison first
                break
            places.append(draw(st.sampled_from(candidates)))
            is_number = wanted == "number"
            constant = draw(st.none() | st.none() | st.sampled_from([0.5, 2, -1.5, 0, 1, 3.0]))
            constants.append(constant if is_number else None)
        else:
            free = [p for p, c in zip(places, constants, strict=True) if c is None]
            on_elements = any(element[p] for p in free)
            if op is ops.POWER and not on_elements:
                continue  # an int to an int to an int never ends
            if not free:
                continue  # Python folds it before the rule sees it
            steps.append((op.name, tuple(places), tuple(constants)))
            kinds.append(op.gives)
            element.append(on_elements)
    return Expression(tuple(steps))


def as_rule(expression):
    """The rule that keeps every value that differs between elements, a condition as 1.0 or 0.0."""
    states = [f"s{i}" for i in range(len(expression.steps))]

    def random(*positional, **hyperparameters):
        arguments = (
            dict(zip(("w", "dw", "m", *states, "t"), positional, strict=True)) | hyperparameters
        )
        values = expression.values(arguments)[len(LEAVES) :]
        kept = []
        for value, (name, *_), old in zip(values, expression.steps, positional[3:-1], strict=True):
            number = ro.where(value, 1.0, 0.0) if ops.OPS[name].gives == "truth" else value
            kept.append(ro.where(old == 0, number, number))  # a number a step, for each element
        return (arguments["w"], arguments["m"], *kept)

    positional = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for name in ("w", "dw", "m", *states, "t")
    ]
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=0.0) for name in ("a", "b")
    ]
    random.__signature__ = inspect.Signature([*positional, *keywords])
    return ro.rule(random)


def held(op, operands, constants, dtype):
    """NumPy's result of one operation, in the precision of the kernel."""
    rounded = [
        x if np.ndim(x) or isinstance(x, (bool, np.bool_)) else dtype.type(x) for x in operands
    ]
    if op is ops.POWER:
        # For one number NumPy has short cuts (0.5 is sqrt, which makes nan of -inf), and so have
        # rules where it is written in them; for a tensor of exponents there are none.
        literal = [c is not None for c in constants]
        rounded = [
            x if np.ndim(x) or is_literal else np.full(SIZE, x)
            for x, is_literal in zip(rounded, literal, strict=True)
        ]
    result = op.array(np, *rounded)
    return np.broadcast_to(np.where(result, 1.0, 0.0) if op.gives == "truth" else result, SIZE)


def tensors_of(seed, dtype):
    """w, dw and m, of ordinary numbers and of NUMBERS."""
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        pool = np.array(NUMBERS).astype(dtype)
    tensors = {
        name: np.where(rng.random(SIZE) < 0.5, rng.choice(pool, SIZE), rng.normal(size=SIZE))
        for name in ("w", "dw", "m")
    }
    return {name: values.astype(dtype) for name, values in tensors.items()}


def assert_each_operation(expression, leaves, results, dtype, number_of_step):
    """Hold each result, `s0` and on, against NumPy on the operands that the operation had.

    number_of_step   (name of the operation, operands, result) -> what a number of the step was, for
                     those that use it; it asserts that the result is that
    """
    values = [leaves[name] for name in LEAVES]
    with np.errstate(all="ignore"):
        for index, (name, places, constants) in enumerate(expression.steps):
            op, kernel = ops.OPS[name], results[f"s{index}"]
            operands = operands_of(values, places, constants)
            if all(np.ndim(x) == 0 for x in operands):
                values.append(number_of_step(name, operands, kernel))
                continue
            expected = held(op, operands, constants, dtype).astype(dtype)
            apart = tolerance.ulps_apart(kernel, expected)
            assert np.max(apart) <= tolerance.ULP.get(name, 0), (name, operands, kernel, expected)
            if op.exact:
                np.testing.assert_array_equal(
                    np.signbit(kernel[kernel == 0]), np.signbit(expected[expected == 0])
                )
            values.append(kernel != 0 if op.gives == "truth" else kernel)


def number_of_python(name, operands, kernel):
    """The host's own number: the kernel has it bit for bit."""
    value = WRITTEN.get(name, ops.OPS[name].number)(*operands)
    np.testing.assert_array_equal(kernel, np.full(SIZE, float(value)).astype(kernel.dtype))
    return value


@settings(max_examples=300, deadline=None)
@given(
    expression=expressions(),
    dtype=st.sampled_from([np.dtype("float32"), np.dtype("float64")]),
    a=st.sampled_from([x for x in NUMBERS if not np.isnan(x)]),
    b=st.sampled_from([x for x in NUMBERS if not np.isnan(x)]),
    t=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_every_operation_of_a_random_rule_gives_the_bits_of_numpy(expression, dtype, a, b, t, seed):
    tensors = tensors_of(seed, dtype)
    rule = as_rule(expression)
    runs = {}
    for engine in ("cpu", "reference"):
        optimizer = ro.Optimizer(rule, tensors["w"].copy(), engine=engine, a=a, b=b)
        optimizer.state["m"][...] = tensors["m"]
        optimizer.t = t - 1
        try:
            optimizer.step(tensors["dw"])
        except HyperparameterError:  # 1 / 0 among the numbers of a step, as Python has it
            runs[engine] = None
        else:
            runs[engine] = optimizer.state
    assert (runs["cpu"] is None) == (runs["reference"] is None)
    if runs["cpu"] is None:
        return

    leaves = {**tensors, "a": a, "b": b, "t": t}
    assert_each_operation(expression, leaves, runs["cpu"], dtype, number_of_python)
    if all(ops.OPS[name].exact for name, *_ in expression.steps):
        for name, values in runs["cpu"].items():
            np.testing.assert_array_equal(values, runs["reference"][name], err_msg=name)
