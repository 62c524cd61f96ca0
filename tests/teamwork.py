"""A training in miniature, for one process or several: the weights must come out the same."""

import torch
import torch.distributed as dist
from torch import nn

import ruleonce.torch

STEPS = 6
ROWS = 8  # of a batch, of all ranks together

# (the class's name, options): what our class and that of torch.optim are both made with
OPTIMIZERS = {
    "adamw": ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    "amsgrad": ("Adam", {"lr": 0.05, "weight_decay": 0.1, "amsgrad": True}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
}


def make(kind, parameters, library=ruleonce.torch):
    name, options = OPTIMIZERS[kind]
    return getattr(library, name)(parameters, **options)


class Uneven(nn.Module):
    """No dimension can be divided by 2 or 4, so that shards differ; those of 5, 3 and 1 rows leave
    one of four ranks with none.
    """

    def __init__(self, dtype=torch.float64):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Linear(6, 7, dtype=dtype)
            self.second = nn.Linear(7, 5, dtype=dtype)
            self.third = nn.Linear(5, 3, dtype=dtype)
        self.scale = nn.Parameter(torch.ones(1, dtype=dtype))

    def forward(self, x):
        x = torch.tanh(self.second(torch.tanh(self.first(x))))
        return self.third(x) * self.scale


def batch(step, part=0, parts=1, dtype=torch.float64):
    """One of equal parts of the batch of a step."""
    generator = torch.Generator().manual_seed(step)
    x, y = (torch.randn(ROWS, n, generator=generator, dtype=torch.float64) for n in (6, 3))
    return x.to(dtype).chunk(parts)[part], y.to(dtype).chunk(parts)[part]


def train(model, optimizer, *, first=0, last=STEPS, parts=None, dtype=torch.float64):
    """Take steps: with the part of each batch that is this rank's, or with `parts` one after
    another.
    """
    here, count = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    for step in range(first, last):
        optimizer.zero_grad()
        for part in range(parts or 1):
            x, y = batch(step, part if parts else here, parts or count, dtype)
            (nn.functional.mse_loss(model(x), y) / (parts or 1)).backward()
        optimizer.step()


def whole(tensors):
    """Name -> the whole tensor in this process, where it was a shard of it."""
    return {
        name: (x.full_tensor() if hasattr(x, "full_tensor") else x).detach().clone()
        for name, x in dict(tensors).items()
    }


def alone(kind, library=torch.optim, **options):
    """The weights that one process reaches; those of torch.optim unless said otherwise."""
    model = Uneven()
    train(model, make(kind, model.parameters(), library), **options)
    return whole(model.named_parameters())


def assert_same(found, expected):
    """The same but for the order in which ranks and batch are summed."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-11, atol=1e-12, msg=name)


def assert_equal(found, expected):
    """Every bit the same."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
