"""An optimizer in a training program: parameters and state that programs replace.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import collections
import copy
import gc
import itertools
import weakref

import pytest
import torch
from torch import nn
from training import both, every_pair, model, parameter, train

import ruleonce.torch as rt
from ruleonce.errors import (
    TensorError,
)


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
