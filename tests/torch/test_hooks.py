"""An optimizer in a training program: closures and hooks.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import copy

import pytest
import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from training import backward, both, every_pair, parameter

import ruleonce.torch as rt


@every_pair
def test_a_closure_computes_the_gradients_and_its_loss_is_returned(ours, theirs, options):
    def drive(net, make):
        optimizer = make(net.parameters())
        losses = []
        for t in range(5):

            def closure(t=t):
                assert torch.is_grad_enabled()
                optimizer.zero_grad()
                return backward(net, t)

            with torch.no_grad():
                losses.append(optimizer.step(closure))
        return losses

    both(ours, theirs, options, drive)


def test_step_without_a_closure_returns_none():
    assert rt.Adam([parameter(gradient=[1.0, 1.0, 1.0])]).step() is None


def test_hooks_of_an_optimizer_are_called_as_pytorch_calls_them():
    def calls(cls):
        weights = parameter(gradient=[1.0, 1.0, 1.0])
        optimizer = cls([weights], lr=0.5)
        seen = []
        optimizer.register_step_pre_hook(
            lambda o, args, kwargs: seen.append(
                ("pre", o is args[0] is optimizer, weights[0].item())
            )
        )
        post = optimizer.register_step_post_hook(
            lambda o, args, kwargs: seen.append(
                ("post", o is args[0] is optimizer, weights[0].item())
            )
        )
        optimizer.step()
        post.remove()
        optimizer.step()
        return seen

    assert calls(rt.SGD) == calls(torch.optim.SGD)
    assert [kind for kind, *_ in calls(rt.SGD)] == ["pre", "post", "pre"]


def test_a_hook_before_the_step_may_give_it_another_closure():
    weights = parameter([0.0], gradient=[1.0])
    optimizer = rt.SGD([weights], lr=1.0)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 42.0), {}))
    assert optimizer.step() == 42.0


def test_a_hook_before_the_step_may_change_the_gradients():
    weights = parameter([0.0], gradient=[5.0])
    optimizer = rt.SGD([weights], lr=1.0)
    optimizer.step()
    optimizer.register_step_pre_hook(lambda *_: weights.grad.clamp_(max=1.0) and None)
    optimizer.step()
    assert weights.item() == -6


def test_global_hooks_are_called_once_a_step():
    seen = []
    handles = [
        register_optimizer_step_pre_hook(lambda *_: seen.append("pre")),
        register_optimizer_step_post_hook(lambda *_: seen.append("post")),
    ]
    optimizer = rt.Adam([parameter(gradient=[1.0, 1.0, 1.0])])
    try:
        optimizer.step()
    finally:
        for handle in handles:
            handle.remove()
    optimizer.step()
    assert seen == ["pre", "post"]


def test_hooks_of_state_dicts_see_and_change_them():
    weights = parameter([1.0], gradient=[1.0])
    optimizer = rt.Adam([weights], lr=0.5)
    optimizer.step()
    seen = []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("save"))
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "mine": 1})
    saved = optimizer.state_dict()
    assert saved["mine"] == 1

    def twice(o, d):
        seen.append("load")
        d = copy.deepcopy(d)
        d["state"][0]["exp_avg"] *= 2
        return d

    optimizer.register_load_state_dict_pre_hook(twice)
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    optimizer.load_state_dict(saved)
    assert seen == ["save", "load", "loaded"]
    assert optimizer.state[weights]["exp_avg"].item() == pytest.approx(0.2)


@every_pair
@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad_works_both_ways(to_none, ours, theirs, options):
    def drive(net, make):
        optimizer = make(net.parameters())
        losses = []
        for t in range(6):
            optimizer.zero_grad(set_to_none=to_none)
            if t != 3:  # a step on zeros, or on nothing
                losses.append(backward(net, t))
            optimizer.step()
        optimizer.zero_grad(set_to_none=to_none)
        assert (net[0].weight.grad is None) is to_none
        return losses

    both(ours, theirs, options, drive)
