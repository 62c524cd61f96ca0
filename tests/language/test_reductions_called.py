"""Sums over a tensor in a rule that is called as a function: on numbers, and on arrays of each
library.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from ml_dtypes import bfloat16

import ruleonce as ro


@ro.rule
def share(w, dw, m, length: ro.Scalar, *, learning_rate=0.5):
    """A step as long, in each tensor, as a share of its weights."""
    m = m + dw - ro.mean(dw)
    step = m / ro.norm(m)
    w = w - learning_rate * ro.norm(w) * step
    return w, m, ro.sqrt(ro.total(ro.dot(dw, dw)))


LIBRARIES = {
    "numpy": lambda x, dtype: np.array(x, dtype),
    "torch": lambda x, dtype: torch.tensor(x, dtype=getattr(torch, dtype)),
    "jax": lambda x, dtype: jnp.array(x, dtype),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_arrays_of_any_library_have_their_sums(library, dtype):
    array = LIBRARIES[library]
    with jax.enable_x64(dtype == "float64"):
        x, y = array([[3.0, 0.0], [0.0, -4.0]], dtype), array([[1.0, 2.0], [0.5, 0.25]], dtype)
        got = (ro.sum(x), ro.dot(x, y), ro.norm(x), ro.mean(x), ro.size(x), ro.total(ro.sum(x)))

    assert list(map(float, got)) == [-1.0, 2.0, 5.0, -0.25, 4.0, -1.0]
    assert all(getattr(value, "shape", ()) == () for value in got)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("function", [ro.sum, ro.mean, ro.norm, lambda x: ro.dot(x, x)])
def test_a_sum_of_few_bits_is_added_up_in_float64(function, library):
    """65536 of them are more than float16 has; in float32 the last half would be lost."""
    x = LIBRARIES[library]([256.0] * 1024 + [2.0**-8], "float16")
    exact = {ro.sum: 2**18 + 2**-8, ro.mean: (2**18 + 2**-8) / 1025}.get(
        function, math.sqrt(2**26 + 2**-16) if function is ro.norm else 2**26 + 2**-16
    )

    assert float(function(x)) == exact


@pytest.mark.parametrize("number", [3, -3.0, True])
def test_a_number_is_a_tensor_of_one_element(number):
    assert ro.sum(number) == number
    assert ro.mean(number) == number
    assert ro.size(number) == 1.0
    assert ro.dot(number, 2.0) == 2 * number
    assert ro.norm(number) == abs(number)
    assert ro.total(number) == number


def test_whole_numbers_have_their_sums_too():
    x = np.array([2**62, 2**62, 2**62])

    assert ro.sum(x) == 3.0 * 2**62  # NumPy's own int64 has no room for it
    assert ro.norm(np.array([3, 4])) == 5.0
    assert ro.mean(np.array([1, 2])) == 1.5


@pytest.mark.parametrize("array", [np.zeros((0, 3)), torch.zeros(0, 3)], ids=["numpy", "torch"])
def test_an_empty_tensor_has_sums_of_0_and_no_mean(array):
    assert float(ro.sum(array)) == float(ro.norm(array)) == ro.size(array) == 0.0
    with np.errstate(invalid="ignore"):
        assert math.isnan(ro.mean(array))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_rule_with_sums_is_a_function(library, dtype):
    """What the rule says of itself: its step is as long as a share of the weights."""
    rng = np.random.default_rng(0)
    numbers = [rng.normal(size=(3, 4)).astype(dtype).tolist() for _ in range(3)]
    with jax.enable_x64(dtype == "float64"):
        w, dw, m = (LIBRARIES[library](x, dtype) for x in numbers)
        new = share(w, dw, m, 0.0)
        kept = [np.asarray(x).tolist() for x in (w, dw, m)]
    got = [np.asarray(x) for x in new]
    expected = share(*(np.array(x) for x in numbers), 0.0)

    near = 1e-14 if dtype == "float64" else 1e-6
    for one, value in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, value, rtol=near, atol=near)
    assert [str(x.dtype) for x in got[:2]] == [dtype, dtype]
    assert kept == numbers
    moved = np.linalg.norm(got[0] - np.array(numbers[0]))
    assert moved == pytest.approx(0.5 * np.linalg.norm(numbers[0]), rel=10 * near)
    assert float(got[2]) == pytest.approx(np.linalg.norm(numbers[1]), rel=near)


def test_a_rule_with_sums_can_be_jitted_and_mapped_by_jax():
    """vmap makes a tensor of each row: each has its own norm."""
    rule = ro.rule(lambda w, dw: w - dw / ro.norm(dw))
    w, dw = jnp.ones((5, 3)), jnp.arange(1.0, 16.0).reshape(5, 3)

    rows = jax.vmap(jax.jit(lambda w, dw: rule(w, dw)[0]))(w, dw)

    expected = 1 - np.array(dw) / np.linalg.norm(np.array(dw), axis=1, keepdims=True)
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


def test_python_numbers_go_through_a_rule():
    w, m, length = share(2.0, -3.0, 1.0, 0.0)

    assert (w, m, length) == (1.0, 1.0, 3.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, bfloat16, np.float64])
def test_numpy_arrays_keep_the_precision_of_the_tensors(dtype):
    """A norm is float64, and NumPy alone would make float64 of all that it meets."""
    rng = np.random.default_rng(1)
    w, dw, m = (rng.normal(size=33).astype(dtype) for _ in range(3))

    new, state, length = share(w, dw, m, 0.0)

    assert new.dtype == state.dtype == dtype
    assert isinstance(length, float)
    assert length == ro.norm(dw)  # all its digits: it is no number of the tensor's


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_plain_call_has_the_bits_of_the_reference_engine(dtype):
    rng = np.random.default_rng(2)
    w, dw = (rng.normal(size=(5, 7)).astype(dtype) for _ in range(2))
    own = w.copy()
    optimizer = ro.Optimizer(share, own, engine="reference")

    optimizer.step(dw)

    expected, state, length = share(w, dw, np.zeros_like(w), 0.0)
    np.testing.assert_array_equal(own, expected, strict=True)
    np.testing.assert_array_equal(optimizer.state["m"], state, strict=True)
    assert optimizer.state["length"] == length


def test_a_rule_that_writes_in_place_changes_no_array_of_the_callers():
    @ro.rule
    def unit(w, dw):
        dw /= ro.norm(dw)
        w -= dw
        return w

    w, dw = np.ones(2), np.array([3.0, 4.0])

    np.testing.assert_allclose(unit(w, dw)[0], [0.4, 0.2])
    assert w.tolist() == [1.0, 1.0]
    assert dw.tolist() == [3.0, 4.0]
