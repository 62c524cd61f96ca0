"""ZeroRedundancyOptimizer: each rank has an optimizer of ours for some of the parameters."""

import copy

import pytest
import torch
import torch.distributed as dist
from ranks import results_of
from teamwork import OPTIMIZERS, STEPS, Uneven, alone, assert_equal, assert_same, make, train, whole
from torch.nn.parallel import DistributedDataParallel

import ruleonce.torch

HALF = STEPS // 2


def divided(model, kind, **options):
    # Its import warns of torch's own use of torch.jit, which pytest would take for a failure.
    from torch.distributed.optim import ZeroRedundancyOptimizer

    name, own = OPTIMIZERS[kind]
    return ZeroRedundancyOptimizer(
        model.parameters(), optimizer_class=getattr(ruleonce.torch, name), **own, **options
    )


def consolidated(optimizer):
    """The whole state dict, in every rank."""
    optimizer.consolidate_state_dict(to=0)
    box = [optimizer.state_dict() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(box)
    return box[0]


def with_zero(kinds, options):
    found = {}
    for kind in kinds:
        model = Uneven()
        optimizer = divided(model, kind, **options)
        train(DistributedDataParallel(model), optimizer)
        states = [entry for entry in optimizer.optim.state.values() if entry]
        found[kind] = whole(model.named_parameters()), len(states), consolidated(optimizer)
    return found


@pytest.mark.parametrize("as_view", [False, True], ids=["own weights", "weights in buckets"])
@pytest.mark.parametrize("ranks", [2, 4])
def test_the_weights_are_those_of_one_process_with_torch(ranks, as_view):
    found = results_of(ranks, with_zero, list(OPTIMIZERS), {"parameters_as_bucket_view": as_view})

    for kind in OPTIMIZERS:
        for rank in found:
            assert_equal(rank[kind][0], found[0][kind][0])
            assert_same(rank[kind][0], alone(kind))
        kept = [rank[kind][1] for rank in found]
        assert sum(kept) == len(list(Uneven().parameters()))
        assert max(kept) < sum(kept)  # the state is divided


def test_a_consolidated_state_dict_goes_on_in_one_process_with_ours_and_with_torch():
    found, _ = results_of(2, with_zero, list(OPTIMIZERS), {})

    for kind in OPTIMIZERS:
        weights, _, state_dict = found[kind]
        for library in (ruleonce.torch, torch.optim):
            model = Uneven()
            model.load_state_dict(weights)
            optimizer = make(kind, model.parameters(), library)
            optimizer.load_state_dict(copy.deepcopy(state_dict))
            train(model, optimizer, first=STEPS, last=2 * STEPS)
            assert_same(whole(model.named_parameters()), alone(kind, last=2 * STEPS))


def saved_half_way(kind):
    model = Uneven()
    optimizer = divided(model, kind)
    train(DistributedDataParallel(model), optimizer, last=HALF)
    return whole(model.named_parameters()), consolidated(optimizer)


def resumed(kind, weights, state_dict):
    model = Uneven()
    model.load_state_dict(weights)
    optimizer = divided(model, kind)
    optimizer.load_state_dict(state_dict)
    train(DistributedDataParallel(model), optimizer, first=HALF)
    return whole(model.named_parameters())


@pytest.mark.parametrize("kind", ["adamw", "momentum"])
@pytest.mark.parametrize(("before", "after"), [(2, 2), (4, 2)])
def test_a_run_goes_on_from_a_consolidated_state_dict(kind, before, after):
    weights, state_dict = results_of(before, saved_half_way, kind)[0]

    for found in results_of(after, resumed, kind, weights, state_dict):
        assert_same(found, alone(kind))


@pytest.mark.parametrize("kind", ["adamw", "momentum"])
def test_a_run_goes_on_from_the_state_dict_of_one_process_with_torch(kind):
    model = Uneven()
    optimizer = make(kind, model.parameters(), torch.optim)
    train(model, optimizer, last=HALF)

    weights = whole(model.named_parameters())
    for found in results_of(2, resumed, kind, weights, optimizer.state_dict()):
        assert_same(found, alone(kind))
