"""An optimizer in a training program: all that programs do with torch.optim's, done with ours.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import collections
import copy
import functools
import gc
import io
import itertools
import os
import pickle
import threading
import warnings
import weakref

import pytest
import torch
from alone import alone
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

import ruleonce as ro
import ruleonce.torch as rt
from ruleonce.errors import (
    EngineError,
    HyperparameterError,
    SparseGradientError,
    TensorError,
    TensorTypeError,
)

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


# --- param groups and learning rates --------------------------------------------------------------


@every_pair
def test_param_groups_have_options_of_their_own(ours, theirs, options):
    def drive(net, make):
        groups = [
            {"params": net[0].parameters(), "lr": 0.03},
            {"params": net[2].parameters(), "weight_decay": 0.1},
            {"params": net[4].parameters(), "maximize": False},
        ]
        return train(net, make(groups), 12)

    both(ours, theirs, options, drive)


@every_pair
def test_a_param_group_may_be_added_in_the_middle_of_a_run(ours, theirs, options):
    def drive(net, make):
        optimizer = make(net[0].parameters())

        def before(t):
            if t == 4:
                optimizer.add_param_group({"params": net[2].parameters(), "lr": 0.002})
            if t == 7:
                optimizer.add_param_group({"params": list(net[4].parameters())})

        losses = train(net, optimizer, 12, before)
        steps = [float(s["step"]) for s in optimizer.state.values() if "step" in s]
        return [*losses, *steps]

    both(ours, theirs, options, drive)


@every_pair
def test_the_options_of_a_group_may_be_changed_at_any_step(ours, theirs, options):
    def drive(net, make):
        optimizer = make(net.parameters())

        def before(t):
            group = optimizer.param_groups[0]
            if t == 3:
                group["lr"] = 0.5 * group["lr"]
            if t == 5:
                group["weight_decay"] = 0.2
            if t == 8:
                group["weight_decay"] = 0
            if t == 6 and "maximize" in group:
                group["maximize"] = True
            if t == 7 and "maximize" in group:
                group["maximize"] = False
            if t == 9 and "betas" in group:
                group["betas"] = (0.8, 0.95)
            if t == 9 and "momentum" in group:
                group["momentum"], group["nesterov"] = 0.5, True

        return train(net, optimizer, 12, before)

    both(ours, theirs, options, drive)


def test_momentum_that_begins_later_begins_with_the_first_gradient_in_full():
    """With dampening: the velocity is new where there is none, however many steps came before."""
    found = []
    for cls in (rt.SGD, torch.optim.SGD):
        weights = parameter([0.0], gradient=[1.0])
        optimizer = cls([weights], lr=1.0)
        optimizer.step()
        optimizer.param_groups[0].update(momentum=0.9, dampening=0.5)
        optimizer.step()
        optimizer.step()
        found.append(weights.item())
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_parameter_that_is_moved_to_the_next_group_takes_its_options():
    """The parameters of all groups in a row are the same; only the border has moved."""
    found = []
    for cls in (rt.SGD, torch.optim.SGD):
        one, two, three = (parameter([0.0], gradient=[1.0]) for _ in range(3))
        optimizer = cls([{"params": [one, two], "lr": 1.0}, {"params": [three], "lr": 10.0}])
        optimizer.step()
        first, second = optimizer.param_groups
        second["params"].insert(0, first["params"].pop())
        optimizer.step()
        found.append([one.item(), two.item(), three.item()])
    assert found[0] == found[1] == [-2, -11, -20]


@every_pair
def test_the_learning_rate_may_be_a_tensor_and_be_changed_in_place(ours, theirs, options):
    def drive(net, make, *, as_tensor):
        rate = torch.tensor(0.02, dtype=torch.float64) if as_tensor else 0.02
        optimizer = make(net.parameters(), lr=rate)

        def before(t):
            if t == 4:
                if as_tensor:
                    rate.mul_(0.5)
                else:
                    optimizer.param_groups[0]["lr"] = 0.01

        return train(net, optimizer, 10, before)

    options = {k: v for k, v in options.items() if k != "lr"}
    for as_tensor in (True, False):
        both(ours, theirs, options, functools.partial(drive, as_tensor=as_tensor))


# Each takes an optimizer; `step` may want the loss.
SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda e: 1 / (1 + e)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda e: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 5], 0.3),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.5, 4),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 6),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1, 3), lr_scheduler.ExponentialLR(o, 0.9)], [4]
    ),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.1, 3), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.3, patience=1),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.05, 3),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.05, total_steps=20),
    "SWALR": lambda o: torch.optim.swa_utils.SWALR(o, 0.001, 5),
}


def test_every_scheduler_of_pytorch_is_among_those_tested():
    there_are = {
        name
        for name, cls in vars(lr_scheduler).items()
        if isinstance(cls, type) and issubclass(cls, lr_scheduler.LRScheduler)
    }
    assert there_are - {"LRScheduler", "_LRScheduler"} <= set(SCHEDULERS)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("pair", ["AdamW", "SGD"])
@pytest.mark.parametrize("as_tensor", [False, True], ids=["float", "tensor"])
def test_a_scheduler_gives_the_losses_that_it_gives_with_pytorchs_optimizer(name, pair, as_tensor):
    def drive(net, make):
        rate = torch.tensor(0.02, dtype=torch.float64) if as_tensor else 0.02
        optimizer = make(net.parameters(), lr=rate)
        scheduler = SCHEDULERS[name](optimizer)

        def after(t, loss):
            scheduler.step(*([loss] if name == "ReduceLROnPlateau" else []))

        losses = train(net, optimizer, 14, after=after)
        group = optimizer.param_groups[0]
        changed = group["betas"] if "betas" in group else [group["momentum"]]
        return [*losses, float(group["lr"]), *map(float, changed)]

    ours, theirs, options = PAIRS[pair]
    both(ours, theirs, {k: v for k, v in options.items() if k != "lr"}, drive)


# --- closures and hooks ---------------------------------------------------------------------------


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


# --- which parameters have a gradient -------------------------------------------------------------


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


# --- parameters and state that programs replace ---------------------------------------------------


@pytest.mark.parametrize("how", ["pop", "get"])
@every_pair
def test_points_are_cut_and_added_as_gaussian_splatting_does(
    how, ours, theirs, options, assert_same_state
):
    """The parameter is replaced in its group, and its state is cut and put under the new one."""

    def replaced(optimizer, change):
        group = optimizer.param_groups[0]
        old = group["params"][0]
        new = nn.Parameter(change(old.detach()).clone())
        if how == "pop":
            state = optimizer.state.pop(old)
            state = {k: change(v) if v.ndim else v for k, v in state.items()}
            group["params"][0] = new
            optimizer.state[new] = state
        else:
            state = optimizer.state.get(old, None)
            for key, value in state.items():
                if value.ndim:
                    state[key] = change(value)
            del optimizer.state[old]
            group["params"][0] = new
            optimizer.state[new] = state
        return new

    def drive(cls):
        points = nn.Parameter(torch.linspace(-1, 1, 40, dtype=torch.float64).view(20, 2))
        optimizer = cls([{"params": [points], "name": "xyz"}], **options)
        for t in range(12):
            if t == 4:
                points = replaced(optimizer, lambda x: x[::2])
            if t == 8:
                points = replaced(optimizer, lambda x: torch.cat([x, torch.zeros_like(x[:3])]))
            points.grad = (points.detach() * 2 + t).sin()
            optimizer.step()
        return points, optimizer

    (mine, one), (its, other) = drive(ours), drive(theirs)
    assert mine.shape == its.shape == (13, 2)
    assert torch.allclose(mine, its, rtol=1e-9, atol=1e-12)
    assert_same_state(one, other, 1e-11)


def test_state_that_was_not_cut_with_its_parameter_is_refused(unchanged):
    weights = parameter(torch.ones(4), gradient=torch.ones(4))
    optimizer = rt.Adam([weights])
    optimizer.step()
    weights.grad = None
    weights.data = torch.ones(3, dtype=torch.float64)
    weights.grad = torch.ones(3, dtype=torch.float64)
    with unchanged(optimizer, TensorError, "(4,)", "3", "0 of param group 0"):
        optimizer.step()


def test_a_parameter_that_was_replaced_is_freed():
    """No plan keeps it: densification would fill the memory with old points."""
    for cls, options in ((torch.optim.SGD, {}), (rt.SGD, {}), (rt.SGD, {"momentum": 0.9})):
        weights = parameter(torch.ones(8), gradient=torch.ones(8))
        optimizer = cls([weights], lr=1.0, **options)
        optimizer.step()
        old = weakref.ref(weights)
        optimizer.state.pop(weights, None)
        weights = parameter(torch.ones(4), gradient=torch.ones(4))
        optimizer.param_groups[0]["params"][0] = weights
        optimizer.step()
        optimizer.step()
        gc.collect()
        assert old() is None, (cls, options)


@every_pair
def test_the_data_of_a_parameter_may_be_swapped_between_steps(ours, theirs, options):
    def drive(net, make):
        optimizer = make(net.parameters())
        kept = []

        def before(t):
            if t in (3, 6):
                for p in net.parameters():
                    kept.append(p.data)
                    p.data = p.data.clone() * 0.9

        losses = train(net, optimizer, 9, before)
        return [*losses, *(x.sum().item() for x in kept)]  # what was there before is left alone

    both(ours, theirs, options, drive)


@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_a_model_may_become_float64_after_its_optimizer_was_made(engine, assert_near):
    def drive(cls, **more):
        net = model(dtype=torch.float32)
        optimizer = cls(net.parameters(), lr=0.01, **more)
        net.double()
        train(net, optimizer, 5)
        return list(net.parameters()), optimizer

    mine, optimizer = drive(rt.Adam, engine=engine)
    its, _ = drive(torch.optim.Adam)
    assert_near(mine, its, list(model(dtype=torch.float32).double().parameters()), share=1e-9)
    assert optimizer.state[mine[0]]["exp_avg"].dtype == torch.float64


@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_a_model_that_becomes_float64_in_the_middle_of_a_run_goes_on_in_float64(engine):
    """PyTorch refuses this, since its state is float32 still. No digit of a weight may be lost."""
    weights = parameter(torch.ones(3) / 3, dtype=torch.float32, gradient=torch.zeros(3))
    optimizer = rt.SGD([weights], lr=1.0, momentum=0.9, engine=engine)
    optimizer.step()
    weights.grad = None
    weights.data = torch.full((3,), 1 / 3, dtype=torch.float64)
    weights.grad = torch.zeros(3, dtype=torch.float64)
    optimizer.step()
    assert weights.tolist() == [1 / 3] * 3


def zeroed(entry):
    for value in entry.values():
        value.zero_()


def renewed(entry):
    for key in list(entry):
        entry[key] = torch.zeros_like(entry[key])


def swapped(entry):
    for key in entry:
        if entry[key].ndim:  # the step count stays
            entry[key].data = torch.full_like(entry[key], 0.5)


def updated(entry):
    entry.update({key: torch.full_like(value, 2) for key, value in entry.items()})


def merged(entry):
    entry |= {key: torch.full_like(value, 2) for key, value in entry.items()}


def emptied(entry):
    entry.clear()


def popped(entry):
    while entry:
        entry.popitem()


@pytest.mark.parametrize(
    ("change", "which", "count"),
    [
        *itertools.product(
            [zeroed, renewed, swapped, updated, merged, emptied, popped], [0, 1, 2], [3]
        ),
        # One of many that is swapped behind the back of the dictionaries is seen some steps later.
        *itertools.product([zeroed, renewed, updated, merged, emptied, popped], [30], [40]),
    ],
)
def test_state_that_a_program_changes_counts(change, which, count):
    """In the entry of the first parameter or of any other, at the very next step."""

    def drive(cls):
        several = [parameter(torch.arange(1.0, 4 + i)) for i in range(count)]
        optimizer = cls(several, lr=0.1)
        for t in range(6):
            for p in several:
                p.grad = (p.detach() + t).cos()
            if t == 3:
                change(optimizer.state[several[which]])
            optimizer.step()
        return several, optimizer

    (mine, one), (its, other) = drive(rt.Adam), drive(torch.optim.Adam)
    for a, b in zip(mine, its, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)
        for key, value in other.state[b].items():
            assert torch.allclose(one.state[a][key], value, rtol=1e-9, atol=1e-12), key


def replaced_whole(optimizer, saved):
    optimizer.state = collections.defaultdict(dict, saved)


def put_back_one_by_one(optimizer, saved):
    for key, entry in saved.items():
        optimizer.state[key] = entry


def updated_whole(optimizer, saved):
    optimizer.state.update(saved)


def merged_whole(optimizer, saved):
    optimizer.state |= saved


def cleared_first(optimizer, saved):
    optimizer.state.clear()
    for key, entry in saved.items():
        optimizer.state.setdefault(key, {}).update(entry)


def deleted_first(optimizer, saved):
    for key in list(optimizer.state):
        del optimizer.state[key]
    for key, entry in saved.items():
        for name, value in entry.items():
            optimizer.state[key].setdefault(name, value)


def put_then_filled(optimizer, saved):
    for key, entry in saved.items():
        mine = {}
        optimizer.state[key] = mine
        mine.update(entry)


@pytest.mark.parametrize(
    "put_back",
    [
        replaced_whole,
        put_back_one_by_one,
        updated_whole,
        merged_whole,
        cleared_first,
        deleted_first,
        put_then_filled,
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_state_may_be_rolled_back(put_back, count):
    """A program keeps a copy, and returns to it when the loss explodes."""

    def drive(cls):
        several = [parameter(torch.arange(1.0, 4 + i)) for i in range(count)]
        optimizer = cls(several, lr=0.1)
        for t in range(8):
            for p in several:
                p.grad = (p.detach() + t).cos()
            if t == 3:
                saved = {p: copy.deepcopy(dict(optimizer.state[p])) for p in several}
            if t == 6:
                put_back(optimizer, saved)
            optimizer.step()
        return several, optimizer

    (mine, one), (its, other) = drive(rt.Adam), drive(torch.optim.Adam)
    for a, b in zip(mine, its, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)
        assert one.state[a]["step"] == other.state[b]["step"] == 5


def test_what_was_put_into_the_state_is_what_stands_there():
    """As with any dictionary: the entry is not a copy that goes its own way."""
    weights = parameter([1.0], gradient=[0.0])
    optimizer = rt.SGD([weights], lr=1.0, momentum=0.5)
    optimizer.step()
    entry = {}
    optimizer.state[weights] = entry
    entry["momentum_buffer"] = torch.tensor([2.0], dtype=torch.float64)
    optimizer.step()
    assert weights.item() == 0.0
    assert entry["momentum_buffer"].item() == 1.0


def test_the_state_can_be_copied():
    weights = parameter(gradient=[1.0, 1.0, 1.0])
    optimizer = rt.Adam([weights])
    optimizer.step()
    for made in (copy.copy(optimizer.state), optimizer.state.copy(), dict(optimizer.state)):
        assert set(made[weights]) == {"step", "exp_avg", "exp_avg_sq"}


# --- copies, files, names -------------------------------------------------------------------------


def pickled(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301  (our own)


@every_pair
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
def test_a_copy_of_model_and_optimizer_goes_on_alone(copied, ours, theirs, options):
    net = model()
    optimizer = ours(net.parameters(), **options, state_dtype=torch.float64)
    train(net, optimizer, 4)
    other_net, other = copied((net, optimizer))
    assert type(other) is ours
    parameters = [p for group in other.param_groups for p in group["params"]]
    assert all(a is b for a, b in zip(parameters, other_net.parameters(), strict=True))
    assert other._settings == optimizer._settings

    for t in range(4, 7):
        losses = []
        for m, o in ((net, optimizer), (other_net, other)):
            o.zero_grad()
            losses.append(backward(m, t))
            o.step()
        assert losses[0] == losses[1]
    assert all(map(torch.equal, net.parameters(), other_net.parameters()))
    reference = model()
    same(losses[:1], train(reference, theirs(reference.parameters(), **options), 7)[-1:])


@every_pair
def test_a_state_dict_goes_through_a_file_of_weights_only(ours, theirs, options):
    net = model()
    optimizer = ours(net.parameters(), **options)
    train(net, optimizer, 4)
    file = io.BytesIO()
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    found = torch.load(file, weights_only=True)

    other = model(seed=5)
    other.load_state_dict(found["net"])
    second = ours(other.parameters(), **options)
    second.load_state_dict(found["optimizer"])
    for t in range(4):
        for m, o in ((net, optimizer), (other, second)):
            o.zero_grad()
            backward(m, t)
            o.step()
    assert all(map(torch.equal, net.parameters(), other.parameters()))


def test_a_file_of_one_parameters_state_does_not_hold_the_step_counts_of_all():
    """Step counts are views of one tensor; PyTorch saves the memory behind a view."""
    several = [parameter([1.0], gradient=[1.0]) for _ in range(4000)]
    optimizer = rt.Adam(several)
    optimizer.step()
    file = io.BytesIO()
    torch.save(dict(optimizer.state[several[0]]), file)
    assert file.tell() < 10000


def test_parameters_may_have_names(unchanged):
    net = model()
    optimizer = rt.AdamW(net.named_parameters(), lr=0.01)
    train(net, optimizer, 3)
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["param_names"] == [n for n, _ in net.named_parameters()]
    net[2].weight.grad = torch.ones(5, 6, dtype=torch.float64).to_sparse()
    with unchanged(optimizer, SparseGradientError, "2.weight"):
        optimizer.step()

    other = model()
    theirs = torch.optim.AdamW(other.named_parameters(), lr=0.01)
    train(other, theirs, 3)
    theirs.load_state_dict(saved)


def test_a_parameter_appended_to_a_group_with_names_is_updated():
    one, other = parameter([0.0], gradient=[1.0]), parameter([0.0], gradient=[1.0])
    optimizer = rt.SGD([("one", one)], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["params"].append(other)
    optimizer.step()
    assert (one.item(), other.item()) == (-2, -1)


# --- tied parameters ------------------------------------------------------------------------------


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


# --- dtypes and devices ---------------------------------------------------------------------------


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


# --- autograd -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("layout", ["contiguous", "sliced"])
def test_a_backward_through_weights_of_before_the_step_is_an_error(layout, engine):
    def drive(cls, **options):
        base = torch.ones(3, 2, dtype=torch.float64)
        weights = nn.Parameter(base[:, 0] if layout == "sliced" else base)
        optimizer = cls([weights], lr=0.1, **options)
        loss = weights.square().sum()
        weights.grad = torch.ones_like(weights)
        before = weights._version
        optimizer.step()
        assert weights._version > before
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()

    drive(torch.optim.SGD)
    drive(rt.SGD, engine=engine)


def test_weights_without_a_gradient_keep_their_version():
    one, other = parameter(gradient=[1.0, 1.0, 1.0]), parameter()
    loss = other.square().sum()
    rt.Adam([one, other]).step()
    loss.backward()
    assert other._version == 0


@pytest.mark.parametrize("engine", ["auto", "tensors"])
def test_gradients_are_never_written_to(engine):
    for cls in (rt.AdamW, rt.SGD, rt.RMSprop, rt.Lion, rt.ASGD):
        weights = parameter([1.0, 2.0, 3.0], gradient=[1e3, -2e3, 0.0])
        optimizer = cls([weights], weight_decay=0.1, maximize=True, max_norm=0.5, engine=engine)
        gradient = weights.grad
        for _ in range(3):
            optimizer.step()
        assert weights.grad is gradient
        assert gradient.tolist() == [1e3, -2e3, 0.0]
        assert gradient._version == 0


def test_a_gradient_with_a_history_of_its_own_is_read():
    weights = parameter([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this makes a cycle is known
        weights.pow(3).sum().backward(create_graph=True)
    optimizer = rt.SGD([weights], lr=1.0, momentum=0.9, max_norm=1e9)
    optimizer.step()
    assert weights.tolist() == pytest.approx([-2.0, -10.0])
    assert not optimizer.state[weights]["momentum_buffer"].requires_grad
    assert weights.is_leaf


def test_differentiable_is_refused_or_differentiated():
    """With `differentiable=True` PyTorch's step is a part of the graph. Ours is not; it says so."""
    with pytest.raises((HyperparameterError, NotImplementedError), match="differentiable"):
        rt.Adam([parameter(gradient=[1.0, 1.0, 1.0])], differentiable=True).step()


# --- refusals -------------------------------------------------------------------------------------

REFUSED = {
    "a string": (rt.Adam, {"lr": "fast"}, "learning_rate='fast'"),
    "nothing": (rt.Adam, {"lr": None}, "learning_rate=None"),
    "a complex number": (rt.Adam, {"lr": 1j}, "learning_rate=1j"),
    "too large a number": (rt.Adam, {"lr": 10**400}, "learning_rate"),
    "a list": (rt.Adam, {"betas": (0.9, [0.5])}, "beta2=[0.5]"),
    "a tensor of two": (rt.Adam, {"lr": torch.ones(2)}, "lr"),
    "a division by zero": (rt.RAdam, {"betas": (0.9, 1.0)}, "beta2=1.0"),
    "an impossible power": (rt.ASGD, {"lambd": -1e9, "alpha": 0.75}, "asgd"),
    "a start that is a string": (rt.Rprop, {"lr": "fast"}, "fast"),
}


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("steps", [0, 2], ids=["at once", "mid-run"])
@pytest.mark.parametrize("name", REFUSED)
def test_an_impossible_number_is_refused_and_nothing_has_changed(name, steps, engine, unchanged):
    cls, options, said = REFUSED[name]
    if cls is rt.Rprop and steps:
        return  # its learning rate is where the state starts, and nothing later
    several = [parameter(gradient=[1.0, -1.0, 2.0]) for _ in range(3)]
    optimizer = cls([{"params": several[:2]}, {"params": several[2:]}], engine=engine)
    for _ in range(steps):
        optimizer.step()
    good = dict(optimizer.param_groups[1])
    optimizer.param_groups[1].update(options)
    with unchanged(optimizer, HyperparameterError, said):
        optimizer.step()
    optimizer.param_groups[1].update({key: good[key] for key in options})
    optimizer.step()

    alike = [parameter(gradient=[1.0, -1.0, 2.0]) for _ in range(3)]
    other = cls([{"params": alike[:2]}, {"params": alike[2:]}], engine=engine)
    for _ in range(steps + 1):
        other.step()
    assert all(map(torch.equal, several, alike))


def test_an_option_that_is_missing_is_named(unchanged):
    optimizer = rt.Adam([parameter(gradient=[1.0, 1.0, 1.0])])
    optimizer.step()
    del optimizer.param_groups[0]["eps"]
    with unchanged(optimizer, (HyperparameterError, KeyError), "eps"):
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "cuda"}, "cuda"),
        ({"engine": None}, "None"),
        ({"state_dtype": torch.int8}, "int8"),
        ({"state_dtype": "float32"}, "float32"),
        ({"max_norm": 0.0}, "max_norm"),
        ({"max_norm": -1.0}, "max_norm"),
        ({"max_norm": float("nan")}, "max_norm"),
        ({"max_norm": "1"}, "max_norm"),
        ({"ema": 1.0}, "ema"),
        ({"ema": -0.1}, "ema"),
        ({"ema": "0.9"}, "ema"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused_at_once(options, said):
    with pytest.raises(ro.errors.RuleonceError, match=said):
        rt.Adam([parameter()], **options)


def test_what_pytorchs_class_refuses_is_refused():
    for options in ({"lr": -1.0}, {"betas": (1.0, 0.5)}, {"eps": -1.0}, {"unknown": 1}):
        with pytest.raises((ValueError, TypeError)) as ours:
            rt.Adam([parameter()], **options)
        with pytest.raises((ValueError, TypeError)) as theirs:
            torch.optim.Adam([parameter()], **options)
        assert type(ours.value) is type(theirs.value)
        assert str(ours.value).split("(")[-1] == str(theirs.value).split("(")[-1]


# --- what stands around a step --------------------------------------------------------------------


def test_a_trace_of_the_profiler_contains_the_step():
    net = model()
    optimizer = rt.Adam(net.parameters())
    backward(net, 0)
    optimizer.step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        optimizer.step()
        optimizer.zero_grad()
    names = {event.key for event in profiler.key_averages()}
    assert {"Optimizer.step#Adam.step", "Optimizer.zero_grad#Adam.zero_grad"} <= names


def test_its_text_is_that_of_pytorchs():
    weights = [parameter()]
    assert repr(rt.AdamW(weights)) == repr(torch.optim.AdamW(weights))


def test_it_is_an_optimizer_of_pytorch_of_the_same_name():
    for name in ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "ASGD", "Rprop"):
        made = getattr(rt, name)([parameter()])
        assert isinstance(made, getattr(torch.optim, name))
        assert type(made).__name__ == name


@pytest.mark.parametrize("flag", ["foreach", "fused", "capturable"])
def test_flags_that_choose_an_implementation_change_nothing(flag):
    found = []
    for options in ({}, {flag: True}, {flag: False}):
        weights = parameter(gradient=[1.0, 2.0, 3.0])
        optimizer = rt.AdamW([weights], **options)
        optimizer.step()
        found.append(weights)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_two_threads_may_each_have_an_optimizer():
    """With steps that are large enough for several threads of their own."""

    def train_alone(seed, results):
        generator = torch.Generator().manual_seed(seed)
        weights = nn.Parameter(torch.randn(100_003, generator=generator))
        optimizer = rt.Adam([weights], lr=0.01)
        for _ in range(30):
            weights.grad = torch.randn(100_003, generator=generator)
            optimizer.step()
        results[seed] = weights.detach()

    expected, got = {}, {}
    for seed in (0, 1):
        train_alone(seed, expected)
    threads = [threading.Thread(target=train_alone, args=(seed, got)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(got) == {0, 1}
    assert all(torch.equal(got[seed], expected[seed]) for seed in got)


@alone
def test_a_process_forked_after_a_large_step_goes_on():
    weights = nn.Parameter(torch.zeros(300_000))
    optimizer = rt.SGD([weights], lr=1.0)
    weights.grad = torch.ones(300_000)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of threads in a process that forks
        child = os.fork()
    if child == 0:
        optimizer.step()
        fine = bool((weights.detach().numpy() == -2).all())  # PyTorch's own threads are not there
        os._exit(0 if fine else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        threading.Event().wait(0.1)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0
    optimizer.step()
    assert (weights == -2).all()


def test_the_number_of_threads_does_not_change_a_bit():
    def drive(threads):
        torch.set_num_threads(threads)
        several = [nn.Parameter(torch.linspace(-1, 1, n)) for n in (70_001, 3, 130_003)]
        optimizer = rt.AdamW(several)
        for t in range(3):
            for p in several:
                p.grad = (p.detach() + t).sin()
            optimizer.step()
        return several

    before = torch.get_num_threads()
    try:
        runs = [drive(count) for count in (1, 2, 3)]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for run in runs[1:] for a, b in zip(runs[0], run, strict=True))


# --- the engine "tensors" -------------------------------------------------------------------------

CLASSES = [
    *("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adamax", "NAdam", "RAdam"),
    *("Adadelta", "Rprop", "ASGD", "Lion"),
]

# In ulp of the largest, after ten steps; state that is stored in 16 bits may round to either side.
TENSORS = {torch.float64: 4, torch.float32: 16, torch.bfloat16: 1}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CLASSES)
def test_the_rule_on_tensors_gives_what_the_kernel_gives(name, dtype):
    """But for PyTorch's roots, which are 1 ulp off now and then in float32."""
    start = torch.linspace(-1, 1, 30, dtype=torch.float64).to(dtype)
    runs = []
    for engine in ("cpu", "tensors"):
        weights = nn.Parameter(start.clone().view(5, 6))
        optimizer = getattr(rt, name)([weights], engine=engine, ema=None)
        for t in range(10):
            weights.grad = (weights.detach().double() * 3 + t).sin().to(dtype)
            optimizer.step()
        runs.append((weights.detach(), optimizer.state[weights]))
    (mine, state), (plain, its) = runs
    share = TENSORS[dtype] * torch.finfo(dtype).eps
    for one, other in ((mine, plain), *((state[key], its[key]) for key in its)):
        assert (one - other).abs().max() <= share * other.abs().max()


def test_a_rule_may_hand_one_state_on_to_another_on_tensors():
    """The old velocity is kept beside the new one: it is read before it is written."""

    @ro.rule
    def remembering(w, dw, m, previous, *, learning_rate=1e-3):
        """Keep the last velocity."""
        old = m
        m = 0.5 * m + dw
        w = w - learning_rate * m
        return w, m, old

    found = []
    for engine in ("cpu", "tensors"):
        weights = parameter([0.0])
        optimizer = rt.optimizer(remembering)([weights], engine=engine)
        for gradient in (1.0, 2.0, 4.0):
            weights.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
        found.append({k: v.item() for k, v in optimizer.state[weights].items()})
    assert found[0] == found[1] == {"step": 3, "m": 5.25, "previous": 2.5}


def test_plans_of_many_sets_of_parameters_do_not_pile_up():
    """A different set at every step: what is kept stays bounded."""
    several = [parameter([0.0]) for _ in range(8)]
    optimizer = rt.SGD(several, lr=1.0)
    for chosen in itertools.islice(itertools.combinations(range(8), 4), 60):
        for place, p in enumerate(several):
            p.grad = torch.ones(1, dtype=torch.float64) if place in chosen else None
        optimizer.step()
    assert len(optimizer._plans._kept) <= 32
