"""State that is stored in parts, of weights that are divided among processes."""

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from ranks import results_of
from teamwork import assert_equal, whole
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    get_state_dict,
    set_optimizer_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

import ruleonce.torch as rt
from ruleonce.formats import Choice

FORMATS = Choice({"m": "int8", "v": "uint8_sqrt", "w": "bfloat16+8"}, smallest=0, full=["bare*"])
FOUR = Choice({"m": "int4", "v": "uint4_sqrt", "w": "bfloat16+8"}, smallest=0, full=["bare*"])
# Elements in a row -> elements in a block.
BLOCKS = {"rows_256": 128, "rows_192": 64, "rows_96": 32, "rows_100": None, "bare": None}
STEPS = 6


class Rows(nn.Module):
    """Weights whose rows fit into blocks of several sizes, or of none; their number is odd."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for name, shape in {
            "rows_256": (7, 2, 128),
            "rows_192": (5, 192),
            "rows_96": (7, 96),
            "rows_100": (5, 100),
            "bare": (3, 128),
        }.items():
            weights = torch.randn(shape, generator=generator).bfloat16()
            setattr(self, name, nn.Parameter(weights))


def new(*, is_sharded=True, options=None):
    model = Rows()
    if is_sharded:
        fully_shard(model)
    return model, rt.AdamW(
        model.named_parameters(), **{"lr": 0.05, "formats": FORMATS, **(options or {})}
    )


def train(model, optimizer, first, last):
    """Steps with gradients that are the same whatever the number of ranks."""
    for t in range(first, last):
        generator = torch.Generator().manual_seed(t)
        for p in model.parameters():
            p.grad = torch.randn(p.shape, generator=generator).bfloat16()
            if isinstance(p, DTensor):
                p.grad = distribute_tensor(p.grad, p.device_mesh, p.placements)
        optimizer.step()


def contents(model, optimizer):
    found = whole(model.named_parameters())
    for name, p in model.named_parameters():
        found |= {f"{name} {key}": x for key, x in whole(optimizer.state[p]).items()}
    return found | {f"{name} master": x for name, x in whole(optimizer.masters()).items()}


def uninterrupted(formats=FORMATS):
    model, optimizer = new(options={"formats": formats})
    train(model, optimizer, 0, STEPS)
    for name, p in model.named_parameters():
        entry = optimizer.state[p]
        assert ("exp_avg.scale" in entry) == (BLOCKS[name] is not None)
        for key, x in entry.items():
            if key != "step" and not key.endswith(".format"):
                assert x.placements == p.placements
                assert len(x.to_local()) == len(p.to_local())
    return contents(model, optimizer), optimizer.bytes_by_tensor()


def test_blocks_end_where_rows_do_and_every_number_of_ranks_has_the_same_bits():
    found, sizes = results_of(4, uninterrupted)[0]
    for ranks in (1, 2):
        for other, _ in results_of(ranks, uninterrupted):
            assert_equal(other, found)

    for name, block in BLOCKS.items():
        if block is not None:
            shape = found[name].shape
            row = found[name].numel() // shape[0]
            assert found[f"{name} exp_avg.scale"].shape == (shape[0], row // block)
        assert found[f"{name} weights.error"].dtype == torch.int8
    assert sizes["rows_256"]["exp_avg"] == 2 * 256  # of the rank's rows
    # In one process blocks are those of the format; where rows are of whole blocks, they are these.
    model, optimizer = new(is_sharded=False)
    train(model, optimizer, 0, STEPS)
    alone = contents(model, optimizer)
    for name in ("rows_256", "bare"):
        mine = {key: x for key, x in alone.items() if key.split()[0] == name}
        assert_equal(mine, {key: found[key] for key in mine})


def run(folder, first, last, options, formats):
    """Load if there is something to go on from; train; save."""
    model, optimizer = new(options={"formats": formats})
    options = StateDictOptions(**options)
    if first:
        weights, state = get_state_dict(model, optimizer, options=options)
        dcp.load({"weights": weights, "state": state}, checkpoint_id=f"{folder}/{first}")
        set_state_dict(
            model, optimizer, model_state_dict=weights, optim_state_dict=state, options=options
        )
    train(model, optimizer, first, last)
    weights, state = get_state_dict(model, optimizer, options=options)
    dcp.save({"weights": weights, "state": state}, checkpoint_id=f"{folder}/{last}")
    return contents(model, optimizer)


@pytest.mark.parametrize(
    ("is_flat", "formats"), [(False, FORMATS), (True, FOUR)], ids=["nested-8bit", "flat-4bit"]
)
def test_saved_by_four_ranks_a_run_goes_on_with_two_and_then_with_four(tmp_path, is_flat, formats):
    options = {"flatten_optimizer_state_dict": is_flat}
    expected, _ = results_of(4, uninterrupted, formats)[0]
    for ranks, first, last in ((4, 0, 2), (2, 2, 4), (4, 4, STEPS)):
        found = results_of(ranks, run, str(tmp_path), first, last, options, formats)

    for one in found:
        assert_equal(one, expected)


def through_one_file(by_one):
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    model, optimizer = new()
    train(model, optimizer, 0, 3)
    gathered = get_optimizer_state_dict(model, optimizer, options=options)
    in_every_rank = [gathered]
    dist.broadcast_object_list(in_every_rank)
    again, other = new()
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        q.detach().copy_(p.detach())
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=by_one)
    set_optimizer_state_dict(
        again,
        other,
        optim_state_dict={} if by_one and dist.get_rank() else in_every_rank[0],
        options=options,
    )
    train(again, other, 3, STEPS)
    return contents(again, other), whole(model.named_parameters()), gathered


@pytest.mark.parametrize("by_one", [True, False], ids=["read by one", "read by all"])
def test_a_full_state_dict_is_dealt_out_and_read_in_one_process(by_one):
    expected, _ = results_of(2, uninterrupted)[0]
    found = results_of(2, through_one_file, by_one)
    for one, _, _ in found:
        assert_equal(one, expected)

    _, weights, gathered = found[0]
    model, optimizer = new(is_sharded=False)
    model.load_state_dict(weights)
    set_optimizer_state_dict(model, optimizer, optim_state_dict=gathered)
    train(model, optimizer, 3, STEPS)
    alone = contents(model, optimizer)
    for name in ("rows_256", "bare"):
        assert torch.equal(alone[name], expected[name])
    # Those of smaller blocks are decoded, and encoded in larger ones.
    assert alone["rows_96 exp_avg.scale"].shape == (6,)
    moved = (alone["rows_96"].float() - weights["rows_96"].float()).abs().max()
    apart = (alone["rows_96"].float() - expected["rows_96"].float()).abs().max()
    assert apart <= moved / 5


def with_masters():
    generator = torch.Generator().manual_seed(1)
    model, optimizer = new()
    wide = {n: torch.randn(p.shape, generator=generator) for n, p in model.named_parameters()}
    optimizer.load_masters(wide)
    found = whole(optimizer.masters())
    dealt = {
        name: distribute_tensor(wide[name], p.device_mesh, p.placements)
        for name, p in model.named_parameters()
    }
    optimizer.load_masters(dealt)
    expanded = optimizer.expanded_state_dict()["state"]
    train(model, optimizer, 0, 1)
    expanded = optimizer.expanded_state_dict()["state"]
    for p, entry in zip(model.parameters(), expanded.values(), strict=True):
        assert list(entry) == ["step", "exp_avg", "exp_avg_sq"]
        assert entry["exp_avg"].placements == p.placements
        assert entry["exp_avg"].dtype == torch.float32
    return wide, found


def test_master_weights_are_dealt_out_and_gathered():
    for wide, found in results_of(2, with_masters):
        for name, expected in wide.items():
            assert (found[name] - expected).abs().max() <= expected.abs().max() * 2.0**-16


def from_plain_and_back():
    """State that is plain, then stored, then plain again: nearly the same."""
    model, plain = new(options={"formats": None, "state_dtype": torch.float32})
    train(model, plain, 0, 3)
    stored = rt.AdamW(model.named_parameters(), formats=FORMATS, lr=0.0, betas=(0.99, 0.99))
    stored.load_state_dict(plain.state_dict())
    for group in stored.param_groups:
        group["betas"] = (1.0, 1.0)
        group["lr"] = 0.0
    train(model, stored, 3, 4)
    again = rt.AdamW(model.named_parameters())
    again.load_state_dict(stored.state_dict())
    for group in again.param_groups:
        group["betas"] = (1.0, 1.0)
        group["lr"] = 0.0
    train(model, again, 4, 5)
    return [
        {name: whole(optimizer.state[p])["exp_avg"] for name, p in model.named_parameters()}
        for optimizer in (plain, stored, again)
    ]


def test_plain_state_of_shards_is_stored_and_made_plain_again():
    for plain, stored, again in results_of(2, from_plain_and_back):
        for name, expected in plain.items():
            assert (stored[name].dtype == torch.int8) == (BLOCKS[name] is not None)
            assert again[name].dtype == torch.float32
            assert (again[name] - expected).abs().max() <= expected.abs().max() / 60


def divided_otherwise():
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicas", "shards"))
    weights = torch.randn(8, 256, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, placements in {
        "columns": [Replicate(), Shard(1)],
        "rows": [Replicate(), Shard(0)],
        "copies": [Replicate(), Replicate()],
        "both": [Shard(0), Shard(1)],
    }.items():
        p = nn.Parameter(distribute_tensor(weights.clone(), mesh, placements))
        optimizer = rt.AdamW([p], formats=Choice("8bit", smallest=0))
        for t in range(2):
            gradient = torch.randn(p.shape, generator=torch.Generator().manual_seed(t))
            p.grad = distribute_tensor(gradient, mesh, placements)
            optimizer.step()
        found[name] = "exp_avg.scale" in optimizer.state[p], p.full_tensor().detach()
    return found


def test_only_rows_are_stored_in_blocks_and_all_placements_step():
    for found in results_of(4, divided_otherwise):
        assert {name: stored for name, (stored, _) in found.items()} == {
            "columns": False,
            "rows": True,
            "copies": True,
            "both": False,
        }
        assert torch.equal(found["rows"][1], found["copies"][1])
        assert torch.equal(found["columns"][1], found["both"][1])
        torch.testing.assert_close(found["rows"][1], found["both"][1], rtol=0.0, atol=2e-4)
