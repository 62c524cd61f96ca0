"""The JavaScript of a program, and of any graph of numbers: complete, stable, readable."""

import math
from pathlib import Path

import node
import pytest
from element_wise import ON_TENSORS, is_element_wise

import ruleonce as ro
from ruleonce.emit import javascript
from ruleonce.emit.javascript import Function
from ruleonce.emit.javascript_functions import FUNCTIONS, NAMES
from ruleonce.errors import EmitError
from ruleonce.language import ops
from ruleonce.language.graph import Graph
from ruleonce.language.symbol import Symbol

GOLDEN = Path(__file__).parents[1] / "golden"


def symbols(*names):
    graph = Graph()
    return [Symbol(graph, graph.input(name, "element")) for name in names]


def test_every_operation_is_spelled():
    """A new operation cannot be forgotten in one language."""
    assert set(ops.OPS.values()) - ON_TENSORS == set(javascript.SPELLING)


def test_names_of_the_functions_that_are_called_are_taken():
    assert {f"function {name}(" for name in NAMES} == {
        text[: text.index("(") + 1] for text in FUNCTIONS.values()
    }


def test_functions_of_a_graph_return_numbers_arrays_and_objects():
    x, y, a = symbols("x", "y", "a")
    height = (a - x) ** 2 + 100 * (y - x**2) ** 2
    slope = (-2 * (a - x), ro.maximum(y, x))

    text = javascript.functions(
        [
            Function("height", ("x", "y", "a"), height.node),
            Function("slope", ("x", "y", "a"), [part.node for part in slope]),
            Function("both", ("x", "y", "a"), {"height": height.node, "is_high": (x > y).node}),
        ]
    )

    at = "[height(3, 2, 1), slope(3, 2, 1), both(3, 2, 1)]"
    assert node.run(f"{text}\nresult = {at};", []) == [
        4 + 100 * 49, [4, 3], {"height": 4 + 100 * 49, "is_high": 1},
    ]  # fmt: skip


def test_a_function_takes_what_its_caller_has_computed():
    """It does not compute it again: the text has one root."""
    x, y = symbols("x", "y")
    root = ro.sqrt(x)
    text = javascript.functions(
        [Function("outer", ("x",), root.node), Function("inner", (root.node, "y"), (root * y).node)]
    )

    assert text.count("Math.sqrt") == 1
    assert node.run(f"{text}\nresult = [inner(outer(9), 5)];", []) == [15]


def test_who_has_more_operations_brings_their_spelling():
    cos = ops.Op("cos", math.cos, lambda xp, x: xp.cos(x), "cos({})", ("number",), exact=False)
    (x,) = symbols("x")
    turned = Function("turned", ("x",), x.graph.apply(cos, x.node))

    text = javascript.functions([turned], spelling={**javascript.SPELLING, cos: "Math.cos({0})"})

    assert node.run(f"{text}\nresult = [turned(0)];", []) == [1]
    with pytest.raises(EmitError, match="uses cos, which JavaScript does not have here"):
        javascript.functions([turned])


def test_the_authors_names_survive():
    text = javascript.emit(ro.adam.program())

    for line in (
        "function host(learning_rate, beta1, beta2, eps, t) {",
        "const m_new = mul_1 + mul_2;",
        "const vt = v_new / sub_4;",
        "return [w_new, m_new, v_new];",
        "return [m_new, v_new, mt, vt, w_new];",
    ):
        assert line in text


@ro.rule
def taken(w, dw, function, maximum, t, *, new=0.1, new_=0.2, Math=0.5):  # noqa: N803
    """Names that JavaScript or the emitted text have uses for."""
    sign = ro.sign(dw) * Math
    maximum = ro.maximum(maximum, function) - new
    return w - sign * new_ - maximum / t, function + sign, maximum


def test_any_name_of_python_is_taken():
    text = javascript.emit(taken.program())
    lines = "const {numbers} = host(0.1, 0.2, 0.5, 2); result = element(1, -3, 5, 7, ...numbers);"

    assert node.run(f"{text}\n{lines}", []) == [*taken(1, -3, 5, 7, 2)]


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_that_looks_at_whole_tensors_is_refused_and_no_other(rule):
    program = rule.program()

    if not is_element_wise(rule):
        with pytest.raises(EmitError, match=f"{rule.name} uses .*whole tensors"):
            javascript.emit(program)
    else:
        assert javascript.emit(program) == javascript.emit(ro.rule(rule.function).program())


def test_the_last_value_of_a_name_is_the_named_one():
    """AdamW shrinks `w`, and then moves it; the new `w` is what it returns."""
    named = javascript.named_values(ro.rules.adamw.program())

    assert list(named) == ["m", "v", "mt", "vt", "w"]
    assert named["w"] is ro.rules.adamw.program().outputs["w"]


@pytest.mark.parametrize("rule", [ro.adam, ro.rules.nadam], ids=lambda rule: rule.name)
def test_a_module_is_emitted_as_it_was_reviewed(rule, request):
    """Run `pytest --update-golden`, then read the difference."""
    file = GOLDEN / f"{rule.name}.js"
    text = javascript.module(rule.program())
    if request.config.getoption("--update-golden"):
        file.write_text(text)

    assert text == file.read_text()
