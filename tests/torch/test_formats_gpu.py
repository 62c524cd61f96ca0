"""Stored state on the gpu engine: the bits of the cpu engine, and steps that change nothing."""

import copy

import pytest
import torch
from torch import nn

import ruleonce.torch as rt

CASES = [
    ("8bit", torch.float32),
    ({"m": "int8", "v": "uint8_sqrt", "w": "bfloat16+8"}, torch.bfloat16),
    ({"m": "int4", "v": "uint4_sqrt"}, torch.float32),
    ({"m": "int4", "v": "uint8_sqrt", "w": "float16+8"}, torch.float16),
]


def new(dtype, device):
    generator = torch.Generator().manual_seed(0)
    return [
        nn.Parameter(torch.randn(shape, generator=generator).to(device, dtype))
        for shape in [(40, 128), (71, 99), (9,)]
    ]


def train(parameters, optimizer, first, last):
    for t in range(first, last):
        generator = torch.Generator().manual_seed(100 + t)
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=generator).to(p.device, p.dtype)
        optimizer.step()


def everything(parameters, optimizer):
    found = [p.detach().cpu().clone() for p in parameters]
    for p in parameters:
        found += [x.cpu().clone() for x in optimizer.state[p].values()]
    return found


def assert_equal(found, expected):
    assert len(found) == len(expected)
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("capturable", [False, True])
@pytest.mark.parametrize(("formats", "dtype"), CASES)
def test_the_bits_are_those_of_the_cpu_engine(device, formats, dtype, capturable):
    options = {"lr": 0.01, "formats": formats}
    here = new(dtype, "cpu")
    one = rt.AdamW(here, **options)
    there = new(dtype, device)
    other = rt.AdamW(there, engine="gpu", capturable=capturable, **options)
    train(here, one, 0, 3)
    train(there, other, 0, 3)
    if not capturable:  # there numbers are made by the device's own functions
        assert_equal(everything(there, other), everything(here, one))
    masters = one.masters()
    for p, q in zip(there, here, strict=True):
        torch.testing.assert_close(other.masters()[p].cpu(), masters[q], rtol=1e-5, atol=1e-5)

    # What is stored goes on there, and is decoded there as it is here.
    again = new(dtype, device)
    for p, q in zip(again, here, strict=True):
        p.detach().copy_(q.detach())
    third = rt.AdamW(again, engine="gpu", **options)
    third.load_state_dict(copy.deepcopy(one.state_dict()))
    assert_equal(everything(again, third), everything(here, one))
    expanded = third.expanded_state_dict()["state"].values()
    for entry, expected in zip(expanded, one.expanded_state_dict()["state"].values(), strict=True):
        assert all(torch.equal(x.cpu(), expected[key]) for key, x in entry.items())


@pytest.mark.parametrize(("formats", "dtype"), CASES)
def test_a_step_with_an_infinite_gradient_changes_nothing(device, formats, dtype):
    """The kernel itself finds it, and leaves codes, scales and error bits."""
    parameters = new(dtype, device)
    optimizer = rt.AdamW(parameters, engine="gpu", formats=formats)
    optimizer.grad_scale = torch.ones((), device=device)
    optimizer.found_inf = torch.zeros((), device=device)
    train(parameters, optimizer, 0, 2)
    before = everything(parameters, optimizer)
    optimizer.found_inf.fill_(1.0)
    train(parameters, optimizer, 2, 3)
    assert_equal(everything(parameters, optimizer), before)

    optimizer.found_inf.fill_(0.0)
    train(parameters, optimizer, 2, 3)
    assert not torch.equal(everything(parameters, optimizer)[0], before[0])
