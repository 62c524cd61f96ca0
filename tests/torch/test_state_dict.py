"""State dicts: exchanged with torch.optim's class of the same name, in the middle of a run."""

import copy
import io

import pytest
import torch
from torch import nn

import ruleonce.torch as rt

# Every class with a twin, with options that give it all the state that it can have.
TWINS = {
    "SGD": {"lr": 0.05, "momentum": 0.9},
    "Adam": {"lr": 0.01, "amsgrad": True},
    "AdamW": {"lr": 0.01},
    "Adagrad": {"lr": 0.05, "lr_decay": 0.1},
    "RMSprop": {"lr": 0.01, "centered": True, "momentum": 0.5},
    "Adamax": {"lr": 0.01},
    "NAdam": {"lr": 0.01},
    "RAdam": {"lr": 0.01},
    "Adadelta": {"lr": 0.5},
    "Rprop": {"lr": 0.01},
    "ASGD": {"lr": 0.01, "t0": 3, "lambd": 0.01},
}
each = pytest.mark.parametrize("name", TWINS)


def model(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)).to(dtype)


def train(net, optimizer, first, last, dtype=torch.float64):
    losses = []
    for t in range(first, last):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(t), dtype=torch.float64)
        optimizer.zero_grad()
        loss = (net(x.to(dtype)) - x.sin().sum(1, keepdim=True).to(dtype)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def made(name, net, whose, **more):
    options = {"foreach": False} if whose is torch.optim else {}
    return getattr(whose, name)(net.parameters(), **TWINS[name], **options, **more)


@pytest.mark.usefixtures("float64")
@each
@pytest.mark.parametrize("through", ["memory", "a file"])
@pytest.mark.parametrize("order", ["ours, theirs, ours", "theirs, ours, theirs"])
def test_a_run_goes_on_with_the_other_optimizer(name, order, through):
    """The losses are those of a run with PyTorch's alone."""
    net = model()
    expected = train(net, made(name, net, torch.optim), 0, 12)

    net, losses, saved = model(), [], None
    for number, whose in enumerate(order.split(", ")):
        optimizer = made(name, net, rt if whose == "ours" else torch.optim)
        if saved is not None:
            optimizer.load_state_dict(saved)
        losses += train(net, optimizer, 4 * number, 4 * number + 4)
        if through == "memory":
            saved = copy.deepcopy(optimizer.state_dict())
        else:
            file = io.BytesIO()
            torch.save(optimizer.state_dict(), file)
            file.seek(0)
            saved = torch.load(file, weights_only=True)
    assert losses == pytest.approx(expected, rel=1e-10)


@pytest.mark.usefixtures("float64")
@each
def test_a_state_dict_is_that_of_pytorch(name, assert_same_state):
    """Keys in PyTorch's order, options, shapes, dtypes and kinds of every entry."""
    found = []
    for whose in (rt, torch.optim):
        net = model()
        optimizer = made(name, net, whose)
        train(net, optimizer, 0, 3)
        found.append((optimizer, optimizer.state_dict()))
    (one, mine), (other, its) = found
    mine["param_groups"][0]["foreach"] = False
    assert mine["param_groups"] == its["param_groups"]
    assert list(mine) == list(its)
    assert_same_state(one, other, 1e-10)
    for place, entry in its["state"].items():
        assert type(mine["state"][place]) is dict
        for key, value in entry.items():
            assert mine["state"][place][key].dtype == value.dtype, key
            assert mine["state"][place][key].device == value.device


@each
def test_the_state_has_pytorchs_dtypes_with_the_usual_default_dtype(name):
    """But for the scalar state of NAdam and ASGD, which is float64 here."""
    found = []
    for whose in (rt, torch.optim):
        net = model(dtype=torch.float32)
        optimizer = made(name, net, whose)
        train(net, optimizer, 0, 1, torch.float32)
        found.append({k: v.dtype for k, v in optimizer.state_dict()["state"][0].items()})
    wider = dict.fromkeys({"mu_product", "eta", "mu"} & set(found[1]), torch.float64)
    assert found[0] == found[1] | wider


@pytest.mark.parametrize("options", [{}, {"momentum": 0.0, "weight_decay": 0.1}], ids=str)
def test_sgd_without_momentum_has_no_state(options):
    for whose in (torch.optim, rt):
        net = model()
        optimizer = whose.SGD(net.parameters(), **options)
        train(net, optimizer, 0, 2)
        assert optimizer.state_dict()["state"] == {}


@each
def test_a_state_dict_before_the_first_step_is_that_of_pytorch(name):
    ours, theirs = (made(name, model(), whose).state_dict() for whose in (rt, torch.optim))
    ours["param_groups"][0]["foreach"] = False
    assert ours["param_groups"] == theirs["param_groups"]
    assert {k: list(v) for k, v in ours["state"].items()} == {
        k: list(v) for k, v in theirs["state"].items()
    }
    net = model()
    optimizer = made(name, net, rt)
    optimizer.load_state_dict(theirs)
    train(net, optimizer, 0, 2)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", [name for name in TWINS if name != "SGD"])
@pytest.mark.parametrize(
    "older",
    [
        "step is a number",
        "step is an int",
        "flags are missing",
        "step is float64",
        "step has shape",
    ],
)
def test_older_state_dicts_are_taken_as_by_pytorch(name, older):
    """From before step was a tensor, or before there were these flags."""
    net = model()
    optimizer = made(name, net, torch.optim)
    train(net, optimizer, 0, 5)
    saved = copy.deepcopy(optimizer.state_dict())
    expected = train(net, optimizer, 5, 8)
    for entry in saved["state"].values():
        step = entry["step"].item()
        entry["step"] = {
            "step is a number": step,
            "step is an int": int(step),
            "step is float64": torch.tensor(step, dtype=torch.float64),
            "step has shape": torch.tensor([step]),
        }.get(older, entry["step"])
    if older == "flags are missing":
        for group in saved["param_groups"]:
            for flag in ("foreach", "maximize", "differentiable", "capturable", "fused", "amsgrad"):
                if flag != "amsgrad" or name != "Adam":
                    group.pop(flag, None)

    again = model()
    train(again, made(name, again, torch.optim), 0, 5)
    ours = made(name, again, rt)
    ours.load_state_dict(saved)
    assert train(again, ours, 5, 8) == pytest.approx(expected, rel=1e-10)


def test_a_momentum_buffer_that_was_saved_as_none_is_none():
    """As PyTorch once wrote it for SGD before its first step."""
    weights = nn.Parameter(torch.zeros(2))
    optimizer = rt.SGD([weights], lr=1.0, momentum=0.9, dampening=0.5)
    saved = optimizer.state_dict()
    saved["state"] = {0: {"momentum_buffer": None}}
    optimizer.load_state_dict(saved)
    weights.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(weights, -torch.ones(2))  # the first gradient counts in full


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_dampening_does_not_begin_anew_after_loading(momentum):
    found = []
    for whose in (torch.optim, rt):
        weights = nn.Parameter(torch.zeros(2))
        optimizer = whose.SGD([weights], lr=1.0, momentum=momentum, dampening=0.5)
        weights.grad = torch.ones(2)
        optimizer.step()
        second = whose.SGD([weights], lr=1.0, momentum=momentum, dampening=0.5)
        second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        second.step()
        found.append(weights.detach())
    assert torch.allclose(*found)


def test_state_stays_float32_for_bfloat16_weights_through_a_file_and_back():
    def make(whose, **more):
        torch.manual_seed(0)
        net = nn.Linear(4, 3, bias=False).to(torch.bfloat16)
        return net, whose.AdamW(net.parameters(), lr=0.01, **more)

    net, optimizer = make(rt, state_dtype=torch.float32)
    for t in range(3):
        net.weight.grad = torch.full_like(net.weight, 0.1 + t)
        optimizer.step()
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    kept = optimizer.state[net.weight]["exp_avg"]
    assert kept.dtype == torch.float32
    assert not torch.equal(kept.bfloat16().float(), kept)  # there are digits to lose

    for more in ({"state_dtype": torch.float32}, {}):
        _, other = make(rt, **more)
        other.load_state_dict(saved)
        (entry,) = other.state.values()
        assert entry["exp_avg"].dtype == torch.float32
        assert torch.equal(entry["exp_avg"], kept)
        assert torch.equal(other.state_dict()["state"][0]["exp_avg"], kept)
        resumed = other.param_groups[0]["params"][0]
        resumed.grad = torch.ones_like(resumed)
        other.step()
        assert other.state[resumed]["exp_avg"].dtype == torch.float32

    _, narrow = make(rt, state_dtype=torch.bfloat16)
    narrow.load_state_dict(saved)
    weights = narrow.param_groups[0]["params"][0]
    weights.grad = torch.ones_like(weights)
    narrow.step()
    assert narrow.state[weights]["exp_avg"].dtype == torch.bfloat16

    theirs, peer = make(torch.optim)
    peer.load_state_dict(saved)
    theirs.weight.grad = torch.ones_like(theirs.weight)
    peer.step()
    assert peer.state[theirs.weight]["exp_avg"].dtype == torch.bfloat16  # PyTorch casts it


def test_what_was_loaded_is_a_copy():
    """PyTorch lets two optimizers share a tensor of state; a run of one would change the other."""
    net = model()
    one, other = rt.Adam(net.parameters()), rt.Adam(net.parameters())
    train(net, one, 0, 2)
    saved = one.state_dict()
    before = saved["state"][0]["exp_avg"].clone(), saved["state"][0]["step"].item()
    other.load_state_dict(saved)
    train(net, other, 2, 4)
    assert torch.equal(saved["state"][0]["exp_avg"], before[0])
    assert saved["state"][0]["step"].item() == before[1] == 2


def test_the_state_dict_that_is_loaded_is_not_changed():
    net = model()
    optimizer = rt.AdamW(net.parameters())
    train(net, optimizer, 0, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    text = repr(saved)
    optimizer.load_state_dict(saved)
    train(net, optimizer, 2, 4)
    assert repr(saved) == text


def test_a_state_dict_is_loaded_by_place_into_parameters_in_other_groups():
    net = model()
    optimizer = rt.Adam([{"params": net[0].parameters()}, {"params": net[2].parameters()}], lr=0.01)
    train(net, optimizer, 0, 3)
    saved = optimizer.state_dict()
    other = model(seed=3)
    second = rt.Adam([{"params": other[0].parameters()}, {"params": other[2].parameters()}])
    second.load_state_dict(saved)
    for mine, its in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(optimizer.state[mine]["exp_avg"], second.state[its]["exp_avg"])
    assert second.param_groups[1]["lr"] == 0.01


@pytest.mark.parametrize("change", ["a group more", "a parameter less"])
def test_a_state_dict_that_does_not_fit_is_refused_as_by_pytorch(change):
    messages = []
    for whose in (rt, torch.optim):
        net = model()
        optimizer = whose.Adam(net.parameters())
        train(net, optimizer, 0, 2)
        saved = copy.deepcopy(optimizer.state_dict())
        if change == "a group more":
            saved["param_groups"].append(copy.deepcopy(saved["param_groups"][0]))
        else:
            saved["param_groups"][0]["params"].pop()
        before = repr(optimizer.state_dict())
        with pytest.raises(ValueError, match="loaded state dict") as caught:
            optimizer.load_state_dict(saved)
        messages.append(str(caught.value))
        assert repr(optimizer.state_dict()) == before
        train(net, optimizer, 2, 3)
    assert messages[0] == messages[1]


def test_state_of_another_shape_is_refused_at_the_step(unchanged):
    net = model()
    optimizer = rt.Adam(net.parameters())
    train(net, optimizer, 0, 2)
    for shape in ((7,), (3, 3), (6, 4, 2), (4, 6)):  # (4, 6) has as many elements as the weights
        saved = copy.deepcopy(optimizer.state_dict())
        saved["state"][0]["exp_avg"] = torch.zeros(shape, dtype=torch.float64)
        other = rt.Adam(net.parameters())
        other.load_state_dict(saved)
        with unchanged(other, ValueError, "0 of param group 0", str(shape)):
            other.step()


def test_extra_entries_of_state_are_carried_along():
    weights = nn.Parameter(torch.zeros(2))
    optimizer = rt.Adam([weights])
    weights.grad = torch.ones(2)
    optimizer.step()
    optimizer.state[weights]["note"] = 7
    optimizer.state[weights]["table"] = torch.arange(3)
    saved = optimizer.state_dict()
    other = rt.Adam([weights])
    other.load_state_dict(saved)
    other.step()
    assert other.state[weights]["note"] == 7
    assert torch.equal(other.state[weights]["table"], torch.arange(3))
    assert other.state[weights]["table"].dtype == torch.int64  # PyTorch makes float32 of it


def test_quantized_state_of_another_library_keeps_its_bits():
    """Numbers of 8 bits under a key that is not ours survive loading."""
    weights = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    optimizer = rt.Adam([weights])
    weights.grad = torch.ones(2, dtype=torch.bfloat16)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0]["codes"] = torch.tensor([200, 3], dtype=torch.uint8)
    optimizer.load_state_dict(saved)
    assert optimizer.state[weights]["codes"].dtype == torch.uint8
    assert optimizer.state[weights]["codes"].tolist() == [200, 3]


@each
@pytest.mark.parametrize("steps", [0, 1])
def test_loading_into_an_optimizer_that_has_made_steps_replaces_everything(name, steps):
    net, other = model(), model()
    one, two = made(name, net, rt), made(name, other, rt)
    train(net, one, 0, 3)
    train(other, two, 5, 5 + steps)
    saved = copy.deepcopy((net.state_dict(), one.state_dict()))
    other.load_state_dict(saved[0])
    two.load_state_dict(saved[1])
    assert train(net, one, 3, 6) == train(other, two, 3, 6)


def test_lion_and_made_classes_go_through_state_dicts():
    net, other = model(), model()
    one, two = rt.Lion(net.parameters(), weight_decay=0.1), rt.Lion(other.parameters())
    train(net, one, 0, 3)
    other.load_state_dict(net.state_dict())
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    assert two.param_groups[0]["weight_decay"] == 0.1
    assert train(net, one, 3, 6) == train(other, two, 3, 6)


def test_a_moving_average_goes_through_a_state_dict_at_its_own_dtype():
    net = nn.Linear(3, 2, bias=False).to(torch.bfloat16)
    optimizer = rt.SGD(net.parameters(), lr=0.1, ema=0.9, state_dtype=torch.float32)
    for t in range(3):
        net.weight.grad = torch.full_like(net.weight, 0.3 + t)
        optimizer.step()
    kept = optimizer.state[net.weight]["average"].clone()
    assert kept.dtype == torch.float32
    other = rt.SGD(net.parameters(), lr=0.1, ema=0.9, state_dtype=torch.float32)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(other.state[net.weight]["average"], kept)
    with other.average():
        assert torch.equal(net.weight, kept.bfloat16())
