"""What is done to a step after the rule has made it."""

import math

from ..language.functions import sign, size, sum, where  # noqa: A004
from ..language.rule import Rule
from .making import NOT_NEGATIVE, Inner, Values, combinator, made


@combinator
def averaged(rule: Rule) -> Rule:
    """Keep a moving average of the weights, of which a step keeps the share `average_decay`.

    Its state `average` is to start as the weights; a front end sees to that.
    """

    def step(values: Values, inner: Inner) -> Values:
        decay, average = values["average_decay"], values["average"]
        new = inner(values)
        new["average"] = decay * average + (1 - decay) * new[rule.schema.weights]
        return new

    return made(rule, averaged, step, {"average_decay": 0.999}, state=("average",))


@combinator
def lookahead(rule: Rule, k: int = 5, alpha: float = 0.5) -> Rule:
    """Let the rule go ahead for k steps, then take a share alpha of the way, and go on from there.

    Its state `slow` are the weights that were there last; k and alpha are the hyperparameters
    `lookahead_steps` and `lookahead_share`.

    Source: Zhang et al. 2019, arXiv:1907.08610, Algorithm 1.
    """

    def step(values: Values, inner: Inner) -> Values:
        w, t, steps = rule.schema.weights, values["t"], values["lookahead_steps"]
        slow = where(t == 1, values[w], values["slow"])
        new = inner(values)
        is_time = t % steps == 0
        met = slow + values["lookahead_share"] * (new[w] - slow)
        return {**new, w: where(is_time, met, new[w]), "slow": where(is_time, met, slow)}

    return made(
        rule,
        lookahead,
        step,
        {"lookahead_steps": k, "lookahead_share": alpha},
        state=("slow",),
        ranges={"lookahead_steps": (1, math.inf), "lookahead_share": NOT_NEGATIVE},
        takes_t=True,
        arguments=(k, alpha),
    )


@combinator
def cautious(rule: Rule) -> Rule:
    """Leave out what goes against the gradient; the rest of the step is as much longer.

    Only those weights move whose step goes down the gradient of now. The step of a tensor is then
    multiplied by its number of elements over the number of those that move; the hyperparameter
    `mask_excess`, the paper's xi, is added to the latter. With 0 it is the mean of the mask that is
    divided by, as in later code of its authors.

    Weight decay is a part of the step, where the rule has it. Put around, as in
    decoupled_decay(cautious(adam)), it is not masked: that is its authors' C-AdamW.

    Source: Liang et al. 2024, arXiv:2411.16085, Algorithm 1 and its scaling.
    """

    def step(values: Values, inner: Inner) -> Values:
        w, dw = values[rule.schema.weights], values[rule.schema.gradient]
        new = inner(values)
        moved = new[rule.schema.weights] - w
        agrees = sign(moved) * dw < 0  # the product of two small numbers could be 0
        scale = size(dw) / (sum(where(agrees, 1.0, 0.0)) + values["mask_excess"])
        new[rule.schema.weights] = w + where(agrees, scale * moved, 0.0)
        return new

    numbers = {"mask_excess": 1.0}
    return made(rule, cautious, step, numbers, ranges=dict.fromkeys(numbers, NOT_NEGATIVE))
