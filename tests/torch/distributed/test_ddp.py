"""DistributedDataParallel: averaged gradients, and every rank takes the same step."""

import pytest
import torch
from ranks import results_of
from teamwork import OPTIMIZERS, Uneven, alone, assert_equal, assert_same, make, train, whole
from torch.nn.parallel import DistributedDataParallel

import ruleonce.torch


def with_ddp(kinds, options):
    found = {}
    for kind in kinds:
        model = Uneven()
        train(DistributedDataParallel(model, **options), make(kind, model.parameters()))
        found[kind] = whole(model.named_parameters())
    return found


@pytest.mark.parametrize("as_view", [False, True], ids=["own gradients", "gradients in buckets"])
@pytest.mark.parametrize("ranks", [2, 4])
def test_the_weights_are_those_of_one_process_with_torch(ranks, as_view):
    found = results_of(ranks, with_ddp, list(OPTIMIZERS), {"gradient_as_bucket_view": as_view})

    for kind in OPTIMIZERS:
        for weights in found:
            assert_equal(weights[kind], found[0][kind])
            assert_same(weights[kind], alone(kind))


def test_with_two_ranks_the_bits_are_those_of_one_process_that_adds_two_halves():
    """a + b is b + a, so here no order of summing differs."""
    found, _ = results_of(2, with_ddp, list(OPTIMIZERS), {})

    for kind in OPTIMIZERS:
        assert_equal(found[kind], alone(kind, ruleonce.torch, parts=2))


class Sometimes(Uneven):
    """Every other step does without its middle."""

    def __init__(self):
        super().__init__()
        self.steps = 0
        self.around = torch.nn.Linear(7, 5, dtype=torch.float64)
        torch.nn.init.constant_(self.around.weight, 0.1)
        torch.nn.init.constant_(self.around.bias, 0.1)

    def forward(self, x):
        self.steps += 1
        middle = self.second if self.steps % 2 else self.around
        return self.third(torch.tanh(middle(torch.tanh(self.first(x))))) * self.scale


def with_unused_parameters():
    model = Sometimes()
    together = DistributedDataParallel(model, find_unused_parameters=True)
    optimizer = make("adamw", model.parameters())
    train(together, optimizer)
    steps = {n: optimizer.state[p]["step"].item() for n, p in model.named_parameters()}
    return whole(model.named_parameters()), steps


def test_a_parameter_that_a_step_does_not_use_is_left_as_torch_leaves_it():
    model = Sometimes()
    optimizer = make("adamw", model.parameters(), torch.optim)
    train(model, optimizer)
    expected = {n: optimizer.state[p]["step"].item() for n, p in model.named_parameters()}

    for weights, steps in results_of(2, with_unused_parameters):
        assert_same(weights, whole(model.named_parameters()))
        assert steps == expected
    assert len(set(expected.values())) == 2
