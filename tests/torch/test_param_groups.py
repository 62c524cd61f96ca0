"""An optimizer in a training program: param groups and learning rates.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import functools

import pytest
import torch
from torch.optim import lr_scheduler
from training import PAIRS, both, every_pair, parameter, train

import ruleonce.torch as rt


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
