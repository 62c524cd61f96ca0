"""Random rules of every operation, in Node, on values from 0 and denormals to inf and nan.

As in test_random_expressions: each operation is held against NumPy, on the operands that it had.
The host part is JavaScript's too; there Python is what it is held against.
"""

import math

import node
import numpy as np
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix.test_random_expressions import (
    NUMBERS,
    SIZE,
    WRITTEN,
    as_rule,
    assert_each_operation,
    expressions,
    tensors_of,
)

from ruleonce.emit import javascript
from ruleonce.language import ops

FLOAT64 = np.dtype("float64")
DEFINED = [x for x in NUMBERS if not math.isnan(x)]


def number_in_node(name, operands, kernel):
    """A number of the step, as JavaScript has it: Python's, or what NumPy gives where it raises."""
    op = ops.OPS[name]
    try:
        value = WRITTEN.get(name, op.number)(*operands)
    except (ZeroDivisionError, OverflowError):
        value = op.array(np, *(np.array([float(x)]) for x in operands))[0]
    expected = np.full(SIZE, float(value))
    assert np.max(tolerance.ulps_apart(kernel, expected)) <= tolerance.ULP.get(name, 0), (
        name, operands, kernel[0],
    )  # fmt: skip
    return bool(kernel[0]) if op.gives == "truth" else kernel[0].item()


@settings(max_examples=40, deadline=None)
@given(
    several=st.lists(expressions(), min_size=1, max_size=12),  # Node is started once for all
    a=st.sampled_from(DEFINED),
    b=st.sampled_from(DEFINED),
    t=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_every_operation_of_a_random_rule_gives_the_bits_of_numpy(several, a, b, t, seed):
    tensors = tensors_of(seed, FLOAT64)
    lines = ["result = [];"]
    for expression in several:
        program = as_rule(expression).program()
        zeros = ", ".join(["0"] * len(expression.steps))
        lines += [
            f"{{\n{javascript.emit(program)}",
            "const {numbers} = host(data.a, data.b, data.t);",
            "const one = ([w, dw, m]) => element(w, dw, m, "
            + (f"{zeros}, " if zeros else "")
            + "...numbers);\nresult.push(data.rows.map(one));\n}",
        ]
    rows = np.stack(list(tensors.values()), axis=1)
    all_found = node.run("\n".join(lines), {"a": a, "b": b, "t": t, "rows": rows})

    for expression, found in zip(several, all_found, strict=True):
        columns = np.array(found).T
        results = {f"s{i}": column.copy() for i, column in enumerate(columns[2:])}
        leaves = {**tensors, "a": a, "b": b, "t": t}
        assert_each_operation(expression, leaves, results, FLOAT64, number_in_node)


NAMES = ("power", "mod", "floordiv", "maximum", "minimum", "arctan2")


def test_numbers_of_two_operands_are_pythons_everywhere():
    """All pairs of NUMBERS, for the operations of the step that random rules do not have too."""
    pairs = [(x, y) for x in (*NUMBERS, 2.0, 7.0) for y in (*NUMBERS, -3.0, 7.0)]
    text = "\n".join([*javascript.FUNCTIONS.values(), "result = {};"])
    for name in NAMES:
        call = javascript.SPELLING[ops.OPS[name]].format("x", "y")
        text += f"\nresult.{name} = data.map(([x, y]) => {call});"
    found = node.run(text, pairs)

    for name in NAMES:
        for pair, number in zip(pairs, found[name], strict=True):
            try:
                expected = ops.OPS[name].number(*pair)
            except (ZeroDivisionError, OverflowError):  # Python refuses; JavaScript has inf or nan
                continue
            if isinstance(expected, complex):  # a root of a negative number: nan, as in NumPy
                expected = math.nan
            apart = tolerance.ulps_apart(np.array([number]), np.array([float(expected)]))
            assert apart[0] <= tolerance.ULP.get(name, 0), (name, pair, number, expected)
            if expected == 0:
                assert math.copysign(1, number) == math.copysign(1, expected), (name, pair)
