"""Weights of 16 bits with error bits: casting a model, master weights, equality with float32."""

import copy

import pytest
import torch
from torch import nn

import ruleonce.torch as rt
from ruleonce.errors import StructureError, TensorError, TensorTypeError

TWINS = ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adamax", "NAdam", "RAdam", "Adadelta",
         "Rprop", "ASGD", "Lion"]  # fmt: skip


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(64, 80)
        self.norm = nn.BatchNorm1d(80)


def set_gradients(parameters, t):
    """Gradients that a bfloat16 holds."""
    generator = torch.Generator().manual_seed(t)
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator).bfloat16().to(p.dtype)


@pytest.mark.parametrize("name", TWINS)
def test_with_16_error_bits_a_run_is_that_of_float32_bit_for_bit(name):
    generator = torch.Generator().manual_seed(0)
    wide = [nn.Parameter(torch.randn(s, generator=generator)) for s in [(40, 128), (33,), ()]]
    narrow = [nn.Parameter(p.detach().bfloat16()) for p in wide]
    options = {"momentum": 0.9} if name in {"SGD", "RMSprop"} else {}
    one = getattr(rt, name)(wide, lr=0.01, **options)
    other = getattr(rt, name)(narrow, lr=0.01, formats={"w": "bfloat16+16"}, **options)
    other.load_masters(dict(zip(narrow, wide, strict=True)))
    for t in range(5):
        set_gradients(wide, t)
        set_gradients(narrow, t)
        one.step()
        other.step()

    masters = other.masters()
    for p, q in zip(wide, narrow, strict=True):
        assert torch.equal(masters[q], p)
        assert (q.float() - p).abs().max() <= p.abs().max() / 256
        for key, state in one.state[p].items():
            assert torch.equal(other.state[q][key], state), key


def test_cast_leaves_out_what_is_named_and_keeps_the_parameters():
    model = Model()
    before = dict(model.named_parameters())
    model.layer.weight.grad = torch.zeros(80, 64)

    assert rt.cast(model, full=["norm.*"]) is model
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    assert dtypes == {
        "layer.weight": torch.bfloat16,
        "layer.bias": torch.bfloat16,
        "norm.weight": torch.float32,
        "norm.bias": torch.float32,
    }
    assert model.norm.running_var.dtype == torch.float32
    assert all(p is before[name] for name, p in model.named_parameters())
    assert model.layer.weight.grad is None
    assert rt.cast(Model(), torch.float16).layer.weight.dtype == torch.float16


@pytest.mark.parametrize(("form", "bits"), [("bfloat16+8", 24), ("bfloat16+16", 32)])
@pytest.mark.parametrize("steps", [0, 2])
def test_masters_come_from_the_model_before_it_was_cast(form, bits, steps):
    model = Model()
    kept = copy.deepcopy(model.state_dict())  # with buffers too
    rt.cast(model, full=["norm.*"])
    optimizer = rt.AdamW(model.named_parameters(), formats={"weights": form})
    for t in range(steps):
        set_gradients(model.parameters(), t)
        optimizer.step()
    optimizer.load_masters(kept)
    masters = optimizer.masters()

    assert list(masters) == [name for name, _ in model.named_parameters()]
    for name, p in model.named_parameters():
        assert masters[name].dtype == torch.float32
        apart = (masters[name] - kept[name]).abs().max()
        assert apart <= 2.0 ** (9 - bits) * kept[name].abs().max()
        assert bits == 24 or torch.equal(masters[name], kept[name])
        assert ((p - masters[name]).abs() <= masters[name].abs() / 256).all()
    set_gradients(model.parameters(), 9)
    optimizer.step()  # and goes on from there
    assert not torch.equal(optimizer.masters()["layer.weight"], masters["layer.weight"])


def test_small_steps_are_lost_in_16_bits_and_not_with_error_bits():
    """A step of 1/1000 of the weight is less than half of what a bfloat16 can tell."""
    moved = {}
    for form in ({}, {"w": "bfloat16+8"}):
        weights = nn.Parameter(torch.ones(5000, dtype=torch.bfloat16))
        optimizer = rt.SGD([weights], lr=1e-3, formats=form)
        for _ in range(20):
            weights.grad = torch.ones_like(weights)
            optimizer.step()
        moved[len(form)] = 1 - optimizer.masters()[weights][0].item()
    assert moved[0] == 0
    assert abs(moved[1] - 0.02) < 0.001


def test_masters_that_do_not_fit_are_refused_and_nothing_is_changed(unchanged):
    model = rt.cast(Model())
    optimizer = rt.AdamW(model.named_parameters(), formats={"w": "bfloat16+8"})
    set_gradients(model.parameters(), 0)
    optimizer.step()
    masters = optimizer.masters()
    with unchanged(optimizer, StructureError, "norm.bias", "named_parameters"):
        optimizer.load_masters({k: x + 1 for k, x in masters.items() if k != "norm.bias"})
    with unchanged(optimizer, TensorError, "norm.bias", "(3,)", "(80,)"):
        optimizer.load_masters({k: x + 1 for k, x in masters.items()} | {
            "norm.bias": torch.zeros(3)})  # fmt: skip
    with unchanged(optimizer, TensorTypeError, "norm.bias", "int64"):
        optimizer.load_masters({k: x + 1 for k, x in masters.items()} | {
            "norm.bias": torch.zeros(80, dtype=torch.int64)})  # fmt: skip


def test_weights_with_gaps_have_error_bits():
    """A slice of a larger tensor: the kernel works on a dense copy of it."""
    whole = torch.randn(90, 128).bfloat16()
    weights = nn.Parameter(whole[:, :100])
    dense = nn.Parameter(weights.detach().contiguous())
    pair = [(p, rt.AdamW([p], formats={"w": "bfloat16+8", "m": "int8"})) for p in (weights, dense)]
    rest = whole[:, 100:].clone()
    for t in range(3):
        for p, optimizer in pair:
            set_gradients([p], t)
            optimizer.step()
    masters = [optimizer.masters()[p] for p, optimizer in pair]

    assert torch.equal(*masters)
    assert torch.equal(weights, dense)
    assert torch.equal(whole[:, 100:], rest)
