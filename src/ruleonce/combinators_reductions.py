"""Combinators that look at whole tensors; otherwise as those in combinators."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from .combinators import Inner, Values, _made
from .language.functions import dot, sign, size, sqrt, sum, total, where  # noqa: A004
from .language.rule import Rule

_combinator = lru_cache(maxsize=1024)


@_combinator
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

    return _with_numbers(rule, cautious, step, {"mask_excess": 1.0})


@_combinator
def clipped_by_norm(rule: Rule) -> Rule:
    """Shorten all gradients together, so that their norm is at most `max_norm`.

    The norm is that of all elements of all tensors of the optimizer. Gradients that are shorter
    stay as they are. `norm_eps` is added to the norm: 1e-6 there is PyTorch's clip_grad_norm_.

    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, Algorithm 1.
    """

    def step(values: Values, inner: Inner) -> Values:
        dw = rule.schema.gradient
        norm = sqrt(total(dot(values[dw], values[dw]))) + values["norm_eps"]
        is_long = norm > values["max_norm"]
        shorter = where(is_long, values["max_norm"], 1.0) / where(is_long, norm, 1.0)
        values[dw] = values[dw] * shorter
        return inner(values)

    return _with_numbers(rule, clipped_by_norm, step, {"max_norm": 1.0, "norm_eps": 0.0})


def _with_numbers(
    rule: Rule,
    combinator: Callable[[Rule], Rule],
    step: Callable[[Values, Inner], Values],
    numbers: Mapping[str, float],
) -> Rule:
    """The rule that `step` makes of `rule`; its new hyperparameters must not be below 0."""
    made = _made(rule, combinator, step, numbers)
    ranges = {**made.schema.ranges, **dict.fromkeys(numbers, (0.0, math.inf))}
    combined = Rule(made.function, made.schema.initial, ranges)
    combined.made_by = made.made_by
    return combined
