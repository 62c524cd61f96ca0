"""An optimizer in a training program: refusals.

The expectation is torch.optim's for-loop in float64, doing the same.
"""

import pytest
import torch
from training import parameter

import ruleonce as ro
import ruleonce.torch as rt
from ruleonce.errors import (
    HyperparameterError,
)

REFUSED = {
    "a string": (rt.Adam, {"lr": "fast"}, "learning_rate='fast'"),
    "nothing": (rt.Adam, {"lr": None}, "learning_rate=None"),
    "a complex number": (rt.Adam, {"lr": 1j}, "learning_rate=1j"),
    "too large a number": (rt.Adam, {"lr": 10**400}, "learning_rate"),
    "a list": (rt.Adam, {"betas": (0.9, [0.5])}, "beta2=[0.5]"),
    "a tensor of two": (rt.Adam, {"lr": torch.ones(2)}, "lr"),
    "a division by zero": (rt.RAdam, {"betas": (0.9, 1.0)}, "beta2=1.0"),
    "an impossible power": (rt.ASGD, {"lambd": -1e9, "alpha": 0.75}, "asgd"),
    "a start that is a string": (rt.Rprop, {"lr": "fast"}, "fast"),
}


@pytest.mark.parametrize("engine", ["auto", "tensors"])
@pytest.mark.parametrize("steps", [0, 2], ids=["at once", "mid-run"])
@pytest.mark.parametrize("name", REFUSED)
def test_an_impossible_number_is_refused_and_nothing_has_changed(name, steps, engine, unchanged):
    cls, options, said = REFUSED[name]
    if cls is rt.Rprop and steps:
        return  # its learning rate is where the state starts, and nothing later
    several = [parameter(gradient=[1.0, -1.0, 2.0]) for _ in range(3)]
    optimizer = cls([{"params": several[:2]}, {"params": several[2:]}], engine=engine)
    for _ in range(steps):
        optimizer.step()
    good = dict(optimizer.param_groups[1])
    optimizer.param_groups[1].update(options)
    with unchanged(optimizer, HyperparameterError, said):
        optimizer.step()
    optimizer.param_groups[1].update({key: good[key] for key in options})
    optimizer.step()

    alike = [parameter(gradient=[1.0, -1.0, 2.0]) for _ in range(3)]
    other = cls([{"params": alike[:2]}, {"params": alike[2:]}], engine=engine)
    for _ in range(steps + 1):
        other.step()
    assert all(map(torch.equal, several, alike))


def test_an_option_that_is_missing_is_named(unchanged):
    optimizer = rt.Adam([parameter(gradient=[1.0, 1.0, 1.0])])
    optimizer.step()
    del optimizer.param_groups[0]["eps"]
    with unchanged(optimizer, (HyperparameterError, KeyError), "eps"):
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "cuda"}, "cuda"),
        ({"engine": None}, "None"),
        ({"state_dtype": torch.int8}, "int8"),
        ({"state_dtype": "float32"}, "float32"),
        ({"max_norm": 0.0}, "max_norm"),
        ({"max_norm": -1.0}, "max_norm"),
        ({"max_norm": float("nan")}, "max_norm"),
        ({"max_norm": "1"}, "max_norm"),
        ({"ema": 1.0}, "ema"),
        ({"ema": -0.1}, "ema"),
        ({"ema": "0.9"}, "ema"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused_at_once(options, said):
    with pytest.raises(ro.errors.RuleonceError, match=said):
        rt.Adam([parameter()], **options)


def test_what_pytorchs_class_refuses_is_refused():
    for options in ({"lr": -1.0}, {"betas": (1.0, 0.5)}, {"eps": -1.0}, {"unknown": 1}):
        with pytest.raises((ValueError, TypeError)) as ours:
            rt.Adam([parameter()], **options)
        with pytest.raises((ValueError, TypeError)) as theirs:
            torch.optim.Adam([parameter()], **options)
        assert type(ours.value) is type(theirs.value)
        assert str(ours.value).split("(")[-1] == str(theirs.value).split("(")[-1]
