"""Every class that torch.optim has too: the same steps for every option, and the same errors."""

import inspect
import itertools
import warnings

import pytest
import torch
from torch import nn
from torch.testing._internal.common_optimizers import optim_db

import ruleonce.torch as rt

DECAY = [{}, {"weight_decay": 0.1}]
MAXIMIZE = [{}, {"maximize": True}]
# For each class: for each of its options the values to try; all combinations are run.
OPTIONS = {
    "SGD": [
        [
            {"lr": 0.01},
            {"lr": 0.01, "momentum": 0.9},
            {"lr": 0.01, "momentum": 0.9, "dampening": 0.3},
            {"lr": 0.01, "momentum": 0.9, "nesterov": True},
        ],
        DECAY,
        MAXIMIZE,
    ],
    "Adam": [
        [
            {},
            {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-4},
            {"lr": torch.tensor(0.01, dtype=torch.float64)},
        ],
        [{}, {"amsgrad": True}],
        [*DECAY, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
        MAXIMIZE,
    ],
    "AdamW": [
        [{}, {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-4}, {"betas": (0.0, 0.5)}],
        [{}, {"amsgrad": True}],
        [{}, {"weight_decay": 0.0}, {"weight_decay": 0.3}],
        MAXIMIZE,
    ],
    "Adagrad": [
        [{}, {"lr": 0.1, "lr_decay": 0.1}, {"initial_accumulator_value": 0.3, "eps": 1e-3}],
        DECAY,
        MAXIMIZE,
    ],
    "RMSprop": [
        [{}, {"alpha": 0.9, "eps": 1e-4}],
        [{}, {"momentum": 0.9}],
        [{}, {"centered": True}],
        DECAY,
        MAXIMIZE,
    ],
    "Adamax": [[{}, {"betas": (0.8, 0.95), "eps": 1e-3}], DECAY, MAXIMIZE],
    "NAdam": [
        [{}, {"lr": 0.01, "betas": (0.8, 0.95), "momentum_decay": 0.05, "eps": 1e-4}],
        [*DECAY, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
        MAXIMIZE,
    ],
    "RAdam": [
        [{}, {"betas": (0.8, 0.9), "eps": 1e-3}, {"betas": (0.9, 0.5)}],
        [*DECAY, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
        MAXIMIZE,
    ],
    "Adadelta": [[{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-3}], DECAY, MAXIMIZE],
    "Rprop": [
        [{}, {"etas": (0.4, 1.5)}, {"lr": 0.1, "step_sizes": (1e-3, 0.2)}],
        MAXIMIZE,
    ],
    "ASGD": [
        [{}, {"lambd": 0.1, "alpha": 0.6, "t0": 5}, {"lr": 0.1, "t0": 0}],
        DECAY,
        MAXIMIZE,
    ],
}
# Options that choose an implementation; test_surroundings.py holds that they change nothing.
IMPLEMENTATION = {"foreach", "fused", "capturable", "differentiable"}


def merged(parts):
    return {key: value for part in parts for key, value in part.items()}


CASES = [
    pytest.param(name, merged(parts), id=f"{name}-{merged(parts)}")
    for name, lists in OPTIONS.items()
    for parts in itertools.product(*lists)
]
NEVER = {"Muon", "LBFGS", "SparseAdam", "Adafactor"}  # rules over whole matrices or histories


def test_every_class_of_pytorch_is_compared_or_left_out_on_purpose():
    there_are = {
        name
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)
    }
    assert there_are - {"Optimizer"} - NEVER <= set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_pytorchs_class_is_compared(name):
    known = set(inspect.signature(getattr(torch.optim, name)).parameters) - {"params"}
    tried = {key for part in OPTIONS[name] for some in part for key in some}
    assert known - IMPLEMENTATION - tried <= {"lr"}
    assert tried <= known


@pytest.mark.parametrize("name", OPTIONS)
def test_the_defaults_are_pytorchs(name):
    weights = [nn.Parameter(torch.zeros(1))]
    ours, theirs = getattr(rt, name)(weights), getattr(torch.optim, name)(weights)
    assert ours.defaults == theirs.defaults
    assert inspect.signature(type(ours).step).parameters.keys() == {"self", "closure"}


def shapes():
    return [(5, 3), (), (7,), (2, 0)]


def starts(dtype):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes()]


def gradients(t, dtype):
    """Of changing size and sign; some exactly 0."""
    generator = torch.Generator().manual_seed(100 + t)
    made = []
    for shape in shapes():
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * 10 ** (t % 5 - 2)
        made.append(torch.where(x.abs() < 0.05 * 10 ** (t % 5 - 2), 0.0, x).to(dtype))
    return made


def run(cls, options, dtype, steps, *, missing=False, **more):
    several = [nn.Parameter(x.clone()) for x in starts(dtype)]
    optimizer = cls(several, **options, **more)
    for t in range(steps):
        for place, (p, gradient) in enumerate(zip(several, gradients(t, dtype), strict=True)):
            p.grad = None if missing and t % 4 == 1 and place % 2 else gradient
        optimizer.step()
    return several, optimizer


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_hundred_steps_are_pytorchs(name, options, assert_near, assert_same_state):
    """In float64, to 1e-12 of the movement; some parameters without a gradient now and then."""
    mine, one = run(getattr(rt, name), options, torch.float64, 100, missing=True)
    its, other = run(
        getattr(torch.optim, name), options, torch.float64, 100, missing=True, foreach=False
    )
    assert_near(mine, its, starts(torch.float64))
    assert_same_state(one, other, 1e-11)


# One step from equal state. Ours rounds some fifteen operations once each, PyTorch's others in
# another order; together they are off by a few ulp of the step, plus the last subtraction's half
# ulp of the weight on either side.
ULP_OF_STEP, ULP_OF_WEIGHT = 16, 1


@pytest.mark.parametrize(("name", "options"), CASES)
def test_one_step_from_equal_state_is_pytorchs_in_float32(name, options):
    if isinstance(options.get("lr"), torch.Tensor):
        options = {**options, "lr": options["lr"].float()}  # PyTorch computes in its dtype
    its, other = run(getattr(torch.optim, name), options, torch.float32, 12, foreach=False)
    mine = [nn.Parameter(p.detach().clone()) for p in its]
    one = getattr(rt, name)(mine, **options)
    one.load_state_dict(other.state_dict())
    before = [p.detach().clone() for p in its]
    for p, q, gradient in zip(mine, its, gradients(12, torch.float32), strict=True):
        p.grad, q.grad = gradient.clone(), gradient.clone()
    one.step()
    other.step()
    eps = torch.finfo(torch.float32).eps
    for p, q, start in zip(mine, its, before, strict=True):
        step = (q - start).abs()
        if options.get("centered"):  # v - mean**2 cancels: what is left has fewer digits
            step = step * 100
        allowed = eps * (ULP_OF_WEIGHT * torch.maximum(q.abs(), start.abs()) + ULP_OF_STEP * step)
        assert ((p - q).abs() <= allowed).all(), ((p - q).abs() / allowed).max()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("name", OPTIONS)
def test_complex_weights_are_pytorchs(name, engine, assert_near):
    start = torch.complex(torch.linspace(-1, 1, 6), torch.linspace(1, 2, 6)).to(torch.complex128)

    def drive(cls, **more):
        weights = nn.Parameter(start.clone())
        optimizer = cls([weights], **more)
        for t in range(20):
            weights.grad = (weights.detach() * (1 + 0.5j) + t).sin()
            optimizer.step()
        return weights

    assert_near(
        drive(getattr(rt, name), engine=engine),
        drive(getattr(torch.optim, name), foreach=False),
        start,
        share=1e-9,
    )


# --- PyTorch's own list of inputs -----------------------------------------------------------------

DATABASE = {
    info.optim_cls.__name__: info for info in optim_db if info.optim_cls.__name__ in OPTIONS
}
INPUTS = [
    pytest.param(name, place, id=f"{name}-{place}-{found.desc}")
    for name, info in DATABASE.items()
    for place, found in enumerate(info.optim_inputs_func(device="cpu"))
]
ERRORS = [
    pytest.param(name, place, id=f"{name}-{place}-{found.optimizer_error_input.desc}")
    for name, info in DATABASE.items()
    for place, found in enumerate(info.optim_error_inputs_func(device="cpu", dtype=torch.float32))
]


def test_pytorchs_list_holds_every_class():
    assert set(DATABASE) == set(OPTIONS)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "place"), INPUTS)
def test_pytorchs_own_inputs_give_pytorchs_results(name, place, assert_near, assert_same_state):
    def drive(whose):
        options = DATABASE[name].optim_inputs_func(device="cpu")[place].kwargs
        more = {"foreach": False} if whose is torch.optim else {}
        return run(getattr(whose, name), options, torch.float64, 10, missing=True, **more)

    (mine, one), (its, other) = drive(rt), drive(torch.optim)
    assert_near(mine, its, starts(torch.float64))
    assert_same_state(one, other, 1e-11)


@pytest.mark.parametrize(("name", "place"), ERRORS)
def test_pytorchs_own_wrong_inputs_raise_pytorchs_errors(name, place):
    info = DATABASE[name]
    wrong = info.optim_error_inputs_func(device="cpu", dtype=torch.float32)[place]
    given = wrong.optimizer_error_input
    params = [nn.Parameter(torch.zeros(1))] if given.params is None else given.params
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(wrong.error_type, match=wrong.error_regex):
            getattr(rt, name)(params, **given.kwargs)
