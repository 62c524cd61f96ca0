"""An optimizer in a training program: dtypes and devices.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import pytest
import torch
from alone import alone
from torch import nn
from training import parameter

import ruleonce.torch as rt
from ruleonce.errors import (
    EngineError,
    SparseGradientError,
    TensorTypeError,
)


def test_parameters_of_all_dtypes_go_together(assert_near):
    dtypes = [torch.float64, torch.float32, torch.complex64, torch.bfloat16, torch.float16]
    several = [parameter(torch.linspace(-1, 1, 7), dtype=dtype) for dtype in dtypes]
    optimizer = rt.AdamW(several, lr=0.1)
    lone = [parameter(torch.linspace(-1, 1, 7), dtype=dtype) for dtype in dtypes]
    alone_each = [rt.AdamW([p], lr=0.1) for p in lone]
    wide = [parameter(torch.linspace(-1, 1, 7)) for _ in dtypes]
    theirs = torch.optim.AdamW(wide, lr=0.1)
    for t in range(4):
        for p, q, w in zip(several, lone, wide, strict=True):
            w.grad = torch.linspace(-2, 2, 7, dtype=torch.float64) + t
            p.grad, q.grad = w.grad.to(p.dtype), w.grad.to(p.dtype)
        optimizer.step()
        theirs.step()
        for one in alone_each:
            one.step()
    for p, q in zip(several, lone, strict=True):
        assert torch.equal(p, q)
    start = torch.linspace(-1, 1, 7, dtype=torch.float64)
    for p, w, share in zip(several, wide, (1e-12, 1e-5, 1e-5, 3e-2, 3e-3), strict=True):
        own = p.detach().real if p.is_complex() else p.detach()
        assert_near(own.double(), w, start, share=share)


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_gradient_may_have_another_dtype_than_its_weights(dtype, engine):
    """bfloat16 weights with float32 gradients: nothing of the gradient is rounded."""
    weights = parameter([0.0], dtype=torch.bfloat16, gradient=[1.0])
    optimizer = rt.SGD([weights], lr=1.0, momentum=0.5, state_dtype=torch.float32, engine=engine)
    optimizer.step()
    fine = 1 + 2.0**-12  # not a bfloat16
    weights.grad = None
    weights.grad_dtype = dtype
    weights.grad = torch.tensor([fine], dtype=dtype)
    optimizer.step()
    assert optimizer.state[weights]["momentum_buffer"].item() == 0.5 + fine
    assert weights.item() == -2.5


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float8_e4m3fn, torch.bool], ids=str)
def test_a_dtype_without_a_format_matters_only_where_there_is_a_gradient(dtype, engine, unchanged):
    odd = nn.Parameter(torch.ones(3).to(dtype), requires_grad=False)
    good = parameter(gradient=[1.0, 1.0, 1.0])
    optimizer = rt.Adam([good, odd], engine=engine)
    optimizer.step()
    assert optimizer.state[good]["step"] == 1
    odd.grad = torch.ones(3).to(dtype)
    with unchanged(optimizer, TensorTypeError, "parameter 1 of param group 0", str(dtype)):
        optimizer.step()


def test_a_sparse_gradient_is_refused_as_by_pytorch(unchanged):
    layer = nn.Embedding(5, 3, sparse=True)
    good = parameter(gradient=[1.0, 1.0, 1.0])
    optimizer = rt.Adam([good, *layer.parameters()])
    layer(torch.tensor([1])).sum().backward()
    with unchanged(
        optimizer, RuntimeError, "does not support sparse gradients", "torch.optim.SparseAdam"
    ):
        optimizer.step()
    dense = torch.ones(5, 3)
    layer.weight.grad = dense
    optimizer.step()
    layer.weight.grad = dense.to_sparse()
    with unchanged(optimizer, SparseGradientError, "1 of param group 0"):
        optimizer.step()
    theirs = torch.optim.Adam(layer.parameters())
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        theirs.step()


@pytest.mark.parametrize(
    "options", [{"max_norm": 1.0}, {"ema": 0.9}, {"engine": "tensors"}], ids=str
)
def test_a_sparse_gradient_is_refused_with_every_feature(options, unchanged):
    weights = parameter()
    optimizer = rt.Adam([weights], **options)
    weights.grad = torch.ones(3, dtype=torch.float64).to_sparse()
    with unchanged(optimizer, SparseGradientError, "SparseAdam"):
        optimizer.step()


def test_engine_tensors_runs_on_meta_tensors():
    for engine in ("auto", "tensors"):
        weights = nn.Parameter(torch.ones(3, 4, device="meta"))
        optimizer = rt.AdamW([weights], engine=engine)
        for _ in range(2):
            weights.grad = torch.ones(3, 4, device="meta")
            optimizer.step()
        assert optimizer.state[weights]["exp_avg"].is_meta
        assert optimizer.state[weights]["step"] == 2


@alone
def test_the_cpu_engine_refuses_tensors_that_are_not_on_the_cpu(unchanged):
    """A meta tensor has no memory: its address is 0, and a kernel would write there."""
    weights = nn.Parameter(torch.ones(3, device="meta"))
    optimizer = rt.Adam([weights], engine="cpu")
    weights.grad = torch.ones(3, device="meta")
    with unchanged(optimizer, EngineError, "meta"):
        optimizer.step()


@alone
def test_a_step_under_fake_tensors_touches_no_memory():
    """PyTorch's memory estimators run a training step so; there, tensors have no address."""
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        weights = nn.Parameter(torch.ones(3))
        optimizer = rt.Adam([weights])
        weights.grad = torch.ones(3)
        optimizer.step()
        assert optimizer.state[weights]["exp_avg"].shape == (3,)


@alone
def test_a_gradient_without_memory_is_read_as_zeros():
    """Forward-mode differentiation makes such tensors; their address is 0."""
    weights = parameter([1.0, 2.0], gradient=[1.0, 1.0], dtype=torch.float32)
    optimizer = rt.SGD([weights], lr=1.0)
    optimizer.step()
    weights.grad = torch._efficientzerotensor(2)
    optimizer.step()
    assert weights.tolist() == [0.0, 1.0]


def test_a_step_works_inside_inference_mode():
    weights = parameter([1.0], gradient=[1.0])
    for cls in (torch.optim.Adam, rt.Adam):
        optimizer = cls([weights], lr=0.5)
        with torch.inference_mode():
            optimizer.step()
            optimizer.step()
        assert optimizer.state[weights]["step"] == 2


def test_parameters_made_in_inference_mode_are_updated_in_it():
    with torch.inference_mode():
        for cls in (torch.optim.SGD, rt.SGD):
            weights = torch.ones(3, requires_grad=True)
            weights.grad = torch.ones(3)
            cls([weights], lr=0.5).step()
            assert weights.tolist() == [0.5] * 3
