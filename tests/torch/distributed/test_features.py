"""Clipping, scaled gradients, averages and gradient release, where the weights are sharded."""

import pytest
import torch
import torch.distributed as dist
from ranks import results_of
from teamwork import STEPS, Uneven, alone, assert_same, batch, train, whole
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import ruleonce.torch

OPTIONS = {"lr": 0.05, "weight_decay": 0.1}
NORM = 0.05  # below that of every step's gradients


def prepared(way):
    """A model as it is called in training, and as it holds its weights."""
    model = Uneven()
    if way == "ddp":
        return DistributedDataParallel(model), model
    if way == "fsdp":
        for layer in (model.first, model.second, model.third, model):
            fully_shard(layer)
    return model, model


def with_clipping(way):
    trained, model = prepared(way)
    optimizer = ruleonce.torch.AdamW(model.parameters(), max_norm=NORM, **OPTIONS)
    norms = []
    optimizer.register_step_post_hook(lambda opt, *_: norms.append(opt.gradient_norm.item()))
    train(trained, optimizer)
    return whole(model.named_parameters()), norms


@pytest.mark.parametrize(("way", "ranks"), [("ddp", 2), ("fsdp", 2), ("fsdp", 4)])
def test_max_norm_is_that_of_the_whole_gradient_not_of_a_shard(way, ranks):
    model, norms = Uneven(), []
    optimizer = torch.optim.AdamW(model.parameters(), **OPTIONS)

    def clip(*_):
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), NORM).item())

    optimizer.register_step_pre_hook(clip)
    train(model, optimizer)

    assert min(norms) > NORM
    for weights, found in results_of(ranks, with_clipping, way):
        assert found == pytest.approx(norms, rel=1e-11)
        assert_same(weights, whole(model.named_parameters()))


class Mixed(nn.Module):
    """One layer divided over the ranks, and a norm that each of them has the whole of."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Linear(6, 8, dtype=torch.float64)
            self.second = nn.Linear(8, 3, dtype=torch.float64)
        self.norm = nn.LayerNorm(3, dtype=torch.float64)

    def forward(self, x):
        return self.norm(self.second(torch.tanh(self.first(x))))


def with_plain_and_divided_weights(options):
    model = Mixed()
    plan = {"first": ColwiseParallel(), "second": RowwiseParallel()}
    parallelize_module(model, init_device_mesh("cpu", (2,)), plan)
    optimizer = ruleonce.torch.AdamW(model.parameters(), **OPTIONS, **options)
    train_together(model, optimizer)
    return whole(model.named_parameters())


def train_together(model, optimizer):
    """Each rank takes the whole batch: it is the weights that are divided."""
    for step in range(STEPS):
        optimizer.zero_grad()
        x, y = batch(step)
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def test_plain_weights_beside_divided_ones():
    model = Mixed()
    train_together(model, torch.optim.AdamW(model.parameters(), **OPTIONS))

    for weights in results_of(2, with_plain_and_divided_weights, {}):
        assert_same(weights, whole(model.named_parameters()))


def test_max_norm_of_plain_weights_beside_divided_ones():
    model = Mixed()
    optimizer = torch.optim.AdamW(model.parameters(), **OPTIONS)
    optimizer.register_step_pre_hook(
        lambda *_: nn.utils.clip_grad_norm_(model.parameters(), NORM) and None
    )
    train_together(model, optimizer)

    for weights in results_of(2, with_plain_and_divided_weights, {"max_norm": NORM}):
        assert_same(weights, whole(model.named_parameters()))


def with_averages(way):
    trained, model = prepared(way)
    optimizer = ruleonce.torch.AdamW(model.parameters(), ema=0.9, **OPTIONS)
    train(trained, optimizer)
    own = whole(model.named_parameters())
    with optimizer.average():
        average = whole(model.named_parameters())
    back = whole(model.named_parameters())
    return own, average, all(torch.equal(own[name], back[name]) for name in own)


@pytest.mark.parametrize(("way", "ranks"), [("ddp", 2), ("fsdp", 4)])
def test_averages_of_sharded_weights_are_those_of_torch(way, ranks):
    model = Uneven()
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    averaged.update_parameters(model)  # ours begins with the weights that it is made with
    optimizer = torch.optim.AdamW(model.parameters(), **OPTIONS)
    optimizer.register_step_post_hook(lambda *_: averaged.update_parameters(model))
    train(model, optimizer)

    for own, average, is_back in results_of(ranks, with_averages, way):
        assert is_back
        assert_same(own, whole(model.named_parameters()))
        assert_same(average, whole(averaged.module.named_parameters()))


def with_scaled_gradients(way, bad_rank):
    trained, model = prepared(way)
    optimizer = ruleonce.torch.AdamW(model.parameters(), **OPTIONS)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1000)
    scales = []
    for step in range(STEPS):
        optimizer.zero_grad()
        x, y = batch(step, dist.get_rank(), dist.get_world_size())
        scaler.scale(nn.functional.mse_loss(trained(x), y)).backward()
        if step == 2 and dist.get_rank() == bad_rank:
            for parameter in model.parameters():
                gradient = parameter.grad
                gradient = gradient.to_local() if hasattr(gradient, "to_local") else gradient
                gradient.fill_(torch.inf)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return whole(model.named_parameters()), scales


def test_infinite_gradients_in_one_rank_let_all_ranks_do_without_that_step():
    model = Uneven()
    optimizer = torch.optim.AdamW(model.parameters(), **OPTIONS)
    for step in (0, 1, 3, 4, 5):
        train(model, optimizer, first=step, last=step + 1)

    for weights, scales in results_of(2, with_scaled_gradients, "fsdp", 1):
        assert scales == [1024.0] * 2 + [512.0] * 4
        assert_same(weights, whole(model.named_parameters()))


def with_release():
    model, _ = prepared("fsdp")
    optimizer = ruleonce.torch.AdamW(model.parameters(), **OPTIONS)
    ruleonce.torch.release_gradients(model, optimizer)
    for step in range(STEPS):
        x, y = batch(step, dist.get_rank(), dist.get_world_size())
        nn.functional.mse_loss(model(x), y).backward()
        assert all(parameter.grad is None for parameter in model.parameters())
    return whole(model.named_parameters())


def test_gradients_of_sharded_weights_are_released_as_they_come():
    for weights in results_of(2, with_release):
        assert_same(weights, alone("adamw"))
