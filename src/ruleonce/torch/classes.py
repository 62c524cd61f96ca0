"""The classes of torch.optim, with rules for their steps."""

from typing import ClassVar

import torch

from ..combinators import coupled_decay, decoupled_decay, maximized, with_momentum
from ..language.rule import Rule
from ..rules.adam import adam, adamax, amsgrad, nadam, radam
from ..rules.adaptive import adadelta, adagrad_decaying, rmsprop, rmsprop_centered, rprop
from ..rules.descent import asgd, heavy_ball, heavy_ball_damped, heavy_ball_nesterov, sgd
from ..rules.sign import lion
from .made import MadeOptimizer
from .optimizer import RuleOptimizer
from .settings import Group


def _with_options(rule: Rule, group: Group) -> Rule:
    """The rule with the weight decay and the direction that a group asks for, in torch's order."""
    if group["weight_decay"] != 0:
        is_decoupled = group.get("decoupled_weight_decay", False)
        rule = decoupled_decay(rule) if is_decoupled else coupled_decay(rule)
    return maximized(rule) if group["maximize"] else rule


class _OneRule(RuleOptimizer):
    """A class with one rule for all of its options."""

    rule: ClassVar[Rule]

    @classmethod
    def rule_of(cls, group: Group) -> Rule:
        """The rule of the class."""
        return _with_options(cls.rule, group)


class SGD(RuleOptimizer, torch.optim.SGD):
    """torch.optim.SGD, compiled; see RuleOptimizer for what it takes beside torch's arguments.

    PyTorch keeps no step count here. With `dampening`, the first gradient counts in full; a step is
    the first one where there is no momentum_buffer yet.
    """

    state_names = {"m": "momentum_buffer"}
    number_names = {"beta1": "momentum"}
    has_step = False

    @staticmethod
    def rule_of(group: Group) -> Rule:
        """By `momentum`, `dampening` and `nesterov`."""
        if group["momentum"] == 0:
            rule = sgd
        elif group["dampening"] != 0:
            rule = heavy_ball_damped
        else:
            rule = heavy_ball_nesterov if group["nesterov"] else heavy_ball
        return _with_options(rule, group)


class Adam(RuleOptimizer, torch.optim.Adam):
    """torch.optim.Adam, compiled; see RuleOptimizer for what it takes beside torch's arguments."""

    state_names = {"m": "exp_avg", "v": "exp_avg_sq", "largest": "max_exp_avg_sq"}

    @staticmethod
    def rule_of(group: Group) -> Rule:
        """By `amsgrad`."""
        return _with_options(amsgrad if group["amsgrad"] else adam, group)


class AdamW(RuleOptimizer, torch.optim.AdamW):
    """torch.optim.AdamW, compiled; see RuleOptimizer for what it takes beside torch's arguments."""

    state_names = Adam.state_names
    rule_of = staticmethod(Adam.rule_of)


class Adagrad(_OneRule, torch.optim.Adagrad):
    """torch.optim.Adagrad, compiled; see RuleOptimizer for what it takes beside its arguments."""

    rule = adagrad_decaying
    state_names = {"v": "sum"}
    number_names = {
        "decay_rate": "lr_decay",
        "initial_accumulator": "initial_accumulator_value",
    }


class RMSprop(RuleOptimizer, torch.optim.RMSprop):
    """torch.optim.RMSprop, compiled; see RuleOptimizer for what it takes beside its arguments."""

    state_names = {"v": "square_avg", "velocity": "momentum_buffer", "mean": "grad_avg"}
    number_names = {"beta2": "alpha"}

    @staticmethod
    def rule_of(group: Group) -> Rule:
        """By `centered` and `momentum`."""
        rule = rmsprop_centered if group["centered"] else rmsprop
        return _with_options(with_momentum(rule) if group["momentum"] > 0 else rule, group)


class Adamax(_OneRule, torch.optim.Adamax):
    """torch.optim.Adamax, compiled; see RuleOptimizer for what it takes beside its arguments."""

    rule = adamax
    state_names = {"m": "exp_avg", "u": "exp_inf"}


class NAdam(_OneRule, torch.optim.NAdam):
    """torch.optim.NAdam, compiled; see RuleOptimizer for what it takes beside its arguments.

    PyTorch keeps the product of the momenta in the default dtype, here it is float64.
    """

    rule = nadam
    state_names = {"product": "mu_product", "m": "exp_avg", "v": "exp_avg_sq"}


class RAdam(_OneRule, torch.optim.RAdam):
    """torch.optim.RAdam, compiled; see RuleOptimizer for what it takes beside its arguments."""

    rule = radam
    state_names = {"m": "exp_avg", "v": "exp_avg_sq"}


class Adadelta(_OneRule, torch.optim.Adadelta):
    """torch.optim.Adadelta, compiled; see RuleOptimizer for what it takes beside its arguments."""

    rule = adadelta
    state_names = {"v": "square_avg", "u": "acc_delta"}


class Rprop(RuleOptimizer, torch.optim.Rprop):
    """torch.optim.Rprop, compiled; see RuleOptimizer for what it takes beside its arguments."""

    state_names = {"previous": "prev", "length": "step_size"}
    number_names = {
        "shrink": ("etas", 0),
        "grow": ("etas", 1),
        "shortest": ("step_sizes", 0),
        "longest": ("step_sizes", 1),
    }

    @staticmethod
    def rule_of(group: Group) -> Rule:
        """It has no weight decay."""
        return maximized(rprop) if group["maximize"] else rprop


class ASGD(_OneRule, torch.optim.ASGD):
    """torch.optim.ASGD, compiled; see RuleOptimizer for what it takes beside its arguments.

    PyTorch keeps eta and mu in the default dtype, here they are float64.
    """

    rule = asgd
    state_names = {"eta": "eta", "mu": "mu", "mean": "ax"}
    number_names = {"shrink": "lambd", "start": "t0"}


class Lion(MadeOptimizer, rule=decoupled_decay(lion)):
    """Steps by the sign of a momentum; see ruleonce.rules.lion and MadeOptimizer.

    Its steps are longer than Adam's: use a third to a tenth of Adam's learning rate, and as many
    times its weight decay, which is decoupled.
    """

    state_names = {"m": "exp_avg"}
