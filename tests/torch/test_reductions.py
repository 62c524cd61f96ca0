"""Rules with sums in PyTorch: on each engine, for every kind of parameter, beside every feature.

The engines are held against the rule itself, called on tensors of float64.
"""

import copy
import math
import warnings

import pytest
import torch
from torch.nn import Parameter

import ruleonce as ro
import ruleonce.torch as rt
from ruleonce.errors import HyperparameterError, TensorError

ENGINES = pytest.mark.parametrize("engine", ["cpu", "gpu", "tensors"])
NEAR = {torch.float64: 1e-13, torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 1e-3}


@ro.rule
def layered(w, dw, m, *, learning_rate=0.1, beta1=0.9):
    """A step as long, in each tensor, as a share of its weights: sums of one tensor alone."""
    m = beta1 * m + dw - ro.mean(dw)
    length = ro.norm(m)
    step = m / ro.where(length > 0, length, 1.0)
    return w - learning_rate * ro.norm(w) * step, m


@ro.rule
def clipped(w, dw, m, most: ro.Scalar, t, *, learning_rate=0.1, limit=1.0, heavy=False):
    """Momentum of gradients that are clipped by the norm of all of them."""
    length = ro.sqrt(ro.total(ro.dot(dw, dw)))
    m = (0.9 if heavy else 0.5) * m + dw * ro.minimum(1, limit / length)
    return w - learning_rate * m / t, m, ro.maximum(most, length)


Layered, Clipped = rt.optimizer(layered), rt.optimizer(clipped)


def whole(tensors):
    """All elements of some tensors, one after another, complex ones as pairs."""
    real = [torch.view_as_real(x) if x.is_complex() else x for x in tensors]
    return torch.cat([x.detach().double().reshape(-1) for x in real])


def length_of(tensors):
    return torch.linalg.vector_norm(whole(tensors)).item()


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def complex_(*shape):
    return torch.complex(normal(*shape), normal(*shape, seed=1))


KINDS = {
    "several sizes": lambda: [normal(n) for n in (0, 1, 7, 4096, 4097)] + [normal()],
    "complex": lambda: [complex_(5, 7), normal(3)],
    "conjugated": lambda: [complex_(5).conj().resolve_conj()],
    "channels last": lambda: [normal(2, 3, 4, 5).to(memory_format=torch.channels_last)],
    "turned": lambda: [normal(5, 7).t()],
    "slice": lambda: [normal(8, 12)[::2, ::3], normal(30)[3:11]],
    "float32": lambda: [normal(5, 7, dtype=torch.float32), normal(70, dtype=torch.float32)],
    "bfloat16": lambda: [normal(33, dtype=torch.bfloat16)],
    "every dtype": lambda: [normal(9, dtype=dtype) for dtype in NEAR],
    "nothing at all": lambda: [torch.zeros(0, 3, dtype=torch.float64)],
}


def gradients_of(parameters, step, layout=lambda x: x):
    for place, p in enumerate(parameters):
        p.grad = layout(
            torch.zeros_like(p) + (normal(*p.shape, seed=10 * step + place)).to(p.dtype)
        )


def by_the_rule(rule, start, steps):
    """The weights after some steps of the rule as a function, each tensor as the only one."""
    weights = [torch.view_as_real(x) if x.is_complex() else x for x in start]
    weights = [x.detach().double().clone() for x in weights]
    states = [torch.zeros_like(x) for x in weights]
    parameters = [Parameter(x.clone()) for x in start]
    for step in range(1, steps + 1):
        gradients_of(parameters, step)
        for place, p in enumerate(parameters):
            real = torch.view_as_real(p.grad) if p.grad.is_complex() else p.grad
            weights[place], states[place] = rule(weights[place], real.double(), states[place])
    return weights


@ENGINES
@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_of_any_kind_has_its_sums(kind, engine):
    start = KINDS[kind]()
    parameters = [Parameter(x.clone() if kind != "slice" else x) for x in start]
    expected = by_the_rule(layered, [p.detach().clone() for p in parameters], 3)
    optimizer = Layered(parameters, engine=engine, state_dtype=torch.float64)
    for step in range(1, 4):
        gradients_of(parameters, step)
        optimizer.step()

    for p, value in zip(parameters, expected, strict=True):
        got = torch.view_as_real(p.detach()) if p.is_complex() else p.detach()
        dtype = torch.float64 if p.is_complex() else p.dtype
        torch.testing.assert_close(got.double(), value, rtol=NEAR[dtype], atol=NEAR[dtype])


@ENGINES
@pytest.mark.parametrize("kind", KINDS)
def test_a_total_is_of_all_elements_of_all_tensors(kind, engine):
    parameters = [Parameter(x) for x in KINDS[kind]()]
    optimizer = Clipped(parameters, engine=engine)
    longest = 0.0
    for step in range(1, 4):
        gradients_of(parameters, step)
        optimizer.step()
        longest = max(longest, length_of([p.grad for p in parameters]))
        for p in parameters:
            found = optimizer.state[p]["most"].item()
            assert found == pytest.approx(longest, rel=1e-14)


@ENGINES
def test_a_gradient_of_another_layout_is_summed_up_right(engine):
    def turned(x):
        return x.t().contiguous().t() if x.ndim == 2 else torch.stack([x, x], 1)[:, 0]

    start = [normal(5, 7), normal(9)]
    runs = []
    for layout in (lambda x: x, turned):
        parameters = [Parameter(x.clone()) for x in start]
        optimizer = Layered(parameters, engine=engine)
        for step in range(1, 4):
            gradients_of(parameters, step, layout)
            optimizer.step()
        runs.append(whole(parameters))
    torch.testing.assert_close(runs[1], runs[0], rtol=1e-13, atol=1e-14)


@ENGINES
def test_a_gradient_may_be_the_weights_themselves(engine):
    """What is measured of it is what it was before the step."""
    w = Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    w.grad = w.detach()
    optimizer = Clipped([w], engine=engine, lr=1.0, limit=5.0)
    optimizer.step()

    assert w.tolist() == [0.0, 0.0]
    assert optimizer.state[w]["most"] == 5.0


@ENGINES
def test_only_parameters_with_a_gradient_count(engine):
    a, b = (Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    optimizer = Clipped([a, b], engine=engine)
    a.grad = torch.tensor([3.0, 0.0], dtype=torch.float64)
    optimizer.step()
    assert optimizer.state[a]["most"] == 3.0
    assert b not in optimizer.state

    b.grad = torch.tensor([0.0, 4.0], dtype=torch.float64)
    optimizer.step()
    assert [optimizer.state[x]["most"].item() for x in (a, b)] == [5.0, 5.0]

    a.grad, b.grad = None, torch.tensor([0.0, 8.0], dtype=torch.float64)
    optimizer.step()
    assert [optimizer.state[x]["most"].item() for x in (a, b)] == [5.0, 8.0]

    b.grad = None
    kept = copy.deepcopy(optimizer.state_dict())
    optimizer.step()  # of nothing
    assert repr(optimizer.state_dict()) == repr(kept)


@ENGINES
def test_groups_with_other_switches_share_their_totals(engine):
    """Another switch makes another program, and the total is over both."""
    a, b = (Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    groups = [{"params": [a]}, {"params": [b], "heavy": True, "lr": 2.0}]
    optimizer = Clipped(groups, engine=engine)
    a.grad, b.grad = (torch.full((1,), value, dtype=torch.float64) for value in (3.0, 4.0))
    optimizer.step()

    assert [optimizer.state[x]["most"].item() for x in (a, b)] == [5.0, 5.0]
    assert a.item() == pytest.approx(-0.1 * 3 / 5)
    assert b.item() == pytest.approx(-2.0 * 4 / 5)


@ENGINES
def test_groups_that_need_different_totals_are_refused(unchanged, engine):
    @ro.rule
    def switched(w, dw, *, clip=False):
        return w - (dw / ro.total(ro.sum(dw)) if clip else dw)

    a, b = (Parameter(torch.ones(2)) for _ in range(2))
    made = rt.optimizer(switched)
    optimizer = made([{"params": [a]}, {"params": [b], "clip": True}], engine=engine)
    a.grad, b.grad = torch.ones(2), torch.ones(2)
    with unchanged(optimizer, HyperparameterError, "none; total(sum(dw))", "same switches"):
        optimizer.step()


@ENGINES
def test_a_size_alone_is_enough(engine):
    """No sum is made, and yet each tensor has a number of its own."""
    mean_step = rt.optimizer(ro.rule(lambda w, dw: w - dw / ro.size(w)))
    parameters = [Parameter(torch.zeros(n)) for n in (1, 4, 5000)]
    optimizer = mean_step(parameters, engine=engine)
    for p in parameters:
        p.grad = torch.ones_like(p)
    optimizer.step()

    for p in parameters:
        torch.testing.assert_close(p.detach(), torch.full_like(p, -1 / p.numel()))


@ENGINES
def test_where_a_step_is_refused_nothing_has_changed(unchanged, engine):
    parameters = [Parameter(torch.ones(3)), Parameter(torch.ones(2))]
    optimizer = Clipped(parameters, engine=engine)
    for p in parameters:
        p.grad = torch.ones_like(p)
    optimizer.step()
    parameters[1].grad = None
    parameters[1].data = torch.ones(4)
    parameters[1].grad = torch.ones(4)
    with unchanged(optimizer, TensorError, "shape"):
        optimizer.step()


# What tied parameters are


@ENGINES
def test_a_parameter_given_twice_takes_two_steps(engine):
    """Each of them alone: its total is then of that turn."""
    w = Parameter(torch.zeros(2, dtype=torch.float64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = Clipped([w, w], engine=engine, lr=1.0, limit=math.inf)
    w.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    optimizer.step()

    assert optimizer.state[w]["most"] == 5.0
    assert optimizer.state[w]["step"] == 2


@pytest.mark.parametrize("engine", ["cpu", "gpu"])
def test_parameters_that_share_memory_are_measured_before_the_first_of_them_moves(engine):
    memory = torch.tensor([3.0, 4.0], dtype=torch.float64)
    one, other = Parameter(memory), Parameter(memory)
    optimizer = Layered([one, other], engine=engine, lr=0.5)
    for p in (one, other):
        p.grad = torch.tensor([1.0, -1.0], dtype=torch.float64)
    optimizer.step()

    step = 0.5 * 5.0 / math.sqrt(2)  # twice, with the length that the weights had
    torch.testing.assert_close(memory, torch.tensor([3 - 2 * step, 4 + 2 * step]).double())
