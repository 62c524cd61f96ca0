"""Rules with sums beside what a training loop asks of a step: each is as in the plain run."""

import copy
import io
import pickle

import pytest
import torch
from torch.nn import Linear, Parameter, Sequential, Tanh

import ruleonce as ro
import ruleonce.torch as rt
from ruleonce.errors import HyperparameterError
from ruleonce.torch import plan as plans


@ro.rule
def measuring(w, dw, m, most: ro.Scalar, steps: ro.Scalar, t, *, learning_rate=0.1, limit=0.5):
    """A step of each kind of sum, with a number of the step and scalar state of both kinds."""
    length = ro.sqrt(ro.total(ro.dot(dw, dw)))
    m = 0.9 * m + dw * ro.minimum(1, limit / length)
    step = ro.norm(w) * m / ro.norm(m) + ro.mean(m) / (1 - 0.5**t)
    return w - learning_rate * step, m, ro.maximum(most, length), steps + 1


@ro.rule
def layered(w, dw, m, *, learning_rate=0.1):
    """The same of one tensor alone."""
    m = 0.9 * m + dw - ro.mean(dw)
    return w - learning_rate * ro.norm(w) * m / ro.norm(m), m


Measuring, Layered = rt.optimizer(measuring), rt.optimizer(layered)
ENGINES = pytest.mark.parametrize("engine", ["cpu", "gpu", "tensors"])


def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Sequential(Linear(5, 7), Tanh(), Linear(7, 2)).double()


def loss_of(net, step):
    generator = torch.Generator().manual_seed(step)
    x, y = (torch.randn(8, n, generator=generator, dtype=torch.float64) for n in (5, 2))
    return (net(x) - y).square().mean()


def train(net, optimizer, first=0, last=5):
    for step in range(first, last):
        optimizer.zero_grad()
        loss_of(net, step).backward()
        optimizer.step()
    return net, optimizer


def plain(last=5, made=Measuring):
    net = model()
    return train(net, made(net.parameters(), engine="cpu"), last=last)


def assert_like(net, optimizer, expected):
    """The weights and the state of another run, but for the order of additions."""
    other, its = expected
    for one, another in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, another, rtol=1e-12, atol=1e-14)
        mine, there = optimizer.state[one], its.state[another]
        for name, value in there.items():
            torch.testing.assert_close(mine[name], value, rtol=1e-12, atol=1e-14, msg=name)


@ENGINES
@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1, dtype=torch.float64)], ids=["0.1", "tensor"])
def test_the_numbers_may_live_on_the_device(engine, lr):
    """Where what is measured needs them, they are those of this step and not of the last."""
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine, capturable=True, lr=lr)
    train(net, optimizer)

    assert_like(net, optimizer, plain())


@ENGINES
def test_a_run_with_a_gradient_scaler_is_the_plain_run(engine):
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    for step in range(5):
        optimizer.zero_grad()
        scaler.scale(loss_of(net, step)).backward()
        scaler.step(optimizer)
        scaler.update()

    assert_like(net, optimizer, plain())


@ENGINES
@pytest.mark.parametrize("first", [False, True], ids=["later", "first"])
def test_a_step_with_an_infinite_gradient_leaves_what_was_measured(engine, first):
    """A total of an infinite gradient is infinite, and a largest one would be so for ever."""
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=1000)
    for step in range(5):
        for odd in [True, False] if first or step else [False]:
            optimizer.zero_grad()
            scaler.scale(loss_of(net, step)).backward()
            if odd:
                net[0].bias.grad[1] = torch.inf
            scaler.step(optimizer)
            scaler.update()

    assert_like(net, optimizer, plain())
    assert all(entry["steps"] == 5 for entry in optimizer.state.values())


@ENGINES
@pytest.mark.parametrize("max_norm", [0.05, 50.0], ids=["short", "long"])
def test_max_norm_is_clip_grad_norm_before_the_sums(engine, max_norm):
    net, other = model(), model()
    ours = Measuring(net.parameters(), engine=engine, max_norm=max_norm)
    theirs = Measuring(other.parameters(), engine="cpu")
    for step in range(5):
        for m, o in ((net, ours), (other, theirs)):
            o.zero_grad()
            loss_of(m, step).backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), max_norm)
        ours.step()
        theirs.step()

    assert_like(net, ours, (other, theirs))


@ENGINES
def test_the_average_is_of_the_weights_of_the_plain_run(engine):
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine, ema=0.5)
    expected = copy.deepcopy(net)
    for step in range(5):
        train(net, optimizer, step, step + 1)
        with torch.no_grad():
            for average, p in zip(expected.parameters(), net.parameters(), strict=True):
                average.lerp_(p, 0.5)

    assert_like(net, optimizer, plain())
    with optimizer.average():
        for average, p in zip(expected.parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(p, average, rtol=1e-12, atol=1e-14)


def through_file(state_dict):
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file)


@ENGINES
@pytest.mark.parametrize("capturable", [False, True])
def test_a_run_goes_on_from_a_state_dict(engine, capturable):
    net = model()
    train(net, before := Measuring(net.parameters(), engine="cpu"), last=3)
    again = copy.deepcopy(net)
    optimizer = Measuring(again.parameters(), engine=engine, capturable=capturable)
    optimizer.load_state_dict(through_file(before.state_dict()))
    optimizer.param_groups[0]["capturable"] = capturable
    train(again, optimizer, first=3)

    assert_like(again, optimizer, plain())


@ENGINES
@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],  # noqa: S301
    ids=["deepcopy", "pickle"],
)
def test_a_copy_in_the_middle_goes_on_alone(engine, copied):
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine)
    twin = copied(train(net, optimizer, last=2))
    train(net, optimizer, first=2)
    train(*twin, first=2)

    assert_like(*twin, plain())
    assert_like(net, optimizer, plain())


@ENGINES
def test_a_closure_computes_the_gradients_that_are_measured(engine):
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine)
    for step in range(5):

        def closure(step=step):
            optimizer.zero_grad()
            loss = loss_of(net, step)
            loss.backward()
            return loss

        assert optimizer.step(closure).item() > 0

    assert_like(net, optimizer, plain())


@ENGINES
def test_a_step_that_fails_between_its_passes_has_not_been_taken(monkeypatch, engine):
    """Numbers that live on the device have been counted by then."""
    net = model()
    optimizer = Measuring(net.parameters(), engine=engine, capturable=True)
    train(net, optimizer, last=2)
    real = plans.measure_together

    def fails(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    optimizer.zero_grad()
    loss_of(net, 2).backward()
    monkeypatch.setattr(plans, "measure_together", fails)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            optimizer.step()
    monkeypatch.setattr(plans, "measure_together", real)
    optimizer.step()

    assert_like(*train(net, optimizer, first=3), plain())


@ENGINES
@pytest.mark.parametrize("capturable", [False, True])
def test_gradients_may_come_and_go(engine, capturable):
    """Each set of them has its own plan; what was counted goes from one to the next."""
    runs = []
    for kind, on_device in (("cpu", False), (engine, capturable)):
        ps = [Parameter(torch.linspace(1, 2, n, dtype=torch.float64)) for n in (3, 4, 5)]
        optimizer = Measuring(ps, engine=kind, capturable=on_device)
        for step in range(9):
            for place, p in enumerate(ps):
                has = step % (place + 2) != 1
                p.grad = torch.linspace(-1, step, len(p), dtype=torch.float64) if has else None
            optimizer.step()
        runs.append([*ps, *(optimizer.state[p]["most"] for p in ps)])
    torch.testing.assert_close(runs[1], runs[0], rtol=1e-12, atol=1e-14)


def test_gradient_release_of_a_rule_that_adds_up_all_tensors_is_refused():
    net = model()
    optimizer = Measuring(net.parameters())
    with pytest.raises(HyperparameterError, match=r"total\(dot\(dw, dw\)\).*each alone"):
        rt.release_gradients(net, optimizer)
    loss_of(net, 0).backward()

    assert all(p.grad is not None for p in net.parameters())  # no hook was left
    assert not optimizer.releases_gradients


def test_gradient_release_of_a_rule_that_adds_up_one_tensor_is_the_plain_run():
    net = model()
    optimizer = Layered(net.parameters())
    rt.release_gradients(net, optimizer)
    for step in range(5):
        loss_of(net, step).backward()
        assert all(p.grad is None for p in net.parameters())

    assert_like(net, optimizer, plain(made=Layered))
