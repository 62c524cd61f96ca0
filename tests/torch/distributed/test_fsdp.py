"""FSDP2: weights, gradients and state are DTensors, and each rank steps its shards."""

import pytest
import torch
from ranks import results_of
from teamwork import (
    OPTIMIZERS,
    Uneven,
    alone,
    assert_equal,
    assert_same,
    batch,
    make,
    train,
    whole,
)
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

import ruleonce.torch


def sharded(model, **options):
    for layer in (model.first, model.second, model.third):
        fully_shard(layer, **options)
    return fully_shard(model, **options)


def with_fsdp(kinds):
    found = {}
    for kind in kinds:
        model = sharded(Uneven())
        optimizer = make(kind, model.parameters())
        train(model, optimizer)
        shards = {}
        for name, parameter in model.named_parameters():
            for key, state in optimizer.state[parameter].items():
                if key != "step":
                    assert isinstance(state, DTensor)
                    assert state.placements == parameter.placements
                    assert state.to_local().shape == parameter.to_local().shape
            shards[name] = len(parameter.to_local())
        found[kind] = whole(model.named_parameters()), shards
    return found


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_weights_are_those_of_one_process_with_torch(ranks):
    found = results_of(ranks, with_fsdp, list(OPTIMIZERS))

    for kind in OPTIMIZERS:
        for rank in found:
            weights, _ = rank[kind]
            assert_equal(weights, found[0][kind][0])
            assert_same(weights, alone(kind))
    # The model is what the test is about: some rank holds nothing of some parameter.
    rows = [rank["adamw"][1] for rank in found]
    assert [shards["first.weight"] for shards in rows] == {2: [4, 3], 4: [2, 2, 2, 1]}[ranks]
    assert [shards["second.weight"] for shards in rows] == {2: [3, 2], 4: [2, 2, 1, 0]}[ranks]
    assert [shards["scale"] for shards in rows] == [1, *[0] * (ranks - 1)]


def test_with_two_ranks_the_bits_are_those_of_one_process_that_adds_two_halves():
    found, _ = results_of(2, with_fsdp, list(OPTIMIZERS))

    for kind in OPTIMIZERS:
        assert_equal(found[kind][0], alone(kind, ruleonce.torch, parts=2))


class Number(nn.Module):
    """A model of one weight: all ranks but the first have nothing."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, x):
        return x[:, :3] * self.weight


def with_nothing():
    model = fully_shard(Number())
    train(model, make("adamw", model.parameters()))
    return whole(model.named_parameters())


def test_a_rank_without_any_weight_takes_its_steps():
    model = Number()
    train(model, make("adamw", model.parameters(), torch.optim))

    for weights in results_of(4, with_nothing):
        assert_same(weights, whole(model.named_parameters()))


def train_as_people_do(model, optimizer):
    """A schedule, clipped gradients, and two batches to a step."""
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=8)
    here, count = (0, 1)
    if torch.distributed.is_initialized():
        here, count = torch.distributed.get_rank(), torch.distributed.get_world_size()
    for step in range(8):
        for last, number in enumerate((2 * step, 2 * step + 1)):
            if hasattr(model, "set_requires_gradient_sync"):
                model.set_requires_gradient_sync(bool(last))
            x, y = batch(number, here, count)
            nn.functional.mse_loss(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return whole(model.named_parameters())


def with_all_of_it():
    model = sharded(Uneven())
    return train_as_people_do(model, make("adamw", model.parameters()))


def test_schedule_clipping_and_accumulation_are_as_in_one_process():
    model = Uneven()
    expected = train_as_people_do(model, make("adamw", model.parameters(), torch.optim))

    for weights in results_of(2, with_all_of_it):
        assert_same(weights, expected)


def with_low_precision(name):
    library = {"ours": ruleonce.torch, "torch": torch.optim}[name]
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    model = sharded(Uneven(torch.float32), mp_policy=policy)
    computed = []
    model.first.register_forward_hook(lambda _, __, out: computed.append(out.dtype))
    optimizer = make("adamw", model.parameters(), library)
    train(model, optimizer, last=1, dtype=torch.bfloat16)
    once = whole(model.named_parameters())
    train(model, optimizer, first=1, dtype=torch.bfloat16)
    kept = {p.dtype for p in model.parameters()} | {
        x.dtype for entry in optimizer.state.values() for x in entry.values()
    }
    return once, whole(model.named_parameters()), kept, set(computed)


def test_mixed_precision_updates_float32_weights_as_torch_does():
    expected, *_ = results_of(2, with_low_precision, "torch")

    for once, weights, kept, computed in results_of(2, with_low_precision, "ours"):
        assert computed == {torch.bfloat16}
        assert kept == {torch.float32}
        # After one step the gradients are the same; later a weight that is rounded to the other
        # bfloat16 changes them, by 2**-8 of what they were.
        for name, tensor in expected[0].items():
            torch.testing.assert_close(once[name], tensor, rtol=1e-6, atol=1e-7, msg=name)
        for name, tensor in expected[1].items():
            torch.testing.assert_close(weights[name], tensor, rtol=1e-2, atol=1e-2, msg=name)


class Wide(nn.Module):
    """What tensor parallelism divides: columns, then rows."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Linear(6, 8, dtype=torch.float64)
            self.second = nn.Linear(8, 3, dtype=torch.float64)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def with_both_ways():
    """Rows of weights over two ranks, and each of them sharded over two more."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model"))
    plan = {"first": ColwiseParallel(), "second": RowwiseParallel()}
    model = parallelize_module(Wide(), mesh["model"], plan)
    fully_shard(model, mesh=mesh["data"])
    optimizer = make("adamw", model.parameters())
    part = mesh["data"].get_local_rank()
    for step in range(5):
        optimizer.zero_grad()
        x, y = batch(step, part, 2)
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    return whole(model.named_parameters())


def test_tensor_parallel_weights_sharded_once_more_are_those_of_one_process():
    model = Wide()
    train(model, make("adamw", model.parameters(), torch.optim), last=5)

    for weights in results_of(4, with_both_ways):
        assert_same(weights, whole(model.named_parameters()))


def with_gradients_laid_out_otherwise(library):
    """Weights in rows, their gradient in columns, or whole in every rank."""
    mesh = init_device_mesh("cpu", (2,))
    start = torch.arange(15, dtype=torch.float64).reshape(5, 3)
    weights = [nn.Parameter(distribute_tensor(start.clone(), mesh, [Shard(0)])) for _ in range(3)]
    optimizer = make("adamw", weights, {"ours": ruleonce.torch, "torch": torch.optim}[library])
    for step in range(1, 4):
        for parameter, placement in zip(weights, (Shard(0), Shard(1), Replicate()), strict=True):
            parameter.grad = distribute_tensor((start - 7) * step, mesh, [placement])
        optimizer.step()
    return whole(enumerate(weights))


def test_a_gradient_may_be_divided_otherwise_than_its_weights():
    expected, _ = results_of(2, with_gradients_laid_out_otherwise, "torch")

    for weights in results_of(2, with_gradients_laid_out_otherwise, "ours"):
        assert_same(weights, expected)
        assert_equal(weights, dict.fromkeys(range(3), weights[0]))
