"""Every rule has a class of PyTorch under its own name."""

import pickle

import pytest
import torch

import ruleonce.torch as rt
from ruleonce import rules


def camel(rule):
    return "".join(part.capitalize() for part in rule.name.split("_"))


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_is_found_by_its_name_in_camel_case_and_steps(rule):
    made = getattr(rt, camel(rule))
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    weights.grad = torch.tensor([0.5, 0.25])
    before = weights.detach().clone()
    optimizer = made([weights])
    optimizer.step()
    optimizer.step()

    assert issubclass(made, torch.optim.Optimizer)
    assert not torch.equal(weights, before)


def test_the_class_of_a_rule_is_one_class_and_its_optimizers_can_be_pickled():
    weights = torch.nn.Parameter(torch.ones(3))
    made = rt.AdamSimplified([weights], lr=0.25)
    copy = pickle.loads(pickle.dumps(made))  # noqa: S301  (our own)

    assert rt.AdamSimplified is rt.AdamSimplified
    assert type(copy) is rt.AdamSimplified
    assert copy.param_groups[0]["lr"] == 0.25


def test_a_name_that_there_is_not_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'AdamSimplified'"):
        rt.AdamSimplfied  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'RMSprop'"):
        rt.RMSPropp  # noqa: B018
