"""An optimizer in a training program: copies, files, names.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import copy
import io
import pickle

import pytest
import torch
from training import backward, every_pair, model, parameter, same, train

import ruleonce.torch as rt
from ruleonce.errors import (
    SparseGradientError,
)


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
