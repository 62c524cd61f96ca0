"""torch.distributed.checkpoint: written by some ranks, read by others; ours and torch's alike."""

import itertools

import pytest
import torch
import torch.distributed.checkpoint as dcp
from ranks import results_of
from teamwork import OPTIMIZERS, STEPS, Uneven, alone, assert_equal, assert_same, make, train, whole
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    get_state_dict,
    set_optimizer_state_dict,
    set_state_dict,
)
from torch.distributed.fsdp import fully_shard

import ruleonce.torch

HALF = STEPS // 2
LIBRARIES = {"ours": ruleonce.torch, "torch": torch.optim}


def prepared(kind, library, *, is_sharded=True):
    model = Uneven()
    if is_sharded:
        for layer in (model.first, model.second, model.third, model):
            fully_shard(layer)
    return model, make(kind, model.parameters(), LIBRARIES[library])


def run(folder, library, kinds, first, last, options=None, *, is_sharded=True):
    """Load if there is something to go on from; train; save. Kind -> weights."""
    found = {}
    options = StateDictOptions(**(options or {}))
    for kind in kinds:
        place = f"{folder}/{kind}"
        model, optimizer = prepared(kind, library, is_sharded=is_sharded)
        if first:
            weights, state = get_state_dict(model, optimizer, options=options)
            dcp.load({"weights": weights, "state": state}, checkpoint_id=f"{place}-{first}")
            set_state_dict(
                model,
                optimizer,
                model_state_dict=weights,
                optim_state_dict=state,
                options=options,
            )
        train(model, optimizer, first=first, last=last)
        weights, state = get_state_dict(model, optimizer, options=options)
        dcp.save({"weights": weights, "state": state}, checkpoint_id=f"{place}-{last}")
        found[kind] = whole(model.named_parameters())
    return found


@pytest.mark.parametrize("is_flat", [False, True], ids=["nested", "flat"])
def test_saved_by_four_ranks_a_run_goes_on_with_two_and_then_with_one(tmp_path, is_flat):
    options = {"flatten_optimizer_state_dict": is_flat}
    third = STEPS // 3
    steps = [0, third, 2 * third, STEPS]
    for ranks, (first, last) in zip((4, 2, 1), itertools.pairwise(steps), strict=True):
        found = results_of(
            ranks, run, str(tmp_path), "ours", list(OPTIMIZERS), first, last, options
        )

    for kind in OPTIMIZERS:
        assert_same(found[0][kind], alone(kind))


@pytest.mark.parametrize(("before", "after"), [("torch", "ours"), ("ours", "torch")])
def test_a_run_goes_from_torch_to_ours_and_back(tmp_path, before, after):
    results_of(4, run, str(tmp_path), before, list(OPTIMIZERS), 0, HALF)
    found = results_of(2, run, str(tmp_path), after, list(OPTIMIZERS), HALF, STEPS)

    for kind in OPTIMIZERS:
        assert_same(found[0][kind], alone(kind))


# torch says that it reads it in this process alone, which is what is wanted.
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_sharded_checkpoint_goes_on_in_a_process_that_shards_nothing(tmp_path):
    results_of(2, run, str(tmp_path), "ours", ["adamw"], 0, HALF)
    model = run(str(tmp_path), "ours", ["adamw"], HALF, STEPS, is_sharded=False)

    assert_same(model["adamw"], alone("adamw"))


def narrow(folder):
    """Sharded weights of 16 bits, state of 32 and an average: half a run, saved and read again,
    and the whole run. Pairs of what they come to.
    """

    def new():
        model = Uneven(torch.bfloat16)
        for layer in (model.first, model.second, model.third, model):
            fully_shard(layer)
        return model, ruleonce.torch.AdamW(
            model.parameters(), lr=0.05, state_dtype=torch.float32, ema=0.9
        )

    def result(model, optimizer):
        found = whole(model.named_parameters())
        for name, parameter in model.named_parameters():
            entry = optimizer.state[parameter].items()
            found |= {f"{name} {key}": x for key, x in whole(entry).items()}
        return found

    once, half, again = new(), new(), new()
    train(*once, last=STEPS, dtype=torch.bfloat16)
    train(*half, last=HALF, dtype=torch.bfloat16)
    for save, pair in ((True, half), (False, again)):
        weights, state = get_state_dict(*pair)
        content = {"weights": weights, "state": state}
        if save:
            dcp.save(content, checkpoint_id=folder)
        else:
            dcp.load(content, checkpoint_id=folder)
            set_state_dict(*pair, model_state_dict=weights, optim_state_dict=state)
    train(*again, first=HALF, dtype=torch.bfloat16)
    return result(*once), result(*again)


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit_in_whatever_dtype(tmp_path):
    for once, again in results_of(2, narrow, str(tmp_path)):
        assert_equal(again, once)
        assert again["first.weight"].dtype == torch.bfloat16
        for key in ("exp_avg", "exp_avg_sq", "average"):
            assert again[f"first.weight {key}"].dtype == torch.float32


def through_one_file(kind, by_one):
    """The state of sharded weights, gathered into one dictionary and dealt out again."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    model, optimizer = prepared(kind, "ours")
    train(model, optimizer, last=HALF)
    weights = whole(model.named_parameters())
    gathered = get_optimizer_state_dict(model, optimizer, options=options)
    in_every_rank = [gathered]  # as from a file that all can read
    torch.distributed.broadcast_object_list(in_every_rank)

    again, other = prepared(kind, "ours")
    for name, parameter in again.named_parameters():
        parameter.detach().copy_(dict(model.named_parameters())[name].detach())
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=by_one)
    set_optimizer_state_dict(
        again,
        other,
        optim_state_dict={} if by_one and torch.distributed.get_rank() else in_every_rank[0],
        options=options,
    )
    train(again, other, first=HALF)
    return weights, whole(again.named_parameters()), gathered


@pytest.mark.parametrize("by_one", [True, False], ids=["read by one", "read by all"])
@pytest.mark.parametrize("kind", list(OPTIMIZERS))
def test_a_full_state_dict_is_dealt_out(kind, by_one):
    found = results_of(2, through_one_file, kind, by_one)

    for _, weights, _ in found:
        assert_same(weights, alone(kind))
    # And the file is one that a process by itself goes on from, with torch's optimizer too.
    weights, _, gathered = found[0]
    for library in LIBRARIES:
        model, optimizer = prepared(kind, library, is_sharded=False)
        model.load_state_dict(weights)
        set_optimizer_state_dict(model, optimizer, optim_state_dict=gathered)
        train(model, optimizer, first=HALF)
        assert_same(whole(model.named_parameters()), alone(kind))
