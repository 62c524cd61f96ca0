"""An optimizer in a training program: which parameters have a gradient.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import pytest
import torch
from training import both, every_pair, parameter, train

import ruleonce.torch as rt


@every_pair
def test_a_parameter_without_a_gradient_keeps_its_weights_and_its_step_count(
    ours, theirs, options, assert_same_state
):
    """Over more sets of parameters than an optimizer keeps plans for, coming back at random."""
    pairs = []
    for cls in (ours, theirs):
        several = [parameter(torch.arange(1.0, 2.0 + i)) for i in range(6)]
        pairs.append((several, cls(several, **options)))
    (mine, one), (its, other) = pairs
    generator = torch.Generator().manual_seed(0)
    for t in range(150):
        present = torch.rand(6, generator=generator) < (0.5 if t % 3 else 0.9)
        for a, b, has in zip(mine, its, present.tolist(), strict=True):
            gradient = torch.randn(a.shape, generator=generator, dtype=torch.float64)
            a.grad, b.grad = (gradient.clone(), gradient.clone()) if has else (None, None)
        if t % 11 == 0:
            one.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.01 + 1e-4 * t
        one.step()
        other.step()
    for a, b in zip(mine, its, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)
    assert_same_state(one, other, 1e-11)


@every_pair
def test_layers_may_be_frozen_and_thawed(ours, theirs, options):
    def drive(net, make):
        optimizer = make(net.parameters())

        def before(t):
            net[0].requires_grad_(not 3 <= t < 6)
            net[4].requires_grad_(t != 4)

        losses = train(net, optimizer, 10, before)
        return [*losses, *(float(s["step"]) for s in optimizer.state.values() if "step" in s)]

    both(ours, theirs, options, drive)


def test_a_step_where_nothing_has_a_gradient_does_nothing():
    weights = parameter()
    optimizer = rt.Adam([weights])
    optimizer.step()
    assert not optimizer.state
    weights.grad = torch.ones(3, dtype=torch.float64)
    optimizer.step()
    weights.grad = None
    optimizer.step()
    assert optimizer.state[weights]["step"] == 1


def test_the_step_count_of_a_frozen_layer_may_be_set():
    """The layer is begun anew while another one trains."""
    found = []
    for cls in (rt.Adam, torch.optim.Adam):
        one, other = parameter([0.0]), parameter([0.0])
        optimizer = cls([one, other], lr=0.1)
        for has_one in (True, True, False):
            one.grad = torch.ones(1, dtype=torch.float64) if has_one else None
            other.grad = None if has_one else torch.ones(1, dtype=torch.float64)
            optimizer.step()
        for value in optimizer.state[one].values():
            value.zero_()
        one.grad, other.grad = torch.ones(1, dtype=torch.float64), None
        optimizer.step()
        found.append((one.item(), optimizer.state[one]["step"].item()))
    assert found[0] == pytest.approx(found[1], rel=1e-9)
