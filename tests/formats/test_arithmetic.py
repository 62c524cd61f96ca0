"""The lighter arithmetic of programs that store in blocks: near the exact one, and only there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tolerance import ulps_apart

import ruleonce as ro
from ruleonce.formats import int8, masters, stored_program, uint8_sqrt
from ruleonce.formats.arithmetic import lighter
from ruleonce.language import ops
from ruleonce.language.graph import evaluate, in_order

NEAR = 2  # units in the last place: each of two roundings, or of a root and a product, is off by 1


@ro.rule
def quotients(w, dw, root, t, *, c=1.0):
    """A division by a number of the step, and two roots of what differs by such a number."""
    return dw / c, ro.sqrt(dw / c) + 0.0 * ro.sqrt(dw)


def elementwise(program):
    return [n for n in in_order(program.outputs.values()) if n.op and n.rate == "element"]


def values_of(program, dw, c):
    with np.errstate(all="ignore"):
        given = {"w": dw, "dw": dw, "root": dw, "t": 1.0, "c": c}
        return evaluate([*program.outputs.values()], given, np, np.float32)


numbers = st.floats(2.0**-100, 2.0**100, width=32)


@given(st.lists(numbers, min_size=1, max_size=20), st.floats(1e-6, 1e6))
def test_results_are_near_the_exact_ones(elements, c):
    program = quotients.program()
    dw = np.array(elements, np.float32)
    exact, found = values_of(program, dw, c), values_of(lighter(program), dw, c)

    for ours, theirs in zip(found, exact, strict=True):
        assert ulps_apart(ours, theirs).max() <= NEAR


def test_a_division_by_0_is_infinite_as_before():
    quotient, _ = values_of(lighter(quotients.program()), np.float32([1, 0, -1]), 0.0)

    np.testing.assert_array_equal(quotient, [np.inf, np.nan, -np.inf])


def test_adam_in_8_bits_has_one_root_and_one_division():
    """That of m by the root of v; and the root is the one that v is stored by."""
    program = stored_program(ro.adam.program(), {"m": int8(), "v": uint8_sqrt()})
    found = [node.op for node in elementwise(program)]

    assert found.count(ops.SQRT) == found.count(ops.DIV) == 1


def test_formats_that_lose_nothing_keep_the_exact_operations():
    program = stored_program(ro.adam.program(), {"w": masters.bfloat16_16()})
    found = [node.op for node in elementwise(program)]

    assert (found.count(ops.SQRT), found.count(ops.DIV)) == (1, 3)


@ro.rule
def scaled_quotient(w, dw, root, t, *, a=1.0, c=1.0, e=1.0):
    """Products with numbers of the step, one after another, and a quotient of two of them."""
    return a * (dw * c) * e, a * dw / (root * c + e)


factors = st.floats(2.0**-20, 2.0**20)
medium = st.floats(2.0**-40, 2.0**40, width=32)  # so that nothing overflows on the way


@given(st.lists(medium, min_size=1, max_size=20), factors, factors, factors)
def test_products_with_numbers_of_the_step_are_regrouped(elements, a, c, e):
    program = scaled_quotient.program()
    dw = np.array(elements, np.float32)
    found = []
    for one in (program, lighter(program)):
        with np.errstate(all="ignore"):
            given = {"w": dw, "dw": dw, "root": dw, "t": 1.0, "a": a, "c": c, "e": e}
            found.append(evaluate([*one.outputs.values()], given, np, np.float32))

    assert len(elementwise(lighter(program))) == len(elementwise(program)) - 3
    for exact, ours in zip(*found, strict=True):
        assert ulps_apart(ours, exact).max() <= 2 * NEAR


def test_adam_in_8_bits_multiplies_no_product_again_by_what_is_known_before():
    """A number of the step, or of a block, meets another before it meets an element."""
    program = stored_program(ro.adam.program(), {"m": int8(), "v": uint8_sqrt()})
    known = {"step", "block"}
    products = [
        node
        for node in elementwise(program)
        if node.op is ops.MUL
        and any(arg.rate in known and not arg.is_constant for arg in node.args)
    ]
    chained = [node for node in products if any(arg in products for arg in node.args)]
    squares = [
        node for node in elementwise(program) if node.op is ops.MUL and len({*node.args}) == 1
    ]

    assert not chained
    assert squares  # of what v is decoded from, and of the gradient
    assert not any(node.args[0] in products for node in squares)


@ro.rule
def used_elsewhere(w, dw, root, t, *, a=1.0, c=1.0, e=1.0):
    """Products that are needed for themselves too."""
    above, below = dw * a, root * c
    return above / (below + e), above + below


def test_a_product_that_is_needed_anyway_is_not_made_twice():
    program = used_elsewhere.program()

    assert len(elementwise(lighter(program))) == len(elementwise(program))
