"""Muon and the language of matrices: against peers, by what is known of it, and what is refused."""

import jax
import numpy as np
import optax
import pytest
import torch
import walks

import ruleonce as ro
import ruleonce.optax
import ruleonce.torch
from ruleonce import engines
from ruleonce.combinators import decoupled_decay
from ruleonce.engines.batch import Batch
from ruleonce.errors import EngineError, RuleError, TensorError
from ruleonce.formats import FLOAT32
from ruleonce.language.functions import columns, matmul, rows, transpose
from ruleonce.matrices import muon

SHAPES = ((5, 7), (7, 5), (6, 6), (1, 4), (40, 3))
NUMBERS = {"learning_rate": 0.01, "weight_decay": 0.1}


@pytest.fixture
def in_float64(monkeypatch):
    """PyTorch's Muon takes its products in bfloat16; the same code without that rounding."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("match_adam", [False, True])
def test_muon_is_that_of_pytorch(in_float64, match_adam, nesterov):
    ours, _ = walks.by_rule(
        muon, SHAPES, "reference", **NUMBERS, eps=0.0, nesterov=nesterov, match_adam=match_adam
    )
    theirs, _ = walks.by_torch(
        lambda weights: torch.optim.Muon(
            weights,
            lr=0.01,
            weight_decay=0.1,
            eps=0.0,
            nesterov=nesterov,
            adjust_lr_fn="match_rms_adamw" if match_adam else "original",
        ),
        SHAPES,
    )
    walks.assert_same_end(ours, theirs)


# Where optax reduces over rows, as Flax has its matrices, PyTorch has columns.
AXES = optax.contrib.MuonDimensionNumbers(reduction_axis=1, output_axis=0)


OPTIONS = {
    "nesterov": ({"bias_correction": True, "eps": 0.3}, {"eps": 0.3}),
    "match_adam": (
        {"bias_correction": True, "match_adam": True, "eps": 0.3},
        {"eps": 0.3, "consistent_rms": 0.2},
    ),
    "plain": ({"nesterov": False, "eps": 0.0}, {"nesterov": False, "eps": 0.0}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_muon_is_that_of_optax(name):
    ours, theirs = OPTIONS[name]
    weights, _ = walks.by_rule(muon, SHAPES, "reference", **NUMBERS, **ours)
    axes = lambda tree: [AXES] * len(tree)  # noqa: E731
    transformation = optax.contrib.muon(
        0.01, weight_decay=0.1, muon_weight_dimension_numbers=axes, **theirs
    )
    walks.assert_same_end(weights, walks.by_optax(transformation, SHAPES)[0])


# What makes it itself


def step_of(w, dw, **numbers):
    """What one step from no momentum adds, in units of the learning rate and of its shape."""
    new, _ = muon(w, dw, np.zeros_like(w), 1, learning_rate=1.0, eps=0.0, **numbers)
    return (w - new) / np.sqrt(max(1.0, w.shape[0] / w.shape[1]))


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_about_as_long_in_every_direction(shape):
    """Jordan: singular values end between 0.7 and 1.2; the directions are those of the gradient."""
    dw = random(shape)
    u, _, v = np.linalg.svd(dw, full_matrices=False)
    inside = u.T @ step_of(random(shape, 1), dw) @ v.T

    assert np.all((np.diag(inside) > 0.65) & (np.diag(inside) < 1.25))
    np.testing.assert_allclose(inside - np.diag(np.diag(inside)), 0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_turns_with_the_axes(shape):
    w, dw = random(shape), random(shape, 1)
    left = np.linalg.qr(random((shape[0], shape[0]), 2))[0]
    right = np.linalg.qr(random((shape[1], shape[1]), 3))[0]
    turned = step_of(left @ w @ right, left @ dw @ right)
    np.testing.assert_allclose(turned, left @ step_of(w, dw) @ right, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_matrix_on_its_side_makes_the_same_step(shape):
    w, dw = random(shape), random(shape, 1)
    np.testing.assert_allclose(step_of(w.T, dw.T), step_of(w, dw).T, atol=1e-12)


@pytest.mark.parametrize("length", [1e-8, 1e8])
def test_the_length_of_the_gradient_does_not_matter(length):
    w, dw = random((5, 7)), random((5, 7), 1)
    np.testing.assert_allclose(step_of(w, dw * length), step_of(w, dw), rtol=1e-9)


def test_a_gradient_of_0_moves_nothing():
    w, m = muon(np.ones((3, 2)), np.zeros((3, 2)), np.zeros((3, 2)), 1)
    np.testing.assert_array_equal(w, np.ones((3, 2)))
    np.testing.assert_array_equal(m, 0)


# One rule, every array library


@pytest.mark.parametrize("shape", SHAPES)
def test_muon_is_the_same_on_numpy_torch_and_jax(shape):
    arguments = [random(shape, seed) for seed in range(3)]
    expected = muon(*arguments, 4)
    on_torch = muon(*map(torch.tensor, arguments), 4)
    with jax.enable_x64(True):
        on_jax = jax.jit(muon)(*map(jax.numpy.asarray, arguments), 4)
    for results in (on_torch, on_jax):
        for got, wanted in zip(results, expected, strict=True):
            np.testing.assert_allclose(np.asarray(got), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_traced_rule_is_the_rule(dtype):
    """The reference engine calls it; with a total beside it, it does what was traced."""

    @ro.rule
    def with_total(w, dw, m, t, *, learning_rate=0.02):
        new, m = muon(w, dw, m, t, learning_rate=learning_rate)
        return new + 0.0 * ro.total(ro.sum(m)), m

    ends = []
    for rule in (muon, with_total):
        weights = [random(shape).astype(dtype) for shape in SHAPES]
        optimizer = ro.Optimizer(rule, weights, engine="reference", learning_rate=0.5)
        for t in range(3):
            optimizer.step([random(w.shape, t + 1).astype(dtype) for w in weights])
        ends.append(weights)
    for one, another in zip(*ends, strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, another, rtol=0, atol=10 * np.finfo(dtype).eps)


def test_a_tall_matrix_has_small_products():
    """3 columns: no product is larger than 3 x 3 or the matrix itself."""
    sizes = []

    class Matrix(np.ndarray):
        def __matmul__(self, other):
            product = np.matmul(np.asarray(self), np.asarray(other)).view(Matrix)
            sizes.append(product.shape)
            return product

    muon(*(random((1000, 3), seed).view(Matrix) for seed in range(3)), 1)
    assert set(sizes) == {(3, 3), (3, 1000)}


def test_functions_on_arrays_and_numbers():
    x, y = random((2, 3)), random((3, 4), 1)
    np.testing.assert_array_equal(matmul(x, y), x @ y)
    np.testing.assert_array_equal(transpose(x), x.T)
    assert (rows(x), columns(x)) == (2, 3)
    assert matmul(2.0, 3.0) == 6.0
    assert (transpose(2.0), rows(2.0), columns(2.0)) == (2.0, 1.0, 1.0)


# Engines


def test_auto_is_the_engine_that_multiplies_matrices():
    w, dw = random((3, 2)), random((3, 2), 1)
    (expected, _) = muon(w, dw, np.zeros_like(w), 1)
    optimizer = ro.Optimizer(muon, w)
    optimizer.step(dw)

    np.testing.assert_array_equal(w, expected)
    assert optimizer._engine is engines.load("reference")
    assert engines.load("auto", [ro.adam.program()]) is engines.load("cpu")


def test_a_compiled_engine_refuses_matrices_and_names_those_that_have_them():
    with pytest.raises(EngineError, match=r"muon multiplies whole matrices.*(?s:.)*'reference'"):
        ro.Optimizer(muon, np.ones((2, 2)), engine="cpu")
    formats = dict.fromkeys(muon.program().tensors, FLOAT32)
    with pytest.raises(EngineError, match="engine='tensors'"):
        Batch(muon.program(), formats, [4], [0])
    with pytest.raises(EngineError, match="whole matrices"):
        ro.Optimizer(decoupled_decay(half), np.ones((2, 2)), engine="cpu")


@ro.rule
def half(w, dw, *, learning_rate=1.0):
    """Nothing of a matrix but its shape.

    Source: none.
    """
    return w - learning_rate * dw / rows(w)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_a_tensor_that_is_no_matrix_is_refused_before_anything_is_written(shape):
    weights = [np.ones((2, 2)), np.ones(shape)]
    optimizer = ro.Optimizer(muon, weights)
    with pytest.raises(TensorError, match=r"two dimensions.*optimizer of their own") as caught:
        optimizer.step([np.ones((2, 2)), np.ones(shape)])

    assert str(shape) in str(caught.value)
    np.testing.assert_array_equal(weights[0], 1)
    assert optimizer.t == 0


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w, dw: w @ 2.0, "`(w @ 2.0)`: matmul takes whole matrices"),
        (lambda w, dw, *, a=1.0: w - matmul(a, dw), "Write `*` for a product with a number"),
        (lambda w, dw, t: w - transpose(t) * dw, "transpose takes whole matrices"),
        (lambda w, dw: w - rows(ro.norm(dw)) * dw, "rows takes whole matrices"),
        (lambda w, dw: (w > 0) @ dw, "`(w > 0)` is true or false"),
        (lambda w, dw: w - np.ones((2, 2)) @ dw, "an array of shape (2, 2)"),
    ],
    ids=["number", "hyperparameter", "t", "norm", "truth", "array"],
)
def test_a_product_with_what_is_no_tensor_is_refused(function, words):
    with pytest.raises(RuleError) as caught:
        ro.rule(function).program()
    assert words in str(caught.value)


def test_the_formulas_stay_short():
    """Each round uses the last one five times; spelled out they would fill 19 million letters."""
    text = muon.latex()
    assert len(text) < 5000
    assert r"\chi_{1}^{\top}" in text
    assert " @ " in str(muon.program())


# In PyTorch


def parameter(shape, seed=0, dtype=torch.float64):
    made = torch.nn.Parameter(torch.tensor(random(shape, seed)).to(dtype))
    made.grad = torch.tensor(random(shape, seed + 1)).to(dtype)
    return made


@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_muon_steps_in_pytorch_as_over_numpy(engine):
    weights = [parameter(shape) for shape in SHAPES]
    arrays = [w.detach().numpy().copy() for w in weights]
    ours = ruleonce.torch.optimizer(muon)(weights, engine=engine, lr=0.1)
    numpys = ro.Optimizer(muon, arrays, learning_rate=0.1)
    for _ in range(3):
        ours.step()
        numpys.step([w.grad.numpy() for w in weights])
    for w, expected in zip(weights, arrays, strict=True):
        np.testing.assert_allclose(w.detach(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"shape": (3,)}, "two dimensions"),
        ({"shape": (2, 2), "dtype": torch.complex128}, "complex"),
    ],
    ids=["vector", "complex"],
)
def test_what_is_no_matrix_is_refused_in_pytorch_before_anything_is_written(other, error):
    first, second = parameter((3, 2)), parameter(**other)
    before = first.detach().clone()
    optimizer = ruleonce.torch.optimizer(muon)([first, second])
    with pytest.raises(TensorError, match=error):
        optimizer.step()
    assert torch.equal(first, before)


@pytest.mark.parametrize("engine", ["cpu", "gpu"])
def test_a_kernel_is_refused_in_pytorch(engine):
    with pytest.raises(EngineError, match="engine='tensors'"):
        ruleonce.torch.optimizer(muon)([parameter((3, 2))], engine=engine).step()


@pytest.mark.parametrize("engine", ["cpu", "gpu", "tensors"])
def test_a_size_is_a_number_like_others(engine):
    """It is Python's, where a norm is an array's."""

    @ro.rule
    def by_size(w, dw):
        return w - dw / ro.maximum(2, ro.size(w)) - dw * ro.where(ro.size(w) > 2, ro.norm(dw), 0)

    w = parameter((3, 2))
    start, dw = w.detach().numpy().copy(), w.grad.numpy()
    ruleonce.torch.optimizer(by_size)([w], engine=engine).step()
    expected = start - dw / 6 - dw * np.linalg.norm(dw)
    np.testing.assert_allclose(w.detach(), expected, rtol=1e-13)


def test_muon_steps_in_optax_as_over_numpy():
    w, dw = random((6, 4)), random((6, 4), 1)
    with jax.enable_x64(True):
        transformation = ruleonce.optax.transformation(muon)(learning_rate=0.1)
        weights = jax.numpy.asarray(w)
        state = transformation.init(weights)
        for _ in range(3):
            updates, state = jax.jit(transformation.update)(jax.numpy.asarray(dw), state, weights)
            weights = optax.apply_updates(weights, updates)
    optimizer = ro.Optimizer(muon, w, learning_rate=0.1)
    for _ in range(3):
        optimizer.step(dw)
    np.testing.assert_allclose(np.asarray(weights), w, rtol=0, atol=1e-14)


def test_a_step_on_matrices_can_be_reported_and_guarded():
    w, dw = random((6, 4)), random((6, 4), 1)
    before = w.copy()
    optimizer = ro.Optimizer(muon, w, on_nonfinite="skip")
    optimizer.step(dw * np.nan)
    np.testing.assert_array_equal(w, before)
    report = optimizer.step(dw, report=True)
    assert report.whole.update_norm == pytest.approx(np.linalg.norm(w - before), rel=1e-12)
