"""What a step does beside the rule: clipping, gradient scaling, averages, gradient release.

The expectation is PyTorch's own function for each, called around a plain step.
"""

import copy
import gc
import warnings
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import ruleonce.torch as rt
from ruleonce.errors import HyperparameterError, RuleonceError, StructureError

CLASSES = [
    *("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adamax", "NAdam", "RAdam"),
    *("Adadelta", "Rprop", "ASGD", "Lion"),
]
each = pytest.mark.parametrize("name", CLASSES)
engines = pytest.mark.parametrize("engine", ["auto", "tensors"])


def model(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)).to(dtype)


def loss_of(net, t, dtype=torch.float64):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(t), dtype=torch.float64)
    return (net(x.to(dtype)) - x.sin().sum(1, keepdim=True).to(dtype)).square().mean()


def equal(one, other, share=1e-12):
    """Weights, as near as float64 allows after some steps."""
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert (p - q).abs().max() <= share * q.abs().max()


def train(net, optimizer, steps, before_step=lambda: None):
    for t in range(steps):
        optimizer.zero_grad()
        loss_of(net, t).backward()
        before_step()
        optimizer.step()


# --- max_norm -------------------------------------------------------------------------------------


@engines
@each
def test_max_norm_is_clip_grad_norm_before_the_step(name, engine):
    net, other = model(), model()
    ours = getattr(rt, name)(net.parameters(), lr=0.02, max_norm=0.3, engine=engine)
    plain = getattr(rt, name)(other.parameters(), lr=0.02, engine=engine)
    norms = []
    train(other, plain, 8, lambda: norms.append(clip_grad_norm_(other.parameters(), 0.3).item()))

    for t in range(8):
        ours.zero_grad()
        loss_of(net, t).backward()
        kept = [p.grad.clone() for p in net.parameters()]
        ours.step()
        assert ours.gradient_norm.item() == pytest.approx(norms[t], rel=1e-10)
        assert all(map(torch.equal, kept, [p.grad for p in net.parameters()]))
    assert max(norms) > 0.3  # it was clipped
    equal(net, other, 1e-10)


def test_max_norm_with_pytorchs_optimizer_over_groups_and_missing_gradients():
    net, other = model(), model()
    ours = rt.AdamW(
        [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.1}], max_norm=0.5
    )
    theirs = torch.optim.AdamW(
        [{"params": other[0].parameters()}, {"params": other[2].parameters(), "lr": 0.1}]
    )
    for t in range(10):
        for m, o in ((net, ours), (other, theirs)):
            o.zero_grad()
            m[0].bias.requires_grad_(t % 3 != 1)
            loss_of(m, t).backward()
        clip_grad_norm_(other.parameters(), 0.5)
        ours.step()
        theirs.step()
    equal(net, other, 1e-10)


def test_gradients_below_max_norm_are_not_scaled():
    net, other = model(), model()
    train(net, rt.Adam(net.parameters(), max_norm=1e9), 4)
    train(other, rt.Adam(other.parameters()), 4)
    assert all(map(torch.equal, net.parameters(), other.parameters()))


def test_gradient_norm_is_none_without_max_norm_and_before_the_first_step():
    net = model()
    optimizer = rt.Adam(net.parameters(), max_norm=1.0)
    assert optimizer.gradient_norm is None
    plain = rt.Adam(net.parameters())
    train(net, plain, 1)
    assert plain.gradient_norm is None


def test_max_norm_of_no_gradients_and_of_zeros_changes_nothing():
    net = model()
    optimizer = rt.SGD(net.parameters(), max_norm=1.0)
    before = copy.deepcopy(net)
    optimizer.step()
    assert optimizer.gradient_norm == 0
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert optimizer.gradient_norm == 0
    assert all(map(torch.equal, net.parameters(), before.parameters()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_the_norm_of_16_bit_gradients_is_taken_in_float32(dtype):
    """The squares of 1000 gradients of 300 are beyond float16, and beyond bfloat16's digits."""
    weights = nn.Parameter(torch.zeros(1000, dtype=dtype))
    weights.grad = torch.full((1000,), 300.0, dtype=dtype)
    optimizer = rt.SGD([weights], lr=1.0, max_norm=1.0)
    optimizer.step()
    assert optimizer.gradient_norm.item() == pytest.approx(300 * 1000**0.5, rel=1e-5)


def test_the_norm_is_that_of_gradients_of_all_dtypes_shapes_and_layouts():
    several = [
        nn.Parameter(torch.zeros(3, 4, dtype=torch.float64)),
        nn.Parameter(torch.zeros(5)),
        nn.Parameter(torch.zeros((), dtype=torch.bfloat16)),
        nn.Parameter(torch.zeros(2, dtype=torch.complex64)),
        nn.Parameter(torch.zeros(0)),
    ]
    several[0].grad = torch.ones(4, 3, dtype=torch.float64).t() * 2  # 12 * 4 = 48
    several[1].grad = torch.ones(()).expand(5)  # 5
    several[2].grad = torch.tensor(2.0, dtype=torch.bfloat16)  # 4
    several[3].grad = torch.full((2,), 3 - 4j).conj()  # 50
    several[4].grad = torch.zeros(0)
    optimizer = rt.SGD(several, lr=1.0, max_norm=1.0)
    optimizer.step()
    assert optimizer.gradient_norm.item() == pytest.approx(107**0.5, rel=1e-6)


def test_a_gradient_that_is_not_a_number_spreads_as_with_clip_grad_norm():
    one, other = (nn.Parameter(torch.ones(2)) for _ in range(2))
    one.grad, other.grad = torch.ones(2), torch.tensor([1.0, float("nan")])
    rt.SGD([one, other], max_norm=1.0).step()
    assert one.isnan().all()
    assert other.isnan().all()


# --- torch.amp.GradScaler -------------------------------------------------------------------------


def scaled_run(net, optimizer, steps, *, bad=(), clip=None, **options):
    scaler = torch.amp.GradScaler(device="cpu", init_scale=2.0**10, growth_interval=3, **options)
    scales = []
    for t in range(steps):
        optimizer.zero_grad()
        scaler.scale(loss_of(net, t)).backward()
        if t in bad:
            next(net.parameters()).grad.view(-1)[0] = float("inf")
        if clip is not None:
            scaler.unscale_(optimizer)
            clip_grad_norm_(net.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales


@engines
@each
def test_a_run_with_a_gradient_scaler_is_the_plain_run(name, engine):
    """Scales are powers of 2, so not a bit is lost."""
    net, other = model(), model()
    scaled_run(net, getattr(rt, name)(net.parameters(), lr=0.02, engine=engine), 8)
    train(other, getattr(rt, name)(other.parameters(), lr=0.02, engine=engine), 8)
    equal(net, other, 1e-15)


@engines
@each
def test_a_step_with_an_infinite_gradient_changes_nothing(name, engine):
    """Weights, state, step counts and scalar state; and the scale is halved as PyTorch does it."""
    net, other = model(), model()
    optimizer = getattr(rt, name)(net.parameters(), lr=0.02, engine=engine)
    seen = {}

    def spied(closure=None):
        optimizer.__class__.step(optimizer, closure)
        count = len(seen)
        seen[count] = (
            [p.detach().clone() for p in net.parameters()],
            copy.deepcopy(optimizer.state_dict()["state"]),
        )

    optimizer.step = spied
    scales = scaled_run(net, optimizer, 7, bad=(2, 5))
    for bad in (2, 5):
        assert all(map(torch.equal, seen[bad - 1][0], seen[bad][0]))
        assert repr(seen[bad - 1][1]) == repr(seen[bad][1])
        assert not all(map(torch.equal, seen[bad][0], seen[bad + 1][0] if bad < 5 else seen[6][0]))

    theirs = torch.optim.SGD(other.parameters())
    assert scales == scaled_run(other, theirs, 7, bad=(2, 5))


@pytest.mark.parametrize("first", [0, 1])
def test_an_infinite_gradient_at_the_first_step_leaves_a_state_that_goes_on_right(first):
    net, other = model(), model()
    optimizer, theirs = rt.Adam(net.parameters()), torch.optim.Adam(other.parameters())
    scaled_run(net, optimizer, 6, bad=(first, 3))
    scaled_run(other, theirs, 6, bad=(first, 3))
    equal(net, other, 1e-11)
    steps = {float(entry["step"]) for entry in optimizer.state.values()}
    assert steps == {4.0}


@pytest.mark.parametrize("bad", [(), (1, 4)])
def test_unscale_then_clip_then_step_is_as_with_pytorchs_optimizer(bad):
    net, other = model(), model()
    ours, theirs = rt.AdamW(net.parameters()), torch.optim.AdamW(other.parameters())
    mine, its = (scaled_run(m, o, 7, bad=bad, clip=0.4) for m, o in ((net, ours), (other, theirs)))
    assert mine == its
    equal(net, other, 1e-11)


@pytest.mark.parametrize("bad", [(), (1, 4)])
def test_max_norm_with_a_scaler_clips_the_unscaled_gradients(bad):
    net, other = model(), model()
    ours = rt.AdamW(net.parameters(), max_norm=0.4)
    scaled_run(net, ours, 7, bad=bad)
    scaled_run(other, torch.optim.AdamW(other.parameters()), 7, bad=bad, clip=0.4)
    equal(net, other, 1e-10)


def test_gradient_norm_with_a_scaler_is_that_of_the_unscaled_gradients():
    net, other = model(), model()
    ours = rt.SGD(net.parameters(), max_norm=0.4)
    scaled_run(net, ours, 1)
    loss_of(other, 0).backward()
    assert ours.gradient_norm.item() == pytest.approx(
        clip_grad_norm_(other.parameters(), 1.0).item(), rel=1e-10
    )


def test_plain_and_scaled_steps_may_take_turns():
    net, other = model(), model()
    ours, theirs = rt.NAdam(net.parameters()), rt.NAdam(other.parameters())
    for round_ in range(3):
        for m, o, scaled in ((net, ours, round_ % 2), (other, theirs, 0)):
            (scaled_run if scaled else train)(m, o, 3)
    equal(net, other, 1e-15)


def test_the_gradients_keep_their_scale():
    """PyTorch's fused step leaves them unscaled or scaled, by version; ours only reads."""
    net = model()
    scaler = torch.amp.GradScaler(device="cpu", init_scale=8.0)
    optimizer = rt.Adam(net.parameters())
    scaler.scale(loss_of(net, 0)).backward()
    kept = [p.grad.clone() for p in net.parameters()]
    scaler.step(optimizer)
    assert all(map(torch.equal, kept, [p.grad for p in net.parameters()]))


# --- the moving average ---------------------------------------------------------------------------


@engines
@each
def test_ema_is_the_moving_average_of_pytorch(name, engine):
    """AveragedModel begins with the weights that it first sees: those before the first step."""
    net, other = model(), model()
    ours = getattr(rt, name)(net.parameters(), lr=0.02, ema=0.9, engine=engine)
    plain = getattr(rt, name)(other.parameters(), lr=0.02, engine=engine)
    average = AveragedModel(other, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average.update_parameters(other)
    for t in range(6):
        for m, o in ((net, ours), (other, plain)):
            o.zero_grad()
            loss_of(m, t).backward()
            o.step()
        average.update_parameters(other)
    assert all(map(torch.equal, net.parameters(), other.parameters()))
    with ours.average():
        equal(net, average.module, 1e-12)
    assert all(map(torch.equal, net.parameters(), other.parameters()))


def test_the_average_takes_in_weights_that_have_no_gradient_at_a_step():
    """The weights stay where they are, and the average goes on towards them, as PyTorch's does."""
    net, other = model(), model()
    ours, plain = rt.SGD(net.parameters(), ema=0.5), rt.SGD(other.parameters())
    average = AveragedModel(other, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    average.update_parameters(other)
    for t in range(4):
        for m, o in ((net, ours), (other, plain)):
            o.zero_grad()
            m[0].requires_grad_(t == 0)
            loss_of(m, t).backward()
            o.step()
        average.update_parameters(other)
    with ours.average():
        equal(net, average.module)


def test_the_weights_are_put_back_after_an_error():
    net = model()
    optimizer = rt.Adam(net.parameters(), lr=0.1, ema=0.5)
    train(net, optimizer, 3)
    kept = copy.deepcopy(net)
    inside = []

    def evaluate():
        with optimizer.average():
            inside.extend(p.detach().clone() for p in net.parameters())
            raise RuntimeError("in evaluation")

    with pytest.raises(RuntimeError, match="in evaluation"):
        evaluate()
    assert all(map(torch.equal, net.parameters(), kept.parameters()))
    assert not any(map(torch.equal, inside, kept.parameters()))


def test_training_goes_on_after_an_evaluation_with_the_average():
    net, other = model(), model()
    ours, plain = rt.Adam(net.parameters(), ema=0.9), rt.Adam(other.parameters(), ema=0.9)
    for _ in range(3):
        train(net, ours, 2)
        train(other, plain, 2)
        with ours.average(), torch.no_grad():
            loss_of(net, 0)
    assert all(map(torch.equal, net.parameters(), other.parameters()))
    with ours.average(), plain.average():
        assert all(map(torch.equal, net.parameters(), other.parameters()))


def test_there_is_no_average_without_ema():
    with pytest.raises(HyperparameterError, match=r"ema=0\.999"):
        rt.Adam(model().parameters()).average()


def test_average_before_the_first_step_is_the_weights():
    net = model()
    kept = copy.deepcopy(net)
    with rt.Adam(net.parameters(), ema=0.9).average():
        assert all(map(torch.equal, net.parameters(), kept.parameters()))


def test_average_of_sliced_and_tied_weights():
    base = torch.zeros(4, 2, dtype=torch.float64)
    weights = nn.Parameter(base[:, 0])
    optimizer = rt.SGD([weights], lr=1.0, ema=0.5)
    weights.grad = torch.ones(4, dtype=torch.float64)
    optimizer.step()
    with optimizer.average():
        assert base[:, 0].tolist() == [-0.5] * 4
        assert not base[:, 1].any()
    assert base[:, 0].tolist() == [-1] * 4


def test_all_features_go_together():
    net, other = model(), model()
    ours = rt.AdamW(net.parameters(), ema=0.8, max_norm=0.4)
    theirs = torch.optim.AdamW(other.parameters())
    average = AveragedModel(other, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    average.update_parameters(other)
    scaler, its = (torch.amp.GradScaler(device="cpu", init_scale=64.0) for _ in range(2))
    for t in range(5):
        for m, o, s in ((net, ours, scaler), (other, theirs, its)):
            o.zero_grad()
            s.scale(loss_of(m, t)).backward()
        its.unscale_(theirs)
        clip_grad_norm_(other.parameters(), 0.4)
        scaler.step(ours)
        its.step(theirs)
        scaler.update()
        its.update()
        average.update_parameters(other)
    equal(net, other, 1e-10)
    with ours.average():
        equal(net, average.module, 1e-10)


# --- gradient release -----------------------------------------------------------------------------


@each
def test_gradient_release_gives_the_weights_of_a_plain_run(name):
    net, other = model(), model()
    optimizer = getattr(rt, name)(net.parameters(), lr=0.02)
    end = rt.release_gradients(net, optimizer)
    for t in range(6):
        loss_of(net, t).backward()
        assert all(p.grad is None for p in net.parameters())
        optimizer.step()  # may stay in the loop
        optimizer.zero_grad()
    end()
    train(other, getattr(rt, name)(other.parameters(), lr=0.02), 6)
    equal(net, other, 1e-13)

    train(net, optimizer, 2)  # and after its end the loop is the usual one
    assert all(p.grad is not None for p in net.parameters())


def test_gradients_are_never_in_memory_together():
    torch.manual_seed(0)
    net = nn.Sequential(*[nn.Linear(16, 16, bias=False) for _ in range(12)])
    optimizer = rt.SGD(net.parameters(), lr=0.01)
    alive, peak = [], [0]

    def note(parameter):
        alive.append(weakref.ref(parameter.grad))
        peak[0] = max(peak[0], sum(ref() is not None for ref in alive))

    for parameter in net.parameters():
        parameter.register_post_accumulate_grad_hook(note)
    rt.release_gradients(net, optimizer)
    for t in range(3):
        net(torch.randn(2, 16, generator=torch.Generator().manual_seed(t))).sum().backward()
    gc.collect()
    assert len(alive) == 36
    assert peak[0] <= 2
    assert not any(ref() is not None for ref in alive)


def test_gradient_release_with_a_tied_and_a_frozen_layer():
    def build():
        net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 1)).double()
        net[2].weight = net[0].weight
        net[3].bias.requires_grad_(False)
        return net

    torch.manual_seed(0)
    net = build()
    other = copy.deepcopy(net)
    optimizer = rt.AdamW(net.parameters(), lr=0.02)
    rt.release_gradients(net, optimizer)
    for t in range(4):
        loss_of(net, t).backward()
    train(other, rt.AdamW(other.parameters(), lr=0.02), 4)
    equal(net, other, 1e-13)
    assert {float(s["step"]) for s in optimizer.state.values()} == {4.0}


def test_gradient_release_follows_schedulers_and_keeps_the_average():
    net, other = model(), model()
    ours, plain = (rt.Adam(m.parameters(), lr=0.1, ema=0.5) for m in (net, other))
    rt.release_gradients(net, ours)
    schedules = [torch.optim.lr_scheduler.ExponentialLR(o, 0.5) for o in (ours, plain)]
    for t in range(4):
        loss_of(net, t).backward()
        plain.zero_grad()
        loss_of(other, t).backward()
        ours.step()
        plain.step()
        for schedule in schedules:
            schedule.step()
    equal(net, other, 1e-13)
    with ours.average(), plain.average():
        equal(net, other, 1e-13)


def test_gradient_release_with_clipping_is_refused():
    net = model()
    with pytest.raises(HyperparameterError, match="max_norm"):
        rt.release_gradients(net, rt.Adam(net.parameters(), max_norm=1.0))
    loss_of(net, 0).backward()
    assert all(p.grad is not None for p in net.parameters())  # no hook was left


def test_gradient_release_of_a_parameter_that_is_not_in_the_optimizer_is_refused():
    net = model()
    with pytest.raises(StructureError, match=r"2\.bias"):
        rt.release_gradients(net, rt.Adam([*net[0].parameters(), net[2].weight]))


def test_gradient_release_of_another_librarys_optimizer_is_refused():
    net = model()
    with pytest.raises((TypeError, RuleonceError), match="ruleonce"):
        rt.release_gradients(net, torch.optim.Adam(net.parameters()))


def test_a_gradient_scaler_with_gradient_release_is_an_error_and_no_silence():
    """The gradients would be applied as scaled, before the scaler has seen them."""
    net = model()
    optimizer = rt.Adam(net.parameters())
    rt.release_gradients(net, optimizer)
    scaler = torch.amp.GradScaler(device="cpu")

    def step():
        scaler.scale(loss_of(net, 0)).backward()
        scaler.step(optimizer)

    with pytest.raises((AssertionError, RuleonceError)):
        step()


# --- torch.compile --------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"max_norm": 0.5, "ema": 0.9}], ids=str)
# PyTorch's own compiler looks at .grad of tensors that have none.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_compiled_training_function_gives_the_plain_results(options):
    torch._dynamo.reset()
    net, other = model(), model()
    ours, plain = (rt.AdamW(m.parameters(), lr=0.02, **options) for m in (net, other))
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def one(m, o):
        o.zero_grad()
        loss = m(x).square().mean()
        loss.backward()
        o.step()
        return loss.detach() * 2

    compiled = torch.compile(one, backend="eager")
    for _ in range(4):
        assert torch.allclose(compiled(net, ours), one(other, plain))
    equal(net, other, 1e-12)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_compiled_function_breaks_its_graph_once_at_the_step():
    """One graph before the step and one after it, and no more when the learning rate changes."""
    torch._dynamo.reset()
    net = model()
    optimizer = rt.AdamW(net.parameters(), lr=0.02)
    loss_of(net, 0).backward()
    graphs = []

    def counted(graph, inputs):
        graphs.append([node.target for node in graph.graph.nodes if node.op.startswith("call")])
        return graph.forward

    @torch.compile(backend=counted)
    def around(x):
        before = net(x).sum()
        optimizer.step()
        return before - net(x).sum()

    x = torch.ones(8, 4, dtype=torch.float64)
    for t in range(4):
        optimizer.param_groups[0]["lr"] = 0.02 / (1 + t)
        with warnings.catch_warnings(action="ignore"):  # of PyTorch's own compiler
            assert around(x) != 0
    assert len([graph for graph in graphs if graph]) == 2


def test_a_function_that_is_only_the_step_can_be_compiled():
    torch._dynamo.reset()
    weights = nn.Parameter(torch.zeros(3))
    optimizer = rt.SGD([weights], lr=0.5)
    weights.grad = torch.ones(3)
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    step()
    step()
    optimizer.param_groups[0]["lr"] = 0.25
    step()
    assert weights.tolist() == [-1.25] * 3
