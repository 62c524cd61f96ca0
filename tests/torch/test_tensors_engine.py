"""An optimizer in a training program: the engine "tensors".

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import itertools

import pytest
import torch
from torch import nn
from training import parameter

import ruleonce as ro
import ruleonce.torch as rt

CLASSES = [
    *("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adamax", "NAdam", "RAdam"),
    *("Adadelta", "Rprop", "ASGD", "Lion"),
]

# In ulp of the largest, after ten steps; state that is stored in 16 bits may round to either side.
TENSORS = {torch.float64: 4, torch.float32: 16, torch.bfloat16: 1}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CLASSES)
def test_the_rule_on_tensors_gives_what_the_kernel_gives(name, dtype):
    """But for PyTorch's roots, which are 1 ulp off now and then in float32."""
    start = torch.linspace(-1, 1, 30, dtype=torch.float64).to(dtype)
    runs = []
    for engine in ("cpu", "tensors"):
        weights = nn.Parameter(start.clone().view(5, 6))
        optimizer = getattr(rt, name)([weights], engine=engine, ema=None)
        for t in range(10):
            weights.grad = (weights.detach().double() * 3 + t).sin().to(dtype)
            optimizer.step()
        runs.append((weights.detach(), optimizer.state[weights]))
    (mine, state), (plain, its) = runs
    share = TENSORS[dtype] * torch.finfo(dtype).eps
    for one, other in ((mine, plain), *((state[key], its[key]) for key in its)):
        assert (one - other).abs().max() <= share * other.abs().max()


def test_a_rule_may_hand_one_state_on_to_another_on_tensors():
    """The old velocity is kept beside the new one: it is read before it is written."""

    @ro.rule
    def remembering(w, dw, m, previous, *, learning_rate=1e-3):
        """Keep the last velocity."""
        old = m
        m = 0.5 * m + dw
        w = w - learning_rate * m
        return w, m, old

    found = []
    for engine in ("cpu", "tensors"):
        weights = parameter([0.0])
        optimizer = rt.optimizer(remembering)([weights], engine=engine)
        for gradient in (1.0, 2.0, 4.0):
            weights.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
        found.append({k: v.item() for k, v in optimizer.state[weights].items()})
    assert found[0] == found[1] == {"step": 3, "m": 5.25, "previous": 2.5}


def test_plans_of_many_sets_of_parameters_do_not_pile_up():
    """A different set at every step: what is kept stays bounded."""
    several = [parameter([0.0]) for _ in range(8)]
    optimizer = rt.SGD(several, lr=1.0)
    for chosen in itertools.islice(itertools.combinations(range(8), 4), 60):
        for place, p in enumerate(several):
            p.grad = torch.ones(1, dtype=torch.float64) if place in chosen else None
        optimizer.step()
    assert len(optimizer._plans._kept) <= 32
