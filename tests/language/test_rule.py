"""A rule: called as a function, traced as a program, printed as a card."""

import copy
import cProfile
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import ruleonce as ro


@ro.rule(initial={"v": 0.1})
def example(w, dw, m, v, mu: ro.Scalar, t, *, learning_rate=0.1, beta1=0.5, nesterov=False):
    """One line that says what it is.

    A note.

    Source: nobody.
    """
    mu = mu * beta1 + t
    m = beta1 * m + (1 - beta1) * dw
    v = v + dw**2
    step = dw + m if nesterov else m
    w = w - learning_rate * step / (ro.sqrt(v) + mu)
    return w, m, v, mu


def test_the_signature_is_the_schema():
    schema = example.schema

    assert (schema.weights, schema.gradient) == ("w", "dw")
    assert schema.state == ("m", "v")
    assert schema.scalars == ("mu",)
    assert schema.takes_t
    assert dict(example.hyperparameters) == {
        "learning_rate": 0.1,
        "beta1": 0.5,
        "nesterov": False,
    }
    assert schema.switches == {"nesterov": False}
    assert schema.returns == ("w", "m", "v", "mu")
    assert schema.initial == {"v": 0.1}


def test_the_first_two_arguments_may_have_any_name():
    made = ro.rule(lambda x, slope, *, learning_rate=0.5: x - learning_rate * slope)
    x = np.array([1.0])

    ro.Optimizer(made, x).step(np.array([1.0]))

    assert x == 0.5


def test_scalar_is_found_where_annotations_are_text():
    namespace = {"ro": ro}
    text = "from __future__ import annotations\n@ro.rule\ndef f(w, dw, mu: ro.Scalar): return w, mu"
    exec(compile(text, "<text>", "exec"), namespace)  # noqa: S102

    assert namespace["f"].scalars == ("mu",)


@pytest.mark.parametrize(
    "tensor",
    [
        float,
        np.array,
        lambda x: np.array([x, x]),
        lambda x: torch.tensor([x], dtype=torch.float64),
        lambda x: jnp.array([x]),
    ],
    ids=["float", "0-d", "numpy", "torch", "jax"],
)
def test_a_rule_computes_on_whatever_it_is_called_with(tensor):
    """By hand: m = 0.5 + 1, v = 4, mu = 1, w = 1 - 0.1 * 1.5 / (2 + 1)."""
    inputs = [tensor(x) for x in (1.0, 2.0, 1.0, 0.0)]

    w, m, v, mu = example(*inputs, 0.0, 1)

    assert float(np.ravel(m)[0]) == 1.5
    assert float(np.ravel(v)[0]) == 4.0
    assert mu == 1.0
    assert float(np.ravel(w)[0]) == pytest.approx(0.95, rel=1e-6)
    assert type(w) is type(inputs[0]) or np.ndim(inputs[0]) == 0


EVERY_FUNCTION = ro.rule(
    lambda w, dw: (
        ro.sqrt(ro.abs(w))
        + ro.sign(dw)
        + ro.maximum(w, 0.0)
        + ro.minimum(0.5, dw)
        + ro.where(w > dw, w, 1.0)
        + ro.where(w > dw, 1.0, -1.0)
        + ro.exp(w)
        + ro.log(ro.square(w) + 1)
        + ro.tanh(dw)
        + ro.cbrt(dw)
        + ro.power(ro.abs(w), 1.5)
        + ro.clip(dw, -0.5, 0.5)
        + ro.where((w > 0) & ~(dw > 0) | (w == 1), 2.0, 3.0)
    )
)


@pytest.mark.parametrize("library", ["float", "torch", "jax"])
def test_every_function_means_the_same_in_every_library(library):
    w, dw = np.linspace(-2, 2, 9), np.linspace(1.5, -1.5, 9)
    (expected,) = EVERY_FUNCTION(w, dw)

    if library == "float":
        got = [EVERY_FUNCTION(x, y)[0] for x, y in zip(w.tolist(), dw.tolist(), strict=True)]
    elif library == "torch":
        got = EVERY_FUNCTION(torch.tensor(w), torch.tensor(dw))[0].numpy()
    else:
        got = np.asarray(EVERY_FUNCTION(jnp.asarray(w), jnp.asarray(dw))[0])

    np.testing.assert_allclose(got, expected, rtol=1e-6 if library == "jax" else 1e-15)


def test_functions_of_numbers_are_nan_or_inf_where_numpy_is():
    assert np.isnan(ro.sqrt(-1.0))
    assert ro.log(0.0) == -np.inf
    assert np.isnan(ro.log(-1.0))
    assert ro.exp(1000.0) == np.inf
    assert np.isnan(ro.sign(np.nan))
    assert np.isnan(ro.maximum(np.nan, 1.0))
    assert np.isnan(ro.maximum(1.0, np.nan))
    assert str(ro.sign(-0.0)) == "0.0"
    assert str(ro.maximum(0.0, -0.0)) == "-0.0"  # the second on a tie
    assert ro.cbrt(-8.0) == -2.0


def test_numpys_own_functions_work_in_a_rule():
    def by_numpy(w, dw, m):
        m = np.maximum(np.abs(m), np.sqrt(np.square(dw)))
        w = w - np.where(np.logical_and(m > 0, np.less(dw, 1)), np.sign(dw), np.clip(dw, -1, 1))
        return w, np.negative(m)

    def by_ours(w, dw, m):
        m = ro.maximum(abs(m), ro.sqrt(ro.square(dw)))
        w = w - ro.where((m > 0) & (dw < 1), ro.sign(dw), ro.clip(dw, -1, 1))
        return w, -m

    assert (
        str(ro.rule(by_numpy).program()).split("\n")[1:]
        == (str(ro.rule(by_ours).program()).split("\n")[1:])
    )


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize(
    "function",
    [
        lambda w, dw: w - 0.1 * ro.where(dw > 0, 1.1, -0.3),
        lambda w, dw: w - np.sqrt(np.float64(0.3)) * dw,
        lambda w, dw, t: w - np.sqrt(t + 0.1) * dw,
        lambda w, dw: w - np.where(dw > 0, 1, 2) * 0.1,
    ],
    ids=["where", "float64", "sqrt of t", "integers"],
)
def test_the_precision_is_that_of_the_tensors(function, engine):
    """NumPy makes float64 of a where of two numbers, and of np.sqrt of one; a rule does not."""
    made = ro.rule(function)
    w, dw = np.linspace(-1, 1, 33, dtype=np.float32), np.linspace(1, -1, 33, dtype=np.float32)
    arguments = (w.copy(), dw, 1)[: len(made.schema.positional)]
    (called,) = made(*arguments)

    ro.Optimizer(made, w, engine=engine).step(dw)

    assert called.dtype == np.float32
    np.testing.assert_array_equal(w, called)


@pytest.mark.parametrize(
    "library", [np.array, torch.tensor, jnp.array], ids=["numpy", "torch", "jax"]
)
def test_a_rule_written_with_in_place_operators_changes_no_argument(library):
    @ro.rule
    def as_on_the_card(w, dw, m, *, learning_rate=0.5):
        m *= 0.5
        m += dw
        w += -learning_rate * m
        w -= 0.0
        w /= 1.0
        return w, m

    w, dw, m = library([1.0]), library([2.0]), library([4.0])

    new_w, new_m = as_on_the_card(w, dw, m)

    assert (float(new_w[0]), float(new_m[0])) == (-1.0, 4.0)
    assert (float(w[0]), float(dw[0]), float(m[0])) == (1.0, 2.0, 4.0)


def test_lambdas_closures_and_loops_of_a_fixed_count_work():
    def make(count, factor):
        def looped(w, dw):
            for _ in range(count):
                w = w - factor * dw
            return w

        return ro.rule(looped)

    w = np.zeros(2)

    ro.Optimizer(make(3, 0.5), w).step(np.ones(2))

    np.testing.assert_array_equal(w, [-1.5, -1.5])


def test_a_rule_of_a_thousand_operations_can_be_traced_printed_and_run():
    def long(w, dw):
        for _ in range(1000):
            w = w + (w - dw) * 1e-3
        return w

    made = ro.rule(long)
    w = np.linspace(-1, 1, 5)
    (expected,) = made(w, np.ones(5))

    ro.Optimizer(made, w).step(np.ones(5))

    np.testing.assert_array_equal(w, expected)
    assert len(str(made.program()).split("\n")) > 1000
    assert len(repr(made.program().outputs["w"])) < 10_000


def test_a_rule_can_call_another():
    @ro.rule
    def decayed(w, dw, m, v, t, *, learning_rate=1e-3, weight_decay=0.1):
        w = w * (1 - learning_rate * weight_decay)
        return ro.adam(w, dw, m, v, t, learning_rate=learning_rate)

    w, plain = np.ones(3), np.ones(3) * (1 - 1e-3 * 0.1)

    ro.Optimizer(decayed, w).step(np.full(3, 2.0))
    ro.Adam(plain).step(np.full(3, 2.0))

    np.testing.assert_array_equal(w, plain)


def test_a_switch_picks_the_formula_when_the_rule_is_traced():
    with_, without = example.program(nesterov=True), example.program(nesterov=False)

    assert with_ is not without
    assert example.program(nesterov=True) is with_
    assert len(with_.body) == len(without.body) + 1


def test_the_card_shows_code_defaults_state_and_source():
    card = str(example)

    assert card.startswith("example\n=======\nOne line that says what it is.")
    assert "    m = beta1 * m + (1 - beta1) * dw\n" in card
    assert '"""' not in card
    assert "learning_rate  0.1" in card
    assert "v   starts at 0.1" in card
    assert "mu  starts at 0" in card
    assert "Source: nobody." in card


def test_the_source_is_the_lines_as_written():
    assert example.source.startswith("@ro.rule(initial=")
    assert "    return w, m, v, mu" in example.source


def test_a_rule_typed_at_a_prompt_shows_its_program_instead():
    namespace = {"ro": ro}
    text = "@ro.rule\ndef typed(w, dw): return w - 0.5 * dw"
    exec(compile(text, "<stdin>", "exec"), namespace)  # noqa: S102

    assert "w <- " in namespace["typed"].source
    assert "0.5 * dw" in str(namespace["typed"])


def test_a_rule_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(ro.adam)) is ro.adam  # noqa: S301


def test_a_rule_without_a_name_cannot_be_pickled_but_copied():
    made = ro.rule(lambda w, dw: w - dw)

    assert copy.deepcopy(made) is copy.copy(made) is made
    with pytest.raises(ro.RuleonceError, match=r"cannot be pickled[^\n]*\n.*top of a module"):
        pickle.dumps(made)


def test_the_summary_and_repr_say_what_it_is():
    assert example.summary == "One line that says what it is."
    assert repr(ro.sgd) == "<rule sgd(w, dw, *, learning_rate=0.001)>"


def test_a_rule_can_be_traced_under_a_profiler():
    """Python's own profiler sits in the place that the author's names are read from."""
    function = ro.adam.function
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        program = ro.rule(function).program()
    finally:
        profiler.disable()

    assert len(program.body) == len(ro.adam.program().body)
    assert sys.getprofile() is None


def test_a_callable_profiler_goes_on_seeing_calls():
    seen = []
    sys.setprofile(lambda *event: seen.append(event))
    try:
        ro.rule(ro.adam.function).program()
        hook = sys.getprofile()
    finally:
        sys.setprofile(None)

    assert hook is not None
    assert any(frame.f_code is ro.adam.function.__code__ for frame, *_ in seen)


def test_a_rule_can_be_jitted_by_jax():
    """Its values are JAX's own tracers there, `t` among them."""
    step = jax.jit(lambda w, dw, m, v, t: ro.adam(w, dw, m, v, t, learning_rate=0.1))
    arrays = [jnp.array([1.0, -1.0]), jnp.array([0.5, 2.0]), jnp.zeros(2), jnp.zeros(2)]

    jitted, plain = step(*arrays, 3), ro.adam(*arrays, 3, learning_rate=0.1)

    for one, other in zip(jitted, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_number_beside_an_array_leaves_the_arrays_precision():
    w = np.ones(3, np.float32)

    new_w, new_m = ro.momentum(w, 0.5, 0.25)

    assert new_w.dtype == np.float32
    full = ro.momentum(w, np.full_like(w, 0.5), np.full_like(w, 0.25))
    np.testing.assert_allclose(new_w, full[0], rtol=1e-6)
    assert new_m == pytest.approx(0.9 * 0.25 - 1e-3 * 0.5)


def test_a_rule_called_on_whole_numbers_computes_in_float64():
    (w,) = ro.sgd(np.array([1, 2]), np.array([1, -1]), learning_rate=0.5)

    np.testing.assert_array_equal(w, [0.5, 2.5], strict=True)
