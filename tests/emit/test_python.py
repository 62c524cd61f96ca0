"""The host part as a Python function."""

import struct

import numpy as np
import pytest

import ruleonce as ro
from ruleonce.emit import python
from ruleonce.language.graph import in_order


def test_adams_numbers_are_those_of_python():
    program = ro.adam.program()
    host = python.load(python.emit(program))
    packed = bytearray(8 * 8)

    returned = host(struct.Struct("8d").pack_into, packed, 1e-3, 0.9, 0.999, 1e-8, 7)

    assert returned == ()
    assert struct.unpack("8d", packed) == (
        1e-3, 0.9, 1 - 0.9, 1 - 0.9**7, 0.999, 1 - 0.999, 1 - 0.999**7, 1e-8,
    )  # fmt: skip


def test_every_operation_can_be_done_on_the_host():
    def all_of_them(w, dw, t, *, a=2.0, b=0.5):
        x = ro.maximum(a, b) + ro.minimum(a, b) - ro.sign(a) * abs(b) / (t + 1)
        x = x + ro.exp(b) + ro.log(a) + ro.tanh(b) + ro.cbrt(a) + ro.sqrt(a) + (-1.5) ** t + -b
        truth = ((a > b) & np.logical_not(a < b)) | (a == b) & (a != b) | (a >= b) & (a <= b)
        x = x + ro.where(truth, t % 2, t // 2)
        return w - x * dw

    made = ro.rule(all_of_them)
    program = made.program()
    host = python.load(python.emit(program))
    packed = bytearray(8)

    host(struct.Struct("d").pack_into, packed, 2.0, 0.5, 3)

    (by_call,) = made(0.0, -1.0, 3)
    assert struct.unpack("d", packed)[0] == by_call
    assert len({node.op for node in in_order(program.host) if node.op}) > 20


def test_new_scalar_state_is_returned_first_and_as_floats():
    made = ro.rule(lambda w, dw, mu: (w - mu * dw, mu * 2))
    made = ro.rule(_with_scalar)
    host = python.load(python.emit(made.program()))

    returned = host(struct.Struct("d").pack_into, bytearray(8), 3, 1)

    assert returned == (7.0,)
    assert isinstance(returned[0], float)


def _with_scalar(w, dw, mu: ro.Scalar, t):
    mu = mu * 2 + t
    return w - mu * dw, mu


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_the_text_is_the_same_on_every_run(rule):
    assert python.emit(rule.program()) == python.emit(ro.rule(rule.function).program())
