"""A velocity around a rule."""

from ..errors import RuleError
from ..language.rule import Rule
from .making import Inner, Values, combinator, made


@combinator
def with_momentum(rule: Rule) -> Rule:
    """Gather the steps of a rule in a velocity, and move the weights by that.

    The rule's own step is taken from weights of 0 with a learning rate of 1, so it must not depend
    on where the weights are.
    """
    if "learning_rate" not in rule.hyperparameters:
        raise RuleError(
            f"with_momentum({rule.name}): {rule.name} has no hyperparameter `learning_rate` to "
            f"move the weights by; it has {', '.join(rule.hyperparameters) or 'none'}."
        )

    def step(values: Values, inner: Inner) -> Values:
        w = rule.schema.weights
        start, rate, velocity = values[w], values["learning_rate"], values["velocity"]
        new = inner({**values, w: 0.0, "learning_rate": 1.0})
        new["velocity"] = values["momentum"] * velocity - new[w]
        new[w] = start - rate * new["velocity"]
        return new

    return made(rule, with_momentum, step, {"momentum": 0.9}, state=("velocity",))


@combinator
def nesterov(rule: Rule) -> Rule:
    """Gather gradients in a velocity, and give the rule the one that the next velocity will have.

    nesterov(sgd) is heavy_ball_nesterov.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", in the form of torch.optim.SGD.
    """

    def step(values: Values, inner: Inner) -> Values:
        dw, momentum = rule.schema.gradient, values["momentum"]
        velocity = momentum * values["velocity"] + values[dw]
        values[dw] = values[dw] + momentum * velocity
        return {**inner(values), "velocity": velocity}

    return made(rule, nesterov, step, {"momentum": 0.9}, state=("velocity",))
