"""The formulas of a rule in LaTeX."""

import pytest

import ruleonce as ro
from ruleonce.language import latex, ops


def test_every_operation_is_spelled():
    assert set(ops.OPS.values()) == set(latex.SPELLING)


def test_adam_has_the_five_formulas_of_its_card():
    assert (
        ro.adam.latex()
        == r"""\begin{aligned}
m_t &= \beta_{1} \, m_{t-1} + \left(1 - \beta_{1}\right) \, \mathrm{d}w \\
\mathit{mt} &= \frac{m_t}{1 - \beta_{1}^{t}} \\
v_t &= \beta_{2} \, v_{t-1} + \left(1 - \beta_{2}\right) \, \mathrm{d}w^2 \\
\mathit{vt} &= \frac{v_t}{1 - \beta_{2}^{t}} \\
w_t &= w_{t-1} - \frac{\eta \, \mathit{mt}}{\sqrt{\mathit{vt}} + \epsilon}
\end{aligned}"""
    )


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (lambda w, dw: w - (w - dw), r"w_t &= w_{t-1} - \left(w_{t-1} - \mathrm{d}w\right)"),
        (lambda w, dw: w - dw - w, r"w_t &= w_{t-1} - \mathrm{d}w - w_{t-1}"),
        (lambda w, dw: w * (w + dw), r"w_{t-1} \, \left(w_{t-1} + \mathrm{d}w\right)"),
        (lambda w, dw: w - (-dw), r"w_t &= w_{t-1} - \left(-\mathrm{d}w\right)"),
        (lambda w, dw: w + -1.5 * dw, r"w_t &= w_{t-1} + \left(-1.5\right) \, \mathrm{d}w"),
        (lambda w, dw: (w + dw) ** 3.0, r"\left(w_{t-1} + \mathrm{d}w\right)^{3}"),
        (lambda w, dw: (w * dw) ** 2, r"\left(w_{t-1} \, \mathrm{d}w\right)^2"),
        (lambda w, dw: w - 1e-8 * dw, r"10^{-8} \, \mathrm{d}w"),
        (lambda w, dw: w - 2.5e-8 * dw, r"2.5 \cdot 10^{-8} \, \mathrm{d}w"),
        (
            lambda w, dw: ro.where((dw > 0) & (w > 0), w, 0.0),
            r"\begin{cases} w_{t-1} & \mathrm{d}w > 0 \land w_{t-1} > 0 \\ 0 & \text{otherwise}",
        ),
        (lambda w, dw: ro.cbrt(w), r"\sqrt[3]{w_{t-1}}"),
        (lambda w, dw, *, weight_decay=0.1: w * weight_decay, r"w_{t-1} \, \lambda"),
        (lambda w, dw, *, my_rate=0.1: w * my_rate, r"\mathit{my\_rate}"),
        (lambda w, dw, *, beta12=0.1: w * beta12, r"\beta_{12}"),
        (lambda w, dw, kept: (w - dw, kept), r"kept}_t &= \mathit{kept}_{t-1}"),
    ],
)
def test_brackets_stand_where_they_are_needed(function, formula):
    assert formula in ro.rule(function).latex()


def test_a_value_on_the_way_to_the_new_one_has_a_prime():
    def twice(w, dw):
        m_hat = dw * 2
        w = w - m_hat
        kept = w
        w = kept * kept
        return w

    assert r"\hat{m} &=" in ro.rule(twice).latex()
