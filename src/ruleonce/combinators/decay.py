"""Weight decay, as a part of the gradient or beside it."""

from ..errors import RuleError
from ..language.rule import Rule
from .making import Inner, Values, combinator, made


@combinator
def coupled_decay(rule: Rule) -> Rule:
    """Weight decay as a part of the gradient: that of half the weights' squared length is added.

    The hyperparameter `weight_decay` says how much. A rule that scales its gradient scales the
    decay with it; `decoupled_decay` does not.
    """

    def step(values: Values, inner: Inner) -> Values:
        w, dw = rule.schema.weights, rule.schema.gradient
        values[dw] = values[dw] + values["weight_decay"] * values[w]
        return inner(values)

    return made(rule, coupled_decay, step, {"weight_decay": 0.0})


@combinator
def decoupled_decay(rule: Rule) -> Rule:
    """Weight decay beside the rule: the weights shrink by learning_rate * weight_decay first.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2, with the learning rate as its
    schedule, as PyTorch has it.
    """
    if "learning_rate" not in rule.hyperparameters:
        raise RuleError(
            f"decoupled_decay({rule.name}): the decay is a part of the learning rate, and "
            f"{rule.name} has no hyperparameter `learning_rate`; it has "
            f"{', '.join(rule.hyperparameters) or 'none'}."
        )

    def step(values: Values, inner: Inner) -> Values:
        w = rule.schema.weights
        values[w] = values[w] * (1 - values["learning_rate"] * values["weight_decay"])
        return inner(values)

    return made(rule, decoupled_decay, step, {"weight_decay": 0.0})
