"""What tests of an optimizer in a training program share: models, and runs to compare."""

import functools

import pytest
import torch
from torch import nn

import ruleonce.torch as rt

PAIRS = {
    "Adam": (rt.Adam, torch.optim.Adam, {"lr": 0.01}),
    "AdamW": (rt.AdamW, torch.optim.AdamW, {"lr": 0.01, "amsgrad": True}),
    "SGD": (rt.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "NAdam": (rt.NAdam, torch.optim.NAdam, {"lr": 0.01}),
}


def every_pair(test):
    """With float64 as the default dtype, in which PyTorch keeps NAdam's product of the momenta."""
    pairs = pytest.mark.parametrize(
        ("ours", "theirs", "options"), list(PAIRS.values()), ids=list(PAIRS)
    )
    return pytest.mark.usefixtures("float64")(pairs(test))


def parameter(values=(1.0, -2.0, 3.0), dtype=torch.float64, gradient=None):
    made = nn.Parameter(torch.as_tensor(values, dtype=dtype).clone())
    if gradient is not None:
        made.grad = torch.as_tensor(gradient, dtype=dtype)
    return made


def model(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1)
    ).to(dtype)


def batch(step, dtype=torch.float64):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
    return x.to(dtype), x.sin().sum(1, keepdim=True).to(dtype)


def backward(net, step, dtype=torch.float64):
    x, y = batch(step, dtype)
    loss = (net(x) - y).square().mean()
    loss.backward()
    return loss.item()


def train(net, optimizer, steps, before=lambda t: None, after=lambda t, loss: None):
    losses = []
    for t in range(steps):
        before(t)
        optimizer.zero_grad()
        losses.append(backward(net, t))
        optimizer.step()
        after(t, losses[-1])
    return losses


def same(losses, expected, share=1e-10):
    assert losses == pytest.approx(expected, rel=share)


def both(ours, theirs, options, drive, build=model):
    """Drive two equal models, each with its optimizer, and compare what `drive` returns."""
    results = []
    for cls in (ours, theirs):
        net = build()
        more = {"foreach": False} if cls.__module__.startswith("torch") else {}
        results.append((net, drive(net, functools.partial(cls, **options, **more))))
    (one, got), (other, expected) = results
    same(got, expected)
    for mine, its in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine, its, rtol=1e-9, atol=1e-12)
    return one, other
