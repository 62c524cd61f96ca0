"""Offload: the optimizer on the host, its parameters on "the device", which here is the host too.

Whatever is copied where, each step is that of the plain optimizer, bit for bit.
"""

import copy
import io
from contextlib import suppress

import pytest
import torch
from held_tensors import assert_equal, contents
from torch import nn

import ruleonce.torch as rt
from ruleonce.errors import (
    EngineError,
    FormatError,
    HyperparameterError,
    SparseGradientError,
    StructureError,
    TensorError,
)
from ruleonce.torch import transfers

SHAPES = [(40, 128), (70, 99), (9,), (), (0, 3), (64, 128)]
BITS8 = {"exp_avg": "int8", "exp_avg_sq": "uint8_sqrt", "w": "bfloat16+8"}


def new(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]


def groups(parameters, frozen=False):
    named = [(f"p{i}", p.requires_grad_(not (frozen and i == 1))) for i, p in enumerate(parameters)]
    return [{"params": named[:2], "lr": 0.01}, {"params": named[2:], "lr": 0.002}]


def give(parameters, t, *, missing=(), dtype=None):
    generator = torch.Generator().manual_seed(100 + t)
    for i, p in enumerate(parameters):
        gradient = torch.randn(p.shape, generator=generator).to(dtype or p.dtype)
        if dtype is not None:
            p.grad_dtype = None
        p.grad = None if i in missing or not p.requires_grad else gradient


def train(parameters, optimizer, first, last, **how):
    for t in range(first, last):
        give(parameters, t, **how)
        optimizer.step()


def both(make, dtype=torch.float32, chunk_bytes=1, **how):
    """(parameters, optimizer) twice: as it is, and offloaded in many small chunks."""
    one, other = new(dtype), new(dtype)
    plain, moved = make(groups(one, **how)), make(groups(other, **how))
    return (one, plain), (other, rt.offload(moved, chunk_bytes=chunk_bytes))


KINDS = {
    "AdamW 8bit": (lambda p: rt.AdamW(p, formats="8bit"), torch.float32),
    "AdamW bfloat16+8": (lambda p: rt.AdamW(p, formats=BITS8), torch.bfloat16),
    "Adam by chance": (
        lambda p: rt.Adam(p, formats={"exp_avg": "bfloat16_stochastic", "w": "bfloat16+16"}),
        torch.bfloat16,
    ),
    "SGD": (lambda p: rt.SGD(p, momentum=0.9, nesterov=True), torch.float32),
    "NAdam, its product": (rt.NAdam, torch.float64),
    "clipped, averaged": (lambda p: rt.AdamW(p, max_norm=0.5, ema=0.9), torch.float32),
    "Lamb, norms of tensors": (rt.Lamb, torch.float32),
    "Prodigy, totals": (rt.Prodigy, torch.float32),
    "Lion, by operations on tensors": (lambda p: rt.Lion(p, engine="tensors"), torch.float32),
}


@pytest.fixture
def late(monkeypatch):
    """What goes down is nan until it is waited for, and what goes up comes when the step ends."""
    down, up = [], []

    class Event:
        def __init__(self):
            self.mine = down[:]
            down.clear()

        def synchronize(self):
            for room, values in self.mine:
                room.copy_(values)

    start_down, start_up, end = (
        transfers._Pair.gradient_down,
        transfers._Pair.weights_up,
        transfers._Lane.end,
    )

    def gradient_down(self):
        room = start_down(self)
        down.append((room, room.clone()))
        return room.fill_(float("nan"))

    def lane_end(self):
        for pair in up:
            start_up(pair)
        up.clear()
        end(self)

    monkeypatch.setattr(transfers._Pair, "gradient_down", gradient_down)
    monkeypatch.setattr(transfers._Pair, "weights_up", lambda pair: up.append(pair))
    monkeypatch.setattr(transfers._Lane, "mark", lambda _: Event())
    monkeypatch.setattr(transfers._Lane, "end", lane_end)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 30])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_the_plain_optimizer_bit_for_bit(kind, chunk_bytes):
    make, dtype = KINDS[kind]
    pairs = both(make, dtype, chunk_bytes, frozen=True)
    for parameters, optimizer in pairs:
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
        for t in range(7):
            give(parameters, t, missing=[(), (0, 3), (0, 1, 2, 3, 4, 5)][t % 3])
            optimizer.step()
            scheduler.step()
        optimizer.add_param_group({"params": [("later", nn.Parameter(torch.ones(5000)))]})
        parameters.append(optimizer.param_groups[-1]["params"][0])
        train(parameters, optimizer, 7, 9)

    (one, plain), (other, moved) = pairs
    assert_equal(contents(other, moved), contents(one, plain))
    assert moved.nbytes == plain.nbytes
    assert moved.bytes_by_tensor() == plain.bytes_by_tensor()
    assert not torch.equal(one[0], new(dtype)[0])


def test_chunks_hold_the_bytes_that_were_asked_for():
    sizes = [nn.Parameter(torch.zeros(n)) for n in (100, 100, 10, 500, 1)]
    moved = rt.offload(rt.SGD(sizes), chunk_bytes=800)
    numbers = [moved._transfers.chunk_of(host) for _, host in moved._pairs()]

    assert numbers == [0, 0, 1, 1, 2]


def test_the_update_of_a_chunk_waits_for_its_gradients_and_comes_before_the_next(monkeypatch):
    """The order in which a device would be asked: all gradients, then chunk by chunk."""
    parameters = new()
    moved = rt.offload(rt.AdamW(parameters), chunk_bytes=1)
    did = []
    moving = moved._transfers
    for name in ("start", "bring", "send", "end"):
        do = getattr(moving, name)

        def noted(*args, name=name, do=do):
            did.append(
                (
                    name,
                    *{moving.chunk_of(s.parameter) for s in (args[0] if name in STEPS else ())},
                )
            )
            return do(*args)

        monkeypatch.setattr(moving, name, noted)
    train(parameters, moved, 0, 1)

    middle = [(what, chunk) for chunk in range(moving.chunks) for what in STEPS]
    assert moving.chunks == 5  # what is empty goes with the next
    assert did == [("start",), *middle, ("end",)]


STEPS = ("bring", "send")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_gradients_of_another_dtype(dtype):
    pairs = both(lambda p: rt.AdamW(p, formats="8bit"))
    for parameters, optimizer in pairs:
        train(parameters, optimizer, 0, 2)
        train(parameters, optimizer, 2, 4, dtype=dtype)

    (one, plain), (other, moved) = pairs
    assert_equal(contents(other, moved), contents(one, plain))


@pytest.mark.usefixtures("late")
def test_any_layout():
    """channels-last, transposed and sliced weights; gradients in another order; complex ones."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(8, 64, 3, 3, generator=generator)
    turned = torch.randn(64, 90, generator=generator)
    weird = torch.randn(30, 8, dtype=torch.complex64, generator=generator)
    results = []
    for is_moved in (False, True):
        parameters = [
            nn.Parameter(base.clone().to(memory_format=torch.channels_last)),
            nn.Parameter(turned.clone().t()),
            nn.Parameter(turned.clone()[:, ::2]),
            nn.Parameter(weird.clone()),
        ]
        optimizer = rt.Adam(parameters, formats="8bit", amsgrad=True)
        optimizer = rt.offload(optimizer, chunk_bytes=1) if is_moved else optimizer
        for t in range(3):
            for p in parameters:
                p.grad = torch.randn(p.shape, dtype=p.dtype, generator=generator)
            parameters[1].grad = parameters[1].grad.t().contiguous().t() if t else None
            parameters[3].grad = parameters[3].grad.conj()
            optimizer.step()
        generator.manual_seed(0)
        for _ in (base, turned, weird):
            torch.randn(_.shape, dtype=_.dtype, generator=generator)
        results.append(contents(parameters, optimizer))

    assert_equal(results[1], results[0])


@pytest.mark.parametrize("formats", [None, BITS8])
@pytest.mark.parametrize("first", [False, True])
def test_state_goes_from_either_to_either(formats, first):
    """Saved by one, loaded by the other, through a file, in the middle of a run."""
    make, dtype = (lambda p: rt.AdamW(p, formats=formats)), torch.bfloat16
    (one, plain), _ = both(make, dtype)
    train(one, plain, 0, 6)
    some, file = new(dtype), io.BytesIO()
    for t, is_moved in ((0, first), (2, not first), (4, first)):
        optimizer = make(groups(some))
        optimizer = rt.offload(optimizer, chunk_bytes=1) if is_moved else optimizer
        if t:
            optimizer.load_state_dict(torch.load(file, weights_only=True))
        train(some, optimizer, t, t + 2)
        file = io.BytesIO()
        torch.save(optimizer.state_dict(), file)
        file.seek(0)

    assert_equal(contents(some, optimizer), contents(one, plain))


def test_state_that_is_there_is_taken_over_and_copies_go_on():
    (one, plain), _ = both(rt.AdamW)
    train(one, plain, 0, 6)
    other = new()
    moved = rt.AdamW(groups(other))
    train(other, moved, 0, 2)
    moved = rt.offload(moved)
    train(other, moved, 2, 4)
    other, moved = copy.deepcopy((other, moved))
    train(other, moved, 4, 6)

    assert_equal(contents(other, moved), contents(one, plain))


def test_masters_expanded_state_and_averages_are_those_of_the_plain_optimizer():
    pairs = both(lambda p: rt.AdamW(p, formats=BITS8, ema=0.5), torch.bfloat16)
    generator = torch.Generator().manual_seed(5)
    fresh = {f"p{i}": torch.randn(s, generator=generator) for i, s in enumerate(SHAPES)}
    seen = []
    for parameters, optimizer in pairs:
        optimizer.load_masters(fresh)
        torch.testing.assert_close(parameters[0].float(), fresh["p0"], rtol=2**-8, atol=0)
        train(parameters, optimizer, 0, 3)
        with suppress(KeyError), optimizer.average():
            seen.append([p.detach().clone() for p in parameters])
            raise KeyError
        train(parameters, optimizer, 3, 4)

    (one, plain), (other, moved) = pairs
    assert all(map(torch.equal, *seen))
    assert not torch.equal(seen[0][0], one[0])
    assert_equal(contents(other, moved), contents(one, plain))
    assert_equal(moved.masters(), plain.masters())
    expanded, expected = (x.expanded_state_dict()["state"] for x in (moved, plain))
    for place, entry in expected.items():
        assert_equal(expanded[place], entry)
    with pytest.raises(HyperparameterError, match="ema"):
        rt.offload(rt.Adam(new())).average().__enter__()


def test_weights_that_are_written_on_the_device_are_seen():
    pairs = both(rt.AdamW)
    for parameters, optimizer in pairs:
        train(parameters, optimizer, 0, 2)
        with torch.no_grad():
            parameters[0].mul_(2)
        parameters[1].data = parameters[1].data.t().contiguous().t() + 1
        parameters[2].data.add_(1)  # PyTorch does not count this
        if isinstance(optimizer, rt.Offloaded):
            optimizer.download()
        train(parameters, optimizer, 2, 4)

    (one, plain), (other, moved) = pairs
    assert_equal(contents(other, moved), contents(one, plain))


def test_the_loop_of_pytorch_works():
    """Closures, hooks, GradScaler, zero_grad, repr."""
    finals = []
    for is_moved in (False, True):
        torch.manual_seed(0)
        model = nn.Linear(8, 4)
        optimizer = rt.AdamW(model.parameters(), lr=0.1)
        optimizer = rt.offload(optimizer) if is_moved else optimizer
        told = []
        optimizer.register_step_pre_hook(lambda *_, told=told: told.append("before"))
        optimizer.register_step_post_hook(lambda *_, told=told: told.append("after"))
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

        def closure(model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 8)).square().mean()
            loss.backward()
            return loss

        assert optimizer.step(closure) > 0
        assert told == ["before", "after"]
        for factor in (1.0, float("inf"), 1.0):
            optimizer.zero_grad()
            assert model.weight.grad is None
            scaler.scale(model(torch.ones(2, 8)).square().mean() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
        assert "lr: 0.1" in repr(optimizer)
        finals.append(contents(list(model.parameters()), optimizer))

    assert_equal(finals[1], finals[0])


def test_a_step_that_is_refused_changes_nothing(unchanged):
    parameters = new()
    moved = rt.offload(rt.AdamW(parameters, max_norm=None, formats="8bit"), chunk_bytes=1)
    train(parameters, moved, 0, 2)
    give(parameters, 2)
    last = parameters[-1]
    last.grad = last.grad.to_sparse()
    with unchanged(moved, SparseGradientError, "5 of param group 0", "SparseAdam"):
        moved.step()
    give(parameters, 2)
    moved.param_groups[0]["betas"] = (0.9, "0.99")
    with unchanged(moved, HyperparameterError, "beta2"):
        moved.step()
    moved.param_groups[0]["betas"] = (0.9, 0.99)
    entry = moved.state[last]
    entry["exp_avg"] = torch.zeros(3)
    with unchanged(moved, TensorError, "shape (3,)"):
        moved.step()
    saved = moved.state_dict()
    note = bytes(saved["state"][0]["exp_avg.format"].tolist()).replace(b"int8", b"int9")
    saved["state"][0]["exp_avg.format"] = torch.tensor(list(note), dtype=torch.uint8)
    with unchanged(moved, FormatError, "int9"):
        moved.load_state_dict(saved)


def test_what_cannot_be_offloaded_is_refused():
    x = torch.zeros(10)
    with pytest.raises(EngineError, match="engine='gpu'"):
        rt.offload(rt.Adam([nn.Parameter(x)], engine="gpu"))
    with pytest.raises(StructureError, match=r"takes an optimizer of ruleonce.torch"):
        rt.offload(torch.optim.Adam([nn.Parameter(x)]))
    with pytest.raises(HyperparameterError, match="chunk_bytes is 0"):
        rt.offload(rt.Adam([nn.Parameter(x)]), chunk_bytes=0)
    with pytest.raises(TensorError, match="share memory"):
        rt.offload(rt.Adam([nn.Parameter(x[:6]), nn.Parameter(x[5:])]))
    moved = rt.offload(rt.Adam([nn.Parameter(x[:6])]))
    with pytest.raises(TensorError, match="share memory"):
        moved.add_param_group({"params": nn.Parameter(x[5:])})
    moved.param_groups[0]["params"].append(nn.Parameter(x[8:]))
    with pytest.raises(StructureError, match="add_param_group"):
        moved.step()


def test_distributed_checkpoints_take_its_state_dict():
    """torch.distributed.checkpoint makes the state by a step of learning rate 0, then loads."""
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    models = [nn.Sequential(nn.Linear(64, 128), nn.Linear(128, 3)) for _ in range(2)]
    ours = [
        rt.offload(rt.AdamW(m.parameters(), formats="8bit", lr=0.01), chunk_bytes=1) for m in models
    ]
    train(list(models[0].parameters()), ours[0], 0, 3)
    weights, state = get_state_dict(models[0], ours[0])
    set_state_dict(models[1], ours[1], model_state_dict=weights, optim_state_dict=state)
    for model, optimizer in zip(models, ours, strict=True):
        train(list(model.parameters()), optimizer, 3, 5)

    one, other = (contents(list(m.parameters()), o) for m, o in zip(models, ours, strict=True))
    assert_equal(other, one)
