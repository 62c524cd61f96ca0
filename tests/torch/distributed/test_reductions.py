"""Sums over tensors that several ranks hold parts of: the weights are those of one process."""

import pytest
import torch
from ranks import results_of
from teamwork import STEPS, Uneven, assert_equal, batch, train, whole
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import ruleonce as ro
import ruleonce.torch


@ro.rule
def layered(w, dw, m, v, t, *, learning_rate=0.05, beta1=0.9, beta2=0.99, eps=1e-6):
    """Adam's step, less its mean, as long in each tensor as the weights are: sums of sums."""
    moved, m, v = ro.adam(0.0, dw, m, v, t, learning_rate=1.0, beta1=beta1, beta2=beta2, eps=eps)
    step = -moved + ro.mean(moved) / 2 + ro.sum(ro.where(w > 0, 1e-3, 0.0)) / ro.size(w)
    ratio = ro.norm(w) / ro.maximum(ro.norm(step), eps)
    return w - learning_rate * ro.where(ratio > 0, ratio, 1.0) * step, m, v


@ro.rule
def clipped(w, dw, m, most: ro.Scalar, *, learning_rate=0.05, beta1=0.9, limit=0.3):
    """Momentum of gradients that are clipped by the norm of all of them."""
    length = ro.sqrt(ro.total(ro.dot(dw, dw)))
    share = ro.norm(dw) * ro.total(ro.size(dw)) / ro.total(ro.norm(dw) * ro.size(dw))
    m = beta1 * m + dw * ro.minimum(1, limit / length) * share
    return w - learning_rate * m, m, ro.maximum(most, length)


CLASSES = {rule.name: ruleonce.torch.optimizer(rule) for rule in (layered, clipped)}
ENGINES = pytest.mark.parametrize("engine", ["auto", "tensors"])


def trained(model, made, engine="auto", last=STEPS):
    """The weights, and what was measured."""
    optimizer = made(model.parameters(), engine=engine)
    train(model, optimizer, last=last)
    return result_of(model, optimizer)


def result_of(model, optimizer):
    entries = [optimizer.state[parameter] for parameter in model.parameters()]
    measured = [float(entry["most"]) for entry in entries if "most" in entry]
    return whole(model.named_parameters()), measured


def alone(kind, model=Uneven, last=STEPS):
    """What one process comes to."""
    return trained(model(), CLASSES[kind], last=last)


def assert_same(found, expected):
    """But for the order in which ranks and batch are summed."""
    assert found[0].keys() == expected[0].keys()
    for name, tensor in expected[0].items():
        torch.testing.assert_close(found[0][name], tensor, rtol=1e-12, atol=1e-13, msg=name)
    assert found[1] == pytest.approx(expected[1], rel=1e-12)


def sharded(model, **options):
    for layer in (model.first, model.second, model.third):
        fully_shard(layer, **options)
    return fully_shard(model, **options)


def with_fsdp(engine):
    found = {}
    for kind, made in CLASSES.items():
        found[kind] = trained(sharded(Uneven()), made, engine)
    return found


@ENGINES
@pytest.mark.parametrize("ranks", [2, 4])
def test_sharded_weights_have_the_sums_of_whole_tensors(ranks, engine):
    """Shards are uneven; with four ranks some are empty."""
    found = results_of(ranks, with_fsdp, engine)

    for kind in CLASSES:
        for rank in found:
            assert_equal(rank[kind][0], found[0][kind][0])
            assert rank[kind][1] == found[0][kind][1]
            assert_same(rank[kind], alone(kind))


class Number(nn.Module):
    """A model of one weight: all ranks but the first have nothing."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, x):
        return x[:, :3] * self.weight


def with_nothing(engine):
    found = {}
    for kind, made in CLASSES.items():
        found[kind] = trained(fully_shard(Number()), made, engine)
    return found


@ENGINES
def test_a_rank_without_any_weight_takes_part_in_the_sums(engine):
    for rank in results_of(4, with_nothing, engine):
        for kind in CLASSES:
            assert_same(rank[kind], alone(kind, Number))


class Wide(nn.Module):
    """What tensor parallelism divides: columns, then rows; and what it leaves whole."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Linear(6, 10, dtype=torch.float64)
            self.second = nn.Linear(10, 3, dtype=torch.float64)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def with_both_ways(engine):
    """Weights over the second dimension of the mesh, and each part over the first.

    The rows of `first` are divided by both, unevenly: those are strided shards.
    """
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model"))
    found = {}
    for kind, made in CLASSES.items():
        plan = {"first": ColwiseParallel(), "second": RowwiseParallel()}
        model = parallelize_module(Wide(), mesh["model"], plan)
        fully_shard(model, mesh=mesh["data"])
        optimizer = made(model.parameters(), engine=engine)
        part = mesh["data"].get_local_rank()
        for step in range(STEPS):
            optimizer.zero_grad()
            x, y = batch(step, part, 2)
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        found[kind] = result_of(model, optimizer)
    return found, [str(p.placements) for p in model.parameters()]


@ENGINES
def test_tensor_parallel_weights_sharded_once_more_have_the_sums_of_whole_tensors(engine):
    found = results_of(4, with_both_ways, engine)

    for rank, placements in found:
        assert any("Strided" in text for text in placements)
        for kind in CLASSES:
            assert_equal(rank[kind][0], found[0][0][kind][0])
            assert_same(rank[kind], alone(kind, Wide))


def with_copies(engine):
    """Two groups of two ranks: weights are sharded in a group, and each group has all of them."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("copies", "shards"))
    found = {}
    for kind, made in CLASSES.items():
        found[kind] = trained(sharded(Uneven(), mesh=mesh), made, engine)
    return found


@ENGINES
def test_copies_of_a_shard_are_counted_once(engine):
    for rank in results_of(4, with_copies, engine):
        for kind in CLASSES:
            assert_same(rank[kind], alone(kind))


def with_gradients_laid_out_otherwise(engine, is_divided):
    """Weights in rows; their gradients in rows, in columns, or whole in every rank."""
    mesh = init_device_mesh("cpu", (2,))
    start = torch.arange(1.0, 16.0, dtype=torch.float64).reshape(5, 3)

    def laid_out(tensor, placement):
        return distribute_tensor(tensor, mesh, [placement]) if is_divided else tensor

    found = {}
    for kind, made in CLASSES.items():
        weights = [nn.Parameter(laid_out(start.clone(), Shard(0))) for _ in range(3)]
        optimizer = made(weights, engine=engine)
        for step in range(1, 4):
            for parameter, placement in zip(
                weights, (Shard(0), Shard(1), Replicate()), strict=True
            ):
                parameter.grad = laid_out((start - 7) * step, placement)
            optimizer.step()
        found[kind] = whole(enumerate(weights))
    return found


@ENGINES
def test_a_gradient_may_be_divided_otherwise_than_its_weights(engine):
    expected, _ = results_of(2, with_gradients_laid_out_otherwise, "auto", False)

    for rank in results_of(2, with_gradients_laid_out_otherwise, engine, True):
        for kind in CLASSES:
            assert_same((rank[kind], []), (expected[kind], []))


def with_plain_tensors_beside():
    """A DTensor and a tensor that every rank has for itself, as FSDP2's ignored parameters are."""
    mesh = init_device_mesh("cpu", (2,))
    start = torch.arange(1.0, 16.0, dtype=torch.float64)
    weights = [
        nn.Parameter(distribute_tensor(start, mesh, [Shard(0)])),
        nn.Parameter(start[:4].clone()),
    ]
    optimizer = CLASSES["clipped"](weights)
    weights[0].grad = distribute_tensor(start, mesh, [Shard(0)])
    weights[1].grad = start[:4] * 2
    optimizer.step()
    return [float(optimizer.state[w]["most"]) for w in weights]


def test_a_total_counts_each_tensor_once_however_it_is_held():
    numbers = torch.arange(1.0, 16.0, dtype=torch.float64)
    length = torch.linalg.vector_norm(torch.cat([numbers, 2 * numbers[:4]])).item()

    for rank in results_of(2, with_plain_tensors_beside):
        assert rank == pytest.approx([length, length], rel=1e-14)


def with_zero():
    # Its import warns of torch's own use of torch.jit, which pytest would take for a failure.
    from torch.distributed.optim import ZeroRedundancyOptimizer

    found = {}
    for kind, made in CLASSES.items():
        model = Uneven()
        optimizer = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=made)
        train(DistributedDataParallel(model), optimizer, last=1)
        own = [p for p in model.parameters() if p in optimizer.optim.state]
        lengths = [float(optimizer.optim.state[p].get("most", 0.0)) for p in own]
        share = torch.cat([p.grad.reshape(-1) for p in own])
        found[kind] = whole(model.named_parameters()), lengths, share.norm().item()
    return found


def test_zero_is_for_rules_of_one_tensor_and_a_total_is_that_of_a_rank_alone():
    """ZeroRedundancyOptimizer gives each rank whole tensors, and tells its optimizer of no others:
    docs/numbers.md says so.
    """
    found = results_of(2, with_zero)

    for rank in found:
        weights, _, _ = rank["layered"]
        assert_same((weights, []), (alone("layered", last=1)[0], []))
        _, lengths, share = rank["clipped"]
        assert lengths == pytest.approx([share] * len(lengths), rel=1e-12)
    assert found[0]["clipped"][2] != pytest.approx(found[1]["clipped"][2], rel=1e-3)


def saved_half_way():
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    model = sharded(Uneven())
    optimizer = CLASSES["clipped"](model.parameters())
    train(model, optimizer, last=STEPS // 2)
    assert isinstance(optimizer.state[model.first.weight]["m"], DTensor)
    return get_state_dict(
        model, optimizer, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )


def test_measured_numbers_go_on_from_a_checkpoint_of_two_ranks():
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    weights, state = results_of(2, saved_half_way)[0]
    model = Uneven()
    optimizer = CLASSES["clipped"](model.parameters())
    set_state_dict(
        model,
        optimizer,
        model_state_dict=weights,
        optim_state_dict=state,
        options=StateDictOptions(full_state_dict=True),
    )
    train(model, optimizer, first=STEPS // 2)

    found = result_of(model, optimizer)
    assert_same(found, alone("clipped"))
