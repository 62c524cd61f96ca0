"""A class of PyTorch for any rule."""

import inspect

import numpy as np
import pytest
import torch

import ruleonce as ro
from ruleonce import rules
from ruleonce.errors import HyperparameterError, RuleError, UnknownNameError
from ruleonce.torch import optimizer


@ro.rule
def signum(w, dw, m, *, learning_rate=1e-4, beta1=0.9, damped=False):
    """Step by the sign of the velocity."""
    m = beta1 * m + ((1 - beta1) * dw if damped else dw)
    w = w - learning_rate * ro.sign(m)
    return w, m


def parameter(values=(1.0, -2.0, 3.0), gradient=(0.5, -0.25, 0.125), dtype=torch.float64):
    made = torch.nn.Parameter(torch.tensor(values, dtype=dtype))
    made.grad = torch.tensor(gradient, dtype=dtype)
    return made


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_rule_has_the_bits_that_it_has_over_numpy_arrays(rule, dtype):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 37))
    weights = torch.nn.Parameter(torch.tensor(start, dtype=dtype))
    array = start.astype(str(dtype).removeprefix("torch."))
    program = rule.program()
    has_tolerance = len(program.passes) > 1 or any(not node.op.exact for node in program.body)
    engine = "cpu" if has_tolerance else "reference"  # equal bits within the engine alone
    ours, numpys = optimizer(rule)([weights]), ro.optimizer(rule)(array, engine=engine)

    for _ in range(10):
        gradient = rng.normal(size=(3, 37)).astype(array.dtype)
        weights.grad = torch.from_numpy(gradient)
        ours.step()
        numpys.step(gradient)

    np.testing.assert_array_equal(weights.detach().numpy(), array)
    for name in rule.state:
        np.testing.assert_array_equal(ours.state[weights][name].numpy(), numpys.state[name])
    for name in rule.scalars:
        assert float(ours.state[weights][name]) == numpys.state[name]


def test_its_options_are_called_as_pytorch_calls_them():
    assert str(inspect.signature(optimizer(rules.adam))).startswith(
        "(params: Any, *, lr=0.001, betas=(0.9, 0.999), eps=1e-08, maximize=False"
    )
    assert list(optimizer(signum)([parameter()]).defaults)[:3] == ["lr", "beta1", "damped"]
    assert optimizer(signum).__name__ == "Signum"
    assert optimizer(signum, "Mine").__name__ == "Mine"


def test_a_switch_picks_the_formula_and_may_be_changed():
    one, other = parameter(), parameter()
    plain, damped = optimizer(signum)([one]), optimizer(signum)([other], damped=True)
    plain.step()
    damped.step()
    assert torch.equal(plain.state[one]["m"], one.grad)
    assert torch.allclose(damped.state[other]["m"], 0.1 * other.grad)

    damped.param_groups[0]["damped"] = False
    damped.step()
    assert torch.allclose(damped.state[other]["m"], 0.09 * other.grad + other.grad)


def test_maximize_goes_with_the_gradient():
    up, down = parameter(), parameter()
    start = up.detach().clone()
    optimizer(rules.sgd)([up], lr=0.5, maximize=True).step()
    optimizer(rules.sgd)([down], lr=0.5).step()
    assert torch.equal(up - start, start - down)


def test_schedulers_and_groups_work():
    one, other = parameter(), parameter()
    made = optimizer(rules.sgd)([{"params": [one], "lr": 1.0}, {"params": [other]}], lr=0.5)
    scheduler = torch.optim.lr_scheduler.StepLR(made, 1, 0.5)
    made.step()
    scheduler.step()
    made.step()
    assert torch.equal(one, parameter() - 1.5 * one.grad)
    assert torch.equal(other, parameter() - 0.75 * other.grad)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"learning_rate": 0.1}, UnknownNameError, "PyTorch calls it lr"),
        ({"bta1": 0.1}, UnknownNameError, "did you mean 'beta1'"),
        ({"lr": -1.0}, HyperparameterError, "at least 0"),
        ({"lr": "fast"}, HyperparameterError, "must be a number"),
        ({"lr": lambda t: 0.1}, HyperparameterError, "LambdaLR"),
        ({"lr": torch.ones(2)}, HyperparameterError, "2 elements"),
        ({"damped": 1}, HyperparameterError, "switch"),
    ],
)
def test_a_wrong_option_is_named(options, error, said):
    with pytest.raises(error, match=said):
        optimizer(signum)([parameter()], **options)
    name, value = next(iter(options.items()))
    if error is HyperparameterError:
        with pytest.raises(error, match=said):
            optimizer(signum)([{"params": [parameter()], name: value}])


def test_betas_of_the_wrong_number_are_named():
    with pytest.raises(HyperparameterError, match="2 numbers"):
        optimizer(rules.adam)([parameter()], betas=(0.9,))


def test_what_is_no_rule_is_refused():
    with pytest.raises(RuleError, match="takes a rule"):
        optimizer(lambda w, dw: w)
