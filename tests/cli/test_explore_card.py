"""The card of a rule on the page: its own lines, or lines made from its graph; the same rule."""

import math
import re

import numpy as np
import pytest
from element_wise import ON_TENSORS, is_element_wise
from hypothesis import assume, given, settings
from matrix.test_random_expressions import LEAVES, as_rule, expressions

import ruleonce as ro
from ruleonce import combinators
from ruleonce.cli.explore import card as cards
from ruleonce.cli.explore.notation import FUNCTIONS, SPELLING, number
from ruleonce.language import ops
from ruleonce.language.graph import in_order


def card(rule):
    return f"{cards.card(rule, rule.name)}\n"


WRITTEN = [rule for rule in ro.rules.ALL if is_element_wise(rule)]
COMBINED = [
    combinators.lookahead(ro.adam),
    combinators.nesterov(ro.sgd),
    combinators.averaged(combinators.coupled_decay(ro.rules.lion)),
    combinators.with_momentum(combinators.clipped(ro.rules.rmsprop)),
    combinators.decoupled_decay(combinators.maximized(ro.rules.nadam)),
]


def read(text, rule):
    """The rule that a card is, as Python reads it."""
    names = {name: getattr(ro, name) for name in FUNCTIONS}
    names |= {"inf": math.inf, "nan": math.nan, "Scalar": ro.Scalar}
    exec(compile(text, "card", "exec"), names)  # noqa: S102  (a card is Python)
    initial, ranges = rule.schema.initial, rule.schema.ranges
    return ro.rule(initial=initial, ranges=ranges)(names[rule.name])


def as_mathematics(rule):
    """Its graph as text, without the author's names."""
    return re.sub(r"  # .*", "", str(rule.program()))


def test_every_operation_is_spelled():
    """A new operation cannot be forgotten in one language."""
    assert set(ops.OPS.values()) - ON_TENSORS == set(SPELLING)


@pytest.mark.parametrize("rule", [*WRITTEN, *COMBINED], ids=lambda rule: rule.name)
def test_a_card_is_the_rule(rule):
    """Bit for bit, over steps: it is traced to the same graph."""
    made = read(card(rule), rule)

    assert as_mathematics(made) == as_mathematics(rule)
    assert made.schema.positional == rule.schema.positional
    runs = []
    for one in (rule, made):
        w = np.linspace(-2.0, 3.0, 7)
        optimizer = ro.Optimizer(one, w, engine="reference")
        for _ in range(20):
            optimizer.step(2 * w)
        runs.append([w, *optimizer.state.values()])
    for mine, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("rule", [*WRITTEN, *COMBINED], ids=lambda rule: rule.name)
def test_a_card_has_nothing_but_a_signature_assignments_and_a_return(rule):
    head, _, body = card(rule).partition("):\n")
    *lines, last = body.rstrip("\n").split("\n")

    assert head.startswith((f"def {rule.name}(w, dw", f"def {rule.name}(\n    w, dw"))
    assert last.startswith("    return w")
    for line in lines:
        assert re.match(r"    \w+(, \w+)* [-+*/]?= \S", line)
        assert not re.search(r"\b(if|else|for|lambda)\b|@|\"", line)


def test_a_rule_that_is_written_so_is_its_own_card():
    assert card(ro.adam) == (
        "def adam(\n"
        "    w, dw, m, v, t, *,\n"
        "    learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8,\n"
        "):\n"
        "    m = beta1 * m + (1 - beta1) * dw\n"
        "    v = beta2 * v + (1 - beta2) * dw**2\n"
        "    mt = m / (1 - beta1**t)\n"
        "    vt = v / (1 - beta2**t)\n"
        "    w = w - learning_rate * mt / (sqrt(vt) + eps)\n"
        "    return w, m, v\n"
    )


def test_a_card_that_is_made_reads_as_one_that_is_written():
    """AdamW calls Adam; its switch is written out, and names are given again."""
    assert card(ro.rules.adamw).partition("):\n")[2] == (
        "    w = w * (1 - learning_rate * weight_decay)\n"
        + card(ro.adam).partition("):\n")[2]
    )  # fmt: skip
    assert card(ro.rules.adagrad) == (
        "def adagrad(w, dw, v, *, learning_rate=0.001, eps=1e-8):\n"
        "    v = v + dw**2\n"
        "    w = w - learning_rate * dw / (sqrt(v) + eps)\n"
        "    return w, v\n"
    )


@ro.rule
def commented(w, dw, m, *, learning_rate=0.1):
    """A comment belongs to the card."""
    m += dw  # all of it
    # the gradient is in m
    w = w - learning_rate * m
    return w, m


def test_comments_stay():
    assert card(commented) == (
        "def commented(w, dw, m, *, learning_rate=0.1):\n"
        "    m += dw  # all of it\n"
        "    # the gradient is in m\n"
        "    w = w - learning_rate * m\n"
        "    return w, m\n"
    )


RATE = 0.5


def sqrt(x):
    """A function of the author's own, under a name of the language."""
    return x * RATE


@ro.rule
def with_own_sqrt(w, dw):
    w = w - sqrt(dw)
    return w


@ro.rule
def with_constant(w, dw):
    w = w - RATE * dw
    return w


@ro.rule
def swapped(w, dw, m, v, t):
    """Each needs the old value of the other; a value is called as a function of the language."""
    sign = ro.sign(dw) * m
    m, v = v + t, m + t
    return w - sign, m, v


@pytest.mark.parametrize(
    "rule", [with_own_sqrt, with_constant, swapped], ids=lambda rule: rule.name
)
def test_names_never_mean_something_else_in_the_card(rule):
    assert as_mathematics(read(card(rule), rule)) == as_mathematics(rule)


@ro.rule
def opposites(w, dw, t):
    """What is true or false of the step has no `~`."""
    return w - ro.where(np.logical_not(t == 3), 1, 2) * ro.where(np.logical_not(t < 3), 3, 5) * dw


def test_conditions_of_the_step_are_turned_round():
    made = read(card(opposites), opposites)

    assert "~" not in card(opposites)
    for t in range(1, 6):
        assert made(7.0, 1.0, t) == opposites(7.0, 1.0, t)


def nested(expression):
    """A rule whose operations have no names: each stands inside those that use it."""

    def random(w, dw, m, t, *, a=0.0, b=0.0):
        values = expression.values({"w": w, "dw": dw, "m": m, "t": t, "a": a, "b": b})
        numbers = (
            ro.where(value, 1.0, 0.0) if ops.OPS[name].gives == "truth" else value
            for value, (name, *_) in zip(values[len(LEAVES) :], expression.steps, strict=True)
        )
        *_, last = (w, *numbers)
        return w - last, m  # a rule may not return its gradient, which 1 * dw is

    return ro.rule(random)


@pytest.mark.parametrize("made_of", [as_rule, nested], ids=["named", "nested"])
@settings(max_examples=100, deadline=None)
@given(expression=expressions())
def test_brackets_stand_where_they_are_needed(made_of, expression):
    rule = made_of(expression)
    nodes = in_order(rule.program().outputs.values())
    assume(not any(node.op is ops.NOT and node.rate == "step" for node in nodes))

    assert as_mathematics(read(card(rule), rule)) == as_mathematics(rule)


BRACKETS = [
    "dw - (m - w)", "dw - m - w", "dw - (m + w)", "dw / (m * w)", "dw / m / w", "dw * (m / w)",
    "-(dw * m)", "-dw * m", "(-dw) ** 3", "-(dw**3)", "(dw**3) ** m", "dw ** 3**m", "dw**-m",
    "2 ** (dw + m)", "(dw - m) ** 2", "dw**2 * m**2", "(dw * m) ** 2", "(t + 1) % 3 * (t // 2 % 2)",
    "where((dw > 0) & ((m > 0) | (w > 0)), 1, 2)", "where((dw > 0) & (m > 0) | (w > 0), 1, 2)",
    "where(~(dw > m + w), dw, clip(m, -w, w))", "dw - -1.5", "(-1.5) ** t * dw",
]  # fmt: skip


@pytest.mark.parametrize("text", BRACKETS)
def test_brackets_mean_what_they_did(text):
    names = {name: getattr(ro, name) for name in FUNCTIONS}
    function = eval(f"lambda w, dw, m, t: ({text}, m)", names)  # noqa: S307  (from above)
    function.__name__ = "rule"
    rule = ro.rule(function)

    assert as_mathematics(read(card(rule), rule)) == as_mathematics(rule)


def test_numbers_are_written_as_people_write_them():
    assert [number(x) for x in (1e-8, 1e30, 0.001, 3, -0.0, 1.5e-10)] == [
        "1e-8", "1e30", "0.001", "3", "-0.0", "1.5e-10",
    ]  # fmt: skip
