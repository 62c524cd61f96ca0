"""What is done to a gradient before the rule sees it."""

from ..language.functions import clip, dot, sqrt, total, where
from ..language.rule import Rule
from .making import NOT_NEGATIVE, Inner, Values, combinator, made

_POSITIVE = {"clip_value": NOT_NEGATIVE}


@combinator
def maximized(rule: Rule) -> Rule:
    """Go with the gradient instead of against it."""

    def step(values: Values, inner: Inner) -> Values:
        dw = rule.schema.gradient
        values[dw] = -values[dw]
        return inner(values)

    return made(rule, maximized, step, {})


@combinator
def clipped(rule: Rule, value: float = 1.0) -> Rule:
    """Keep each element of the gradient between -clip_value and clip_value, which is `value`."""

    def step(values: Values, inner: Inner) -> Values:
        dw, most = rule.schema.gradient, values["clip_value"]
        values[dw] = clip(values[dw], -most, most)
        return inner(values)

    return made(rule, clipped, step, {"clip_value": value}, ranges=_POSITIVE, arguments=(value,))


@combinator
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

    numbers = {"max_norm": 1.0, "norm_eps": 0.0}
    return made(rule, clipped_by_norm, step, numbers, ranges=dict.fromkeys(numbers, NOT_NEGATIVE))


@combinator
def scaled(rule: Rule) -> Rule:
    """Multiply the gradient by `gradient_scale`, a number of the step: clipping by the norm of all
    gradients is that.
    """

    def step(values: Values, inner: Inner) -> Values:
        dw = rule.schema.gradient
        values[dw] = values[dw] * values["gradient_scale"]
        return inner(values)

    return made(rule, scaled, step, {"gradient_scale": 1.0})


@combinator
def unscaled(rule: Rule) -> Rule:
    """Divide the gradient by `grad_scale`, which the loss was multiplied by so that small gradients
    survive in float16; where `found_inf` is not 0 the step changes nothing.

    The two are what torch.amp.GradScaler hands to a step.
    """

    def step(values: Values, inner: Inner) -> Values:
        dw = rule.schema.gradient
        old = dict(values)
        values[dw] = values[dw] / values["grad_scale"]
        stays = values["found_inf"] != 0
        return {name: where(stays, old[name], new) for name, new in inner(values).items()}

    return made(rule, unscaled, step, {"grad_scale": 1.0, "found_inf": 0.0})
