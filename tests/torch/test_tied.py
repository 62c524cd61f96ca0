"""An optimizer in a training program: tied parameters.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import pytest
import torch
from torch import nn
from training import PAIRS, both, every_pair, parameter, train

import ruleonce.torch as rt


@every_pair
def test_a_tensor_that_two_layers_share_is_one_parameter(ours, theirs, options):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two = nn.Linear(4, 4).double(), nn.Linear(4, 4).double()
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.two(self.one(x).tanh()).sum(1, keepdim=True)

    both(ours, theirs, options, lambda net, make: train(net, make(net.parameters()), 8), Tied)


@every_pair
@pytest.mark.parametrize("offset", [0, 3])
def test_two_parameters_over_one_memory_are_updated_one_after_the_other(
    offset, ours, theirs, options
):
    def drive(cls):
        memory = torch.linspace(0, 1, 12, dtype=torch.float64)
        several = [nn.Parameter(memory[offset : offset + 6]), nn.Parameter(memory[:6])]
        third = nn.Parameter(memory[6:].view(2, 3))
        optimizer = cls([*several, third], **options)
        for t in range(5):
            for place, p in enumerate((*several, third)):
                p.grad = torch.full(p.shape, float(place + t + 1), dtype=torch.float64).sin()
            optimizer.step()
        return memory

    assert torch.allclose(drive(ours), drive(theirs), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [12, 300_000], ids=["small", "shared by threads"])
@pytest.mark.parametrize("later", ["the slice", "the whole"])
def test_a_slice_and_the_whole_that_it_is_cut_from_are_both_updated(later, size):
    """No update is lost, whichever comes later."""

    def drive(cls):
        memory = torch.linspace(0, 1, size, dtype=torch.float64)
        several = [
            nn.Parameter(memory),
            nn.Parameter(memory[1::2]),
            nn.Parameter(memory[: size // 2]),
        ]
        optimizer = cls(several if later == "the slice" else several[::-1], lr=0.1, momentum=0.9)
        for t in range(3):
            for place, p in enumerate(several):
                p.grad = torch.full(p.shape, float(place + t + 1), dtype=torch.float64).sin()
            optimizer.step()
        return memory

    theirs = drive(lambda *a, **k: torch.optim.SGD(*a, **k, foreach=False))
    assert torch.allclose(drive(rt.SGD), theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam"])
@pytest.mark.usefixtures("float64")
def test_a_parameter_that_is_given_twice_is_updated_twice(name):
    """PyTorch warns, and counts two steps."""
    ours, theirs, options = PAIRS[name]

    def drive(cls):
        weights = parameter()
        with pytest.warns(UserWarning, match="duplicate parameters"):
            optimizer = cls([weights, weights], **options)
        for t in range(4):
            weights.grad = torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64) * (t + 1)
            optimizer.step()
        return weights, optimizer.state[weights]

    (mine, state), (its, expected) = drive(ours), drive(theirs)
    assert torch.allclose(mine, its, rtol=1e-9, atol=1e-12)
    assert state["step"] == expected["step"]
