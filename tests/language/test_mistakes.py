"""Mistakes are found when a rule is decorated or first traced; each message says what to write."""

import math

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import RuleError


def mistake_of(function, **options):
    """The message for a rule that can be decorated but not traced."""
    with pytest.raises(RuleError) as caught:
        ro.rule(**options)(function).program()
    return str(caught.value)


def test_a_branch_on_a_traced_value_names_where_and_the_line():
    def branches(w, dw, *, a=0.1):
        if dw > 0:
            w = w - a
        return w

    message = mistake_of(branches)

    line = branches.__code__.co_firstlineno + 1
    assert f"test_mistakes.py:{line} in branches" in message
    assert "`(dw > 0)`" in message
    assert "where(condition, if_true, if_false)" in message


@pytest.mark.parametrize(
    "function",
    [
        lambda w, dw: w if (dw > 0) and (w > 0) else dw,
        lambda w, dw: w if not dw else w,
        lambda w, dw: w if 0 < dw < 1 else w,
        lambda w, dw, t: w - dw if t == 1 else w,
        lambda w, dw: max(w, dw),
    ],
    ids=["and", "not", "chained", "t", "max"],
)
def test_every_form_of_a_branch_is_refused(function):
    assert "where(condition" in mistake_of(function)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w, dw, m: w, ["returned 1 value", "asks for 2", "return w, m"]),
        (lambda w, dw, m, v: (w, m), ["returned 2 values", "asks for 3", "m, v", "return w, m, v"]),
        (lambda w, dw: None, ["returned nothing", "return w"]),
        (lambda w, dw, m: (), ["returned 0 values", "return w, m"]),
        (lambda w, dw, m: (w, dw, m), ["gradient dw is not returned", "return w, m"]),
        (lambda w, dw: dw, ["returns its gradient dw as the new w", "w = w - learning_rate * dw"]),
        (lambda w, dw, m: (dw, m), ["returns its gradient dw as the new w"]),
        (lambda w, dw, m: (w, dw > 0), ["`(dw > 0)` as m", "where(condition, x, y)"]),
        (lambda w, dw: "w", ["'w' returned as w is neither a number"]),
    ],
)
def test_a_wrong_return_is_refused(function, words):
    message = mistake_of(function)

    assert "test_mistakes.py" in message
    for word in words:
        assert word in message


def test_scalar_state_cannot_depend_on_an_element():
    def wrong(w, dw, mu: ro.Scalar):
        return w - mu * dw, mu + dw

    message = mistake_of(wrong)

    assert "`(mu + dw)` as mu" in message
    assert "one number for the whole optimizer" in message


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            lambda w, dw: w - math.sqrt(dw),
            ["`dw` is not a number yet", "from ruleonce import sqrt"],
        ),
        (lambda w, dw: w - float(dw), ["is not a number yet"]),
        (lambda w, dw: w - int(dw), ["is not a number yet"]),
        (lambda w, dw, *, k=3: w - sum(dw for _ in range(k)), ["A loop needs a count"]),
        (lambda w, dw: w - np.arctan(dw), ["np.arctan is not in the language", "tanh"]),
        (lambda w, dw: w - np.linalg.norm(dw), ["is not in the language"]),
        (lambda w, dw: w - np.add.reduce(dw), ["np.add.reduce is not in the language"]),
        (lambda w, dw: w - np.sqrt(dw, where=True), ["np.sqrt with where"]),
        (lambda w, dw: w - np.zeros_like(dw), ["np.zeros_like"]),
        (lambda w, dw: w - dw.mean(), ["`.mean` belongs to an array"]),
        (lambda w, dw: w - dw[0], ["cannot be indexed"]),
        (lambda w, dw: w - sum(dw), ["cannot be indexed, unpacked"]),
        (lambda w, dw: w * len(dw), ["cannot be indexed, unpacked or measured"]),
        (lambda w, dw: w @ 2.0, ["matmul takes whole matrices", "Write `*`"]),
        (lambda w, dw: w - dw * (dw > 0), ["true or false, not a number", "1.0, 0.0) is a mask"]),
        (lambda w, dw: ro.where(dw, w, 0.0), ["needs a condition", "x > 0"]),
        (lambda w, dw: w & dw, ["needs a condition"]),
        (lambda w, dw, t: ro.where(~(t == 1), w, dw), ["opposite comparison", "t != 1"]),
        (lambda w, dw: w % 2, ["not defined for tensors"]),
        (lambda w, dw: w - 1j * dw, ["is not a real number"]),
        (lambda w, dw: w - np.ones(3) * dw, ["array of shape (3,)", "Values that differ"]),
        (lambda w, dw: w - None, ["None in `sub` is neither a number"]),
        (lambda w, dw: w - "x", ["'x' in `sub` is neither a number"]),
    ],
)
def test_what_the_language_does_not_have_is_refused_with_what_it_has(function, words):
    message = mistake_of(function)

    assert "test_mistakes.py" in message
    for word in words:
        assert word in message


def test_a_value_kept_from_another_run_is_refused():
    kept = []

    def leaks(w, dw, *, first=True):
        kept.append(dw)
        return w - kept[0]

    leaky = ro.rule(leaks)
    leaky.program(first=True)

    with pytest.raises(RuleError, match="kept from another run"):
        leaky.program(first=False)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: None, ["must be the weights and their gradient"]),
        (lambda w: w, ["must be the weights and their gradient"]),
        (lambda w, t: w, ["must be the weights and their gradient"]),
        (lambda w, dw, *rest: w, ["`*rest` leaves open"]),
        (lambda w, dw, **rest: w, ["`**rest` leaves open"]),
        (lambda w, dw, m=0: w, ["`m` has a default", "before the `*`"]),
        (lambda w, dw, *, a: w, ["`a` needs a default"]),
        (lambda w, dw, *, a=None: w, ["default of `a` is None", "True or False"]),
        (lambda w, dw, *, a="x": w, ["default of `a` is 'x'"]),
        (lambda w, dw, *, t=1: w, ["`t` is the step count"]),
        (lambda w, dw, *, beta1=1.5: w, ["a default is outside its range", "beta1 is 1.5"]),
        (lambda w, dw, *, a=math.nan: w, ["a is nan"]),
        (lambda w, dw, *, a=10**400: w, ["a is an integer beyond every float"]),
    ],
)
def test_a_wrong_signature_is_refused_when_it_is_decorated(function, words):
    with pytest.raises(RuleError) as caught:
        ro.rule(function)

    for word in [*words, "test_mistakes.py", "def adam(w, dw, m, v, t, *, learning_rate"]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"initial": {"n": 1.0}}, ["'n', which is no state", "It has m"]),
        ({"initial": {"m": "rate"}}, ["names no hyperparameter", "'learning_rate'"]),
        ({"initial": {"m": None}}, ["must be a number or a hyperparameter"]),
        ({"ranges": {"rate": (0, 1)}}, ["which is no hyperparameter", "'learning_rate'"]),
    ],
)
def test_wrong_options_of_the_decorator_are_refused(options, words):
    with pytest.raises(RuleError) as caught:
        ro.rule(**options)(lambda w, dw, m, *, learning_rate=0.1: (w, m))

    for word in words:
        assert word in str(caught.value)


def test_the_decorator_takes_a_function_only():
    with pytest.raises(RuleError, match="@rule takes a function"):
        ro.rule(3)


def test_an_unknown_switch_is_refused():
    with pytest.raises(
        ro.RuleonceError, match="has no hyperparameter 'nesterof'; did you mean 'nesterov'"
    ):
        ro.rule(lambda w, dw, *, nesterov=False: w - dw).program(nesterof=True)
