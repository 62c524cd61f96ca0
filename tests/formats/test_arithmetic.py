"""The lighter arithmetic of programs that store in blocks: near the exact one, and only there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tolerance import ulps_apart

import ruleonce as ro
from ruleonce.formats import int8, masters, stored_program, uint8_sqrt
from ruleonce.formats.arithmetic import lighter
from ruleonce.language import bits, ops
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


@ro.rule
def sums_of_products(w, dw, root, square, t, *, a=1.0):
    """A product that is added, one that is subtracted, and a sum of two."""
    return dw + w * a, dw - root * a, w * w + dw * a


@given(st.lists(st.tuples(medium, medium), min_size=1, max_size=20), factors)
def test_products_are_added_without_being_rounded(elements, a):
    """Within half a unit of the exact value, though what is left may be small."""
    program = lighter(sums_of_products.program())
    w, dw = (np.array(column, np.float32) for column in zip(*elements, strict=True))
    a = float(np.float32(a))
    wide_w, wide_dw = w.astype(float), dw.astype(float)
    inner = (wide_dw * a).astype(np.float32).astype(float)  # of the two products one is rounded
    exact = (wide_dw + wide_w * a, wide_dw - wide_w * a, wide_w * wide_w + inner)
    other = wide_dw * a + (wide_w * wide_w).astype(np.float32).astype(float)
    found = values_of_pairs(program, w, dw, a)

    for ours, value in zip(found[:2], exact[:2], strict=True):
        assert ulps_apart(ours, value.astype(np.float32)).max() <= 1
    nearest = [ulps_apart(found[2], x.astype(np.float32)) for x in (exact[2], other)]
    assert np.minimum(*nearest).max() <= 1


def values_of_pairs(program, w, dw, a):
    with np.errstate(all="ignore"):
        given = {"w": w, "dw": dw, "root": w, "square": dw, "t": 1.0, "a": a}
        return evaluate([*program.outputs.values()], given, np, np.float32)


def test_a_rounded_product_would_be_seen():
    """The product is 1 + 2**-11 + 2**-24; rounded before 1 is taken from it, it lacks the last."""
    w, dw = np.float32([1 + 2.0**-12]), np.float32([-1.0])
    (sum_, difference, _) = values_of_pairs(lighter(sums_of_products.program()), w, dw, float(w[0]))
    (plain, _, _) = values_of_pairs(sums_of_products.program(), w, dw, float(w[0]))

    assert sum_ == 2.0**-11 + 2.0**-24
    assert plain == 2.0**-11
    assert difference == np.float32(-2 - 2.0**-11 - 2.0**-24)


def test_adam_in_8_bits_takes_few_operations_for_an_element():
    """Decoding is a part of the step's own sums: a number of a block meets one of the step first.

    Of the 6 that multiply and add, two are for m, and one each for v, w and either code.
    """
    program = stored_program(
        ro.rules.adamw.program(), {"m": int8(), "v": uint8_sqrt(), "w": masters.bfloat16_8()}
    )
    found = [node.op for node in elementwise(program)]

    assert found.count(bits.MULTIPLY_ADD) == 6
    assert found.count(ops.MUL) == 6
    assert found.count(ops.ADD) == 1
    assert found.count(ops.SUB) == 0


@ro.rule
def centered(w, dw, v, mean, *, decay=0.9, eps=1e-8):
    """The variance of gradients that are all the same is 0, and not a little less."""
    mean = decay * mean + (1 - decay) * dw
    v = decay * v + (1 - decay) * dw**2
    return w - dw / (ro.sqrt(v - mean**2) + eps), v, mean


def test_a_difference_of_two_products_of_elements_stays_0_where_they_are_equal():
    program = lighter(centered.program())
    x = np.float32([1.1])
    with np.errstate(all="ignore"):
        given = {"w": x, "dw": x, "v": x * x, "mean": x, "decay": 1.0, "eps": 1.0}
        found = evaluate([*program.outputs.values()], given, np, np.float32)

    assert found[0] == 0.0
