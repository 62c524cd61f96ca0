"""The graph: shared, folded, and cut into host and device work."""

import math

import pytest

import ruleonce as ro
from ruleonce.language import ops
from ruleonce.language.graph import Graph, in_order


@pytest.fixture
def graph():
    return Graph()


def test_equal_work_is_one_node(graph):
    w, dw = graph.input("w", "element"), graph.input("dw", "element")

    assert graph.apply(ops.MUL, w, dw) is graph.apply(ops.MUL, w, dw)
    assert graph.apply(ops.MUL, w, dw) is not graph.apply(ops.MUL, dw, w)


def test_constants_that_differ_in_a_bit_or_a_type_are_different(graph):
    nodes = {graph.constant(x) for x in (0.0, -0.0, 0, False, 1, 1.0, True, math.nan)}

    assert len(nodes) == 8
    assert graph.constant(math.nan) in nodes


@pytest.mark.parametrize(
    ("op", "operands", "value"),
    [
        (ops.ADD, (1, 2.5), 3.5),
        (ops.POWER, (0.9, 2), 0.9**2),
        (ops.SQRT, (-1.0,), math.nan),
        (ops.WHERE, (True, 1.0, 2.0), 1.0),
        (ops.NOT, (True,), False),
        (ops.MAXIMUM, (0.0, -0.0), -0.0),
    ],
)
def test_operations_on_constants_are_folded_by_pythons_own_arithmetic(graph, op, operands, value):
    folded = graph.apply(op, *map(graph.constant, operands))

    assert folded is graph.constant(value)


def test_what_changes_no_bit_is_left_out_and_what_does_is_kept(graph):
    w, one = graph.input("w", "element"), graph.constant(1.0)
    condition = graph.apply(ops.GT, w, one)

    assert graph.apply(ops.MUL, w, one) is w
    assert graph.apply(ops.MUL, one, w) is w
    assert graph.apply(ops.DIV, w, one) is w
    assert graph.apply(ops.WHERE, condition, w, w) is w
    assert graph.apply(ops.WHERE, graph.constant(False), w, one) is one
    assert graph.apply(ops.ADD, w, graph.constant(0.0)) is not w  # -0.0 + 0.0 is 0.0
    assert graph.apply(ops.DIV, one, w) is not w


def test_the_rate_of_a_value_is_that_of_its_fastest_operand(graph):
    beta, t, m = graph.input("beta", "step"), graph.input("t", "step"), graph.input("m", "element")
    power = graph.apply(ops.POWER, beta, t)

    assert power.rate == "step"
    assert graph.apply(ops.MUL, power, m).rate == "element"
    assert graph.apply(ops.MUL, power, m).kind == "number"
    assert graph.apply(ops.LT, power, m).kind == "truth"


def test_nodes_come_after_their_operands_and_once():
    program = ro.adam.program()
    nodes = in_order(program.outputs.values())

    assert len(set(nodes)) == len(nodes)
    for place, node in enumerate(nodes):
        assert all(nodes.index(arg) < place for arg in node.args)


def test_adam_is_cut_into_eight_numbers_a_step_and_eighteen_operations_an_element():
    program = ro.adam.program()

    assert list(map(repr, program.host)) == [
        "learning_rate",
        "beta1",
        "(1 - beta1)",
        "(1 - (beta1 ** t))",
        "beta2",
        "(1 - beta2)",
        "(1 - (beta2 ** t))",
        "eps",
    ]
    assert len(program.body) == 14
    assert program.read == ("w", "dw", "m", "v")


def test_a_tensor_that_does_not_change_is_not_written():
    program = ro.rule(lambda w, dw, m, kept: (w - m * dw, m, kept)).program()

    assert list(program.written) == ["w"]
    assert program.read == ("w", "dw", "m")


def test_squares_are_products_and_known_powers_of_a_tensor_are_exact():
    program = ro.rule(lambda w, dw: w - dw**2 - dw**0.5 - dw**-1 - dw**1 - dw**0).program()

    assert {node.op for node in program.body} == {ops.SUB, ops.MUL, ops.SQRT, ops.DIV}


def test_pythons_power_is_kept_for_the_numbers_of_a_step():
    program = ro.rule(lambda w, dw, t, *, beta=0.5: w - beta**2 * dw).program()

    assert "(beta ** 2)" in map(repr, program.host)
