"""Sums over a tensor in a rule: what is traced, in how many passes, and what is refused."""

import math

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.errors import RuleError
from ruleonce.language import ops
from ruleonce.language.monitor import GRADIENT, UPDATE, WEIGHTS, monitored


@ro.rule
def scaled(w, dw, m, length: ro.Scalar, *, learning_rate=0.5, decay=0.25):
    """Each kind of number: of a step, of a tensor, of a tensor once more, of all tensors."""
    step = dw / ro.norm(dw) + decay * w
    ratio = ro.norm(w) / ro.norm(step)
    length = ro.sqrt(ro.total(ro.dot(dw, dw)))
    m = m + ro.mean(dw) * ro.size(dw) - ro.sum(dw)
    w = w - learning_rate * ratio * step / ro.maximum(1, length)
    return w, m, length


def mistake_of(function):
    with pytest.raises(RuleError) as caught:
        ro.rule(function).program()
    return str(caught.value)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w, dw, t: w - ro.sum(t), ["`sum(t)`", "sum takes a tensor", "whole step"]),
        (lambda w, dw, *, a=0.1: w - ro.mean(a), ["`sum(a)`", "sum takes a tensor"]),
        (lambda w, dw, t: w - ro.size(t), ["`size(t)`", "size takes a tensor"]),
        (
            lambda w, dw: w - ro.norm(ro.norm(dw)),
            ["dot takes a tensor", "one number for the whole tensor", "size(w)"],
        ),
        (lambda w, dw: w - ro.sum(ro.total(ro.sum(dw))), ["sum takes a tensor", "whole step"]),
        (lambda w, dw: w - ro.dot(ro.norm(w), ro.norm(dw)), ["dot takes a tensor"]),
        (lambda w, dw: w - ro.total(dw), ["`total(dw)`", "a tensor.", "Write total(sum(x))"]),
        (lambda w, dw, t: w - ro.total(t), ["`total(t)`", "one number for all of them already"]),
        (
            lambda w, dw: w - ro.total(ro.total(ro.sum(dw))),
            ["`total(total(sum(dw)))`", "one number for all of them already"],
        ),
        (lambda w, dw: w - ro.sum(dw > 0), ["`(dw > 0)`", "where(condition, 1.0, 0.0)"]),
        (lambda w, dw: w - ro.total(ro.sum(dw) > 0), ["is true or false", "total cannot take"]),
        (lambda w, dw: w - ro.sum(dw) % 2, ["mod is for numbers that change once a step"]),
        (lambda w, dw: w - ro.total(ro.sum(dw)) // 2, ["floordiv is for numbers", "tensors"]),
        (lambda w, dw: ro.where(~(ro.norm(dw) > 0), w, dw * 2), ["the whole tensor", "opposite"]),
        (
            lambda w, dw: ro.where(~(ro.total(ro.sum(dw)) > 0), w, dw * 2),
            ["the whole step", "opposite"],
        ),
        (lambda w, dw: w if ro.norm(dw) > 1 else -w, ["cannot branch", "where(condition"]),
        (lambda w, dw: w - max(ro.norm(dw), 1.0), ["cannot branch"]),
        (lambda w, dw: w - float(ro.norm(dw)), ["not a number yet"]),
        (lambda w, dw: w - math.sqrt(ro.dot(dw, dw)), ["not a number yet", "ruleonce import sqrt"]),
        (lambda w, dw: w - ro.norm(dw).item(), ["`.item` belongs to an array"]),
        (lambda w, dw: w - dw.sum(), ["`.sum` belongs to an array", " sum,"]),
        (lambda w, dw: w - sum(dw), ["cannot be indexed, unpacked or measured"]),
        (lambda w, dw: w - np.sum(dw), ["np.sum is not in the language", " sum,"]),
        (lambda w, dw: w - np.linalg.norm(dw), ["is not in the language", " norm,"]),
    ],
)
def test_what_is_no_sum_over_a_tensor_is_refused_at_the_users_line(function, words):
    message = mistake_of(function)

    assert message.startswith("test_reductions.py:")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda dw: ro.norm(dw), ["differs between tensors", "total(sum(x))"]),
        (lambda dw: ro.size(dw), ["differs between tensors"]),
        (lambda dw: ro.total(ro.sum(dw)) * dw, ["differs between elements"]),
    ],
    ids=["of a tensor", "its size", "of an element"],
)
def test_scalar_state_takes_totals_and_nothing_of_one_tensor(value, words):
    message = mistake_of(scalar_of(value))

    assert "as s, which is one number for the whole optimizer" in message
    for word in words:
        assert word in message
    ro.rule(scalar_of(lambda dw: ro.total(ro.norm(dw)) / 2)).program()


def scalar_of(value):
    def rule(w, dw, s: ro.Scalar):
        return w, value(dw)

    return rule


# How often the elements are read


def passes(function):
    return ro.rule(function).program().passes


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda w, dw: w - dw, 1),
        (lambda w, dw: w - dw / ro.size(dw), 2),
        (lambda w, dw: (ro.norm(dw), w - dw)[1], 1),
        (lambda w, dw: w - ro.sum(dw), 2),
        (lambda w, dw: w - ro.sum(dw) - ro.mean(w) - ro.norm(w + dw), 2),
        (lambda w, dw: w - dw / ro.total(ro.dot(dw, dw)), 2),
        (lambda w, dw: w - dw / ro.total(ro.size(dw)), 2),
        (lambda w, dw: w - ro.total(ro.norm(w) / ro.norm(dw)), 2),
        (lambda w, dw: w - ro.norm(dw / ro.norm(dw)), 3),
        (lambda w, dw: w - ro.norm(dw / ro.total(ro.sum(dw))) - ro.sum(w), 3),
        (lambda w, dw: w - ro.sum(w / ro.norm(w - ro.mean(w))), 4),
    ],
    ids=range(11),
)
def test_elements_are_read_as_often_as_sums_are_made_of_sums(function, count):
    """A size takes a pass too, in which nothing is read."""
    assert len(passes(function)) == count


def test_the_passes_before_the_last_only_read_and_each_only_what_it_needs():
    first, second, last = passes(
        lambda w, dw, m, v: (w - dw / ro.norm(m / ro.norm(v)), m + 1, v + m)
    )

    assert [one.read for one in (first, second, last)] == [("v",), ("m",), ("w", "dw", "m", "v")]
    assert not first.written
    assert not second.written
    assert list(last.written) == ["w", "m", "v"]
    assert list(map(repr, (*first.sums, *second.sums))) == [
        "dot(v, v)",
        "dot((m / sqrt(dot(v, v))), (m / sqrt(dot(v, v))))",
    ]
    assert not last.sums
    assert [one.name for one in (first, second, last)] == list(NAMES)


NAMES = ("<lambda>_pass0", "<lambda>_pass1", "<lambda>")


def test_equal_sums_are_made_once():
    first, _ = passes(lambda w, dw: w - dw / ro.norm(dw) - ro.dot(dw, dw) * ro.norm(dw))

    assert list(map(repr, first.sums)) == ["dot(dw, dw)"]


def test_a_sum_that_nothing_needs_is_not_made():
    program = ro.rule(lambda w, dw, m: (w - dw, (ro.norm(w * m), m)[1])).program()

    assert not program.measured
    assert program.passes[0].read == ("w", "dw")


def test_a_squared_norm_is_a_product_as_a_squared_tensor_is():
    program = ro.rule(lambda w, dw: w - ro.norm(dw) ** 2 - ro.norm(dw) ** 0.5).program()

    assert {node.op for node in program.measured} == {ops.DOT, ops.SQRT, ops.MUL}


def test_the_numbers_of_a_program_are_cut_into_known_and_measured():
    program = scaled.program()

    assert list(map(repr, program.host)) == ["learning_rate", "decay"]
    assert program.measured_scalars == ("length",)
    assert program.has_totals
    assert not ro.rule(lambda w, dw: w - ro.norm(dw)).program().has_totals
    assert [len(one.sums) for one in program.passes] == [3, 1, 0]
    assert program.sum_count == 4
    assert [one.first_sum for one in program.passes] == [0, 3, 4]
    counts = [len(one.host) for one in program.passes]
    assert [one.first_number for one in program.passes] == [0, counts[0], counts[0] + counts[1]]
    assert program.number_count == sum(counts)
    assert not program.passes[0].has_own_numbers
    assert program.passes[1].has_own_numbers


# Looked at


def test_a_program_says_where_its_sums_are_made():
    @ro.rule
    def shorter(w, dw, *, limit=1.0):
        length = ro.norm(dw)
        return w - dw * limit / length

    assert str(shorter.program()).split("\n") == [
        "shorter(w, dw; limit, t)",
        "  device  %3 = dw * limit",
        "  tensor  %4 = dot(dw, dw)",
        "  tensor  %5 = sqrt(%4)  # length",
        "  device  %6 = %3 / %5",
        "  device  %7 = w - %6",
        "  w <- %7",
    ]


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (lambda w, dw: w - ro.sum(dw + w), r"\operatorname{sum}\left(\mathrm{d}w + w_{t-1}\right)"),
        (lambda w, dw: w - ro.dot(w, dw), r"\left\langle w_{t-1}, \mathrm{d}w \right\rangle"),
        (
            lambda w, dw: w - dw * ro.norm(dw),
            r"\mathrm{d}w \, \sqrt{\left\langle \mathrm{d}w, \mathrm{d}w \right\rangle}",
        ),
        (
            lambda w, dw: w - ro.mean(dw),
            (
                r"\frac{\operatorname{sum}\left(\mathrm{d}w\right)}"
                r"{\operatorname{size}\left(\mathrm{d}w\right)}"
            ),
        ),
        (
            lambda w, dw: w - ro.total(ro.sum(dw)),
            r"\operatorname{total}\left(\operatorname{sum}\left(\mathrm{d}w\right)\right)",
        ),
    ],
)
def test_sums_have_formulas(function, formula):
    assert formula in ro.rule(function).latex()


# Seen on the way


def test_a_program_that_reports_makes_three_sums_more_in_its_last_pass():
    program = ro.adam.program()
    seen = monitored(program)

    assert [len(one.sums) for one in seen.passes] == [3]
    texts = list(map(repr, seen.reports))
    assert texts[GRADIENT] == "dot(dw, dw)"
    assert texts[WEIGHTS] == "dot(w, w)"
    assert texts[UPDATE].endswith("- w))")
    assert seen.written == program.written
    assert seen.host == program.host
    assert not program.reports


def test_a_program_that_reports_is_made_once():
    """The engines keep what they compile by the program."""
    assert monitored(ro.adam.program()) is monitored(ro.adam.program())
    assert monitored(ro.adam.program()) is not monitored(ro.sgd.program())


def test_reports_come_after_the_sums_that_the_rule_needs():
    seen = monitored(scaled.program())

    assert [len(one.sums) for one in seen.passes] == [3, 1, 3]
    assert seen.passes[-1].first_sum == 4
    assert seen.sum_count == 7
    assert [one.name for one in seen.passes] == ["scaled_pass0", "scaled_pass1", "scaled"]


def test_what_a_report_is_of_are_the_first_two_arguments_whatever_they_are_called():
    seen = monitored(ro.rule(lambda x, g, v: (x - g * v, v)).program())

    assert list(map(repr, seen.reports))[:2] == ["dot(g, g)", "dot(x, x)"]
    assert repr(seen.reports[UPDATE]) == "dot(((x - (g * v)) - x), ((x - (g * v)) - x))"
