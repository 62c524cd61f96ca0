"""Stored state and what a training loop asks of a step beside the rule."""

import pytest
import torch
from torch import nn

import ruleonce.torch as rt
from ruleonce import dot, rule, sqrt, total
from ruleonce.errors import TensorError

FORMATS = {"m": "int8", "v": "uint8_sqrt", "w": "bfloat16+8"}
SHAPES = [(40, 128), (70, 99), (9,)]


def new(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]


def set_gradients(parameters, t, scale=1.0):
    generator = torch.Generator().manual_seed(t)
    for p in parameters:
        p.grad = (scale * torch.randn(p.shape, generator=generator)).to(p.dtype)


def everything(parameters, optimizer):
    found = [p.detach().clone() for p in parameters]
    for p in parameters:
        found += [x.clone() for x in optimizer.state[p].values()]
    return found


def assert_equal(found, expected):
    assert len(found) == len(expected)
    assert all(map(torch.equal, found, expected))


class Scaler(torch.amp.GradScaler):
    """On the processor, where PyTorch's own scales nothing by default."""

    def __init__(self):
        super().__init__("cpu", init_scale=64.0, growth_interval=1000)


@pytest.mark.parametrize(("formats", "dtype"), [("8bit", torch.float32), (FORMATS, torch.bfloat16)])
def test_a_grad_scaler_scales_and_skips(formats, dtype):
    plain, scaled = new(dtype), new(dtype)
    one, other = rt.AdamW(plain, formats=formats), rt.AdamW(scaled, formats=formats)
    scaler = Scaler()
    for t in range(4):
        set_gradients(plain, t)
        set_gradients(scaled, t)
        scaler.scale(torch.zeros(()))  # so that it has a scale
        for p in scaled:
            p.grad *= scaler.get_scale()
        if t == 2:
            scaled[0].grad[0, 0] = torch.inf
            before = everything(scaled, other)
        scaler.step(other)
        scaler.update()
        if t == 2:
            assert_equal(everything(scaled, other), before)
        else:
            one.step()

    assert other.state[scaled[0]]["exp_avg"].dtype == torch.int8
    assert_equal(everything(scaled, other), everything(plain, one))


def test_clipping_by_the_norm_is_that_of_clipped_gradients():
    plain, clipped = new(), new()
    one = rt.Adam(plain, formats="8bit")
    other = rt.Adam(clipped, formats="8bit", max_norm=0.5)
    for t in range(3):
        set_gradients(plain, t)
        set_gradients(clipped, t)
        norm = torch.nn.utils.clip_grad_norm_(plain, 0.5)
        one.step()
        other.step()
        torch.testing.assert_close(other.gradient_norm, norm)

    for found, expected in zip(everything(clipped, other), everything(plain, one), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1.01)  # of one code


def test_the_average_is_that_of_the_master_weights():
    parameters = new(torch.bfloat16)
    optimizer = rt.SGD(parameters, lr=1e-3, formats={"w": "bfloat16+16"}, ema=0.9)
    masters = [p.detach().float() for p in parameters]
    averages = [p.clone() for p in masters]
    for t in range(5):
        set_gradients(parameters, t)
        if t == 3:  # its average goes on
            parameters[1].grad = None
        optimizer.step()
        masters = list(optimizer.masters().values())
        averages = [0.9 * a + (1 - 0.9) * w for a, w in zip(averages, masters, strict=True)]

    for p, average in zip(parameters, averages, strict=True):
        assert optimizer.state[p]["average"].dtype == torch.float32
        torch.testing.assert_close(optimizer.state[p]["average"], average, rtol=1e-6, atol=1e-7)
    before = everything(parameters, optimizer)
    with optimizer.average():
        for p, average in zip(parameters, averages, strict=True):
            torch.testing.assert_close(p.detach(), average.bfloat16())
    assert_equal(everything(parameters, optimizer), before)


@pytest.mark.parametrize("form", ["bfloat16", "bfloat16+16", "int8"])
def test_the_average_may_be_stored_too(form):
    parameters = new()
    optimizer = rt.SGD(parameters, formats={"average": form}, ema=0.9)
    other = new()
    exact = rt.SGD(other, ema=0.9)
    for t in range(4):
        for some, one in ((parameters, optimizer), (other, exact)):
            set_gradients(some, t)
            if t == 2:
                some[1].grad = None
            one.step()
    exact_ones = [exact.state[p]["average"] for p in other]
    with optimizer.average():
        for p, expected in zip(parameters, exact_ones, strict=True):
            apart = (p.detach() - expected).abs().max()
            assert apart <= expected.abs().max() / 50


def test_gradients_are_released_as_they_come():
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 64)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    one, other = (rt.AdamW(model.parameters(), formats="8bit") for model in models)
    rt.release_gradients(models[1], other)
    for t in range(3):
        x = torch.randn(8, 64, generator=torch.Generator().manual_seed(t))
        for model in models:
            model(x).square().mean().backward()
        assert all(p.grad is None for p in models[1].parameters())
        one.step()
        one.zero_grad()

    assert "exp_avg.scale" in other.state[models[1][0].weight]
    assert_equal(
        everything(list(models[1].parameters()), other),
        everything(list(models[0].parameters()), one),
    )


@rule
def by_the_norm_of_all(w, dw, m, v, *, learning_rate=0.1):
    """A rule with a sum over all parameters."""
    m = 0.9 * m + 0.1 * dw
    v = 0.9 * v + 0.1 * dw * dw
    return w - learning_rate * m / (1 + sqrt(total(dot(m, m)))) / (sqrt(v) + 0.1), m, v


def test_a_total_is_over_stored_and_plain_parameters_together():
    parameters, plain = new(), new()
    made = rt.optimizer(by_the_norm_of_all)
    one, other = made(parameters, formats="8bit"), made(plain)
    start = new()
    for t in range(4):
        for some, each in ((parameters, one), (plain, other)):
            set_gradients(some, t)
            each.step()

    assert "m.scale" in one.state[parameters[0]]
    assert "m.scale" not in one.state[parameters[2]]
    for p, q, first in zip(parameters, plain, start, strict=True):
        moved = (q - first).abs().max()
        assert moved > 0
        assert (p - q).abs().max() <= moved / 20


def test_data_that_is_swapped_is_seen_at_once():
    parameters, others = new(), new()
    one, other = (rt.Adam(some, formats="8bit") for some in (parameters, others))
    for t in range(4):
        for some, each in ((parameters, one), (others, other)):
            if t == 2 and each is one:
                some[0].data = some[0].data.clone()
                entry = each.state[some[1]]
                entry["exp_avg"] = entry["exp_avg"].clone()
                entry["exp_avg.scale"].data = entry["exp_avg.scale"].data.clone()
            set_gradients(some, t)
            each.step()
    assert_equal(everything(parameters, one), everything(others, other))


def test_weights_that_lie_in_another_order_have_their_codes_in_that_order():
    weights = nn.Parameter(torch.randn(64, 128))
    optimizer = rt.Adam([weights], formats="8bit", lr=0.0, betas=(0.99, 0.99))
    set_gradients([weights], 0)
    optimizer.step()
    before = optimizer.expanded_state_dict()["state"][0]["exp_avg"]
    weights.data = weights.data.t().contiguous().t()
    set_gradients([weights], 0, scale=0.0)
    optimizer.step()

    entry = optimizer.state[weights]
    assert entry["exp_avg"].stride() == weights.stride() == (1, 64)
    assert entry["exp_avg.scale"].shape == (64,)
    after = optimizer.expanded_state_dict()["state"][0]["exp_avg"]
    assert (after - 0.99 * before).abs().max() <= before.abs().max() / 100


def test_weights_of_another_shape_are_refused_and_nothing_is_changed(unchanged):
    parameters = new()
    optimizer = rt.Adam(parameters, formats="8bit")
    set_gradients(parameters, 0)
    optimizer.step()
    parameters[0].data = torch.zeros(50, 50)
    set_gradients(parameters[1:], 1)
    parameters[0].grad = torch.zeros(50, 50)
    with unchanged(optimizer, TensorError, "(40, 128)", "(50, 50)"):
        optimizer.step()


@rule
def sums_or_forgets(w, dw, m, *, learning_rate=0.1, sums=False):
    """A state that can be stored in 8 bits for one value of a switch."""
    m = m + 0.1 * dw if sums else 0.9 * m + 0.1 * dw
    return w - learning_rate * m, m


def test_a_switch_that_is_turned_finds_its_state_as_it_is_stored():
    """Two plans take turns, and each stores what the other has made plain."""
    parameters, others = new(), new()
    made = rt.optimizer(sums_or_forgets)
    one, other = made(parameters, formats="8bit"), made(others, formats="8bit")
    for t in range(8):
        one.param_groups[0]["sums"] = other.param_groups[0]["sums"] = t % 2 == 1
        for some, each in ((parameters, one), (others, other)):
            set_gradients(some, t)
            if t % 2:
                some[1].grad = None
            each.step()
            assert ("m.scale" in each.state[some[0]]) == (t % 2 == 0)
        other.load_state_dict(other.state_dict())  # nothing is known but what stands there
    assert_equal(everything(parameters, one), everything(others, other))
