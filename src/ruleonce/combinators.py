"""Combinators: plain functions that make a rule of a rule.

What comes out is a rule like any other: it compiles to one kernel, and combines again. Equal
arguments give the same rule.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any  # a rule takes numbers, or arrays of any library

from .errors import RuleError
from .language.functions import where
from .language.rule import Rule

Values = dict[str, Any]
Inner = Callable[[Values], Values]

_combinator = lru_cache(maxsize=1024)


@_combinator
def coupled_decay(rule: Rule) -> Rule:
    """Weight decay as a part of the gradient: that of half the weights' squared length is added.

    The hyperparameter `weight_decay` says how much. A rule that scales its gradient scales the
    decay with it; `decoupled_decay` does not.
    """

    def step(values: Values, inner: Inner) -> Values:
        w, dw = rule.schema.weights, rule.schema.gradient
        values[dw] = values[dw] + values["weight_decay"] * values[w]
        return inner(values)

    return _made(rule, coupled_decay, step, {"weight_decay": 0.0})


@_combinator
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

    return _made(rule, decoupled_decay, step, {"weight_decay": 0.0})


@_combinator
def maximized(rule: Rule) -> Rule:
    """Go with the gradient instead of against it."""

    def step(values: Values, inner: Inner) -> Values:
        dw = rule.schema.gradient
        values[dw] = -values[dw]
        return inner(values)

    return _made(rule, maximized, step, {})


@_combinator
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

    return _made(rule, with_momentum, step, {"momentum": 0.9}, state=("velocity",))


@_combinator
def scaled(rule: Rule) -> Rule:
    """Multiply the gradient by `gradient_scale`, a number of the step: clipping by the norm of all
    gradients is that.
    """

    def step(values: Values, inner: Inner) -> Values:
        dw = rule.schema.gradient
        values[dw] = values[dw] * values["gradient_scale"]
        return inner(values)

    return _made(rule, scaled, step, {"gradient_scale": 1.0})


@_combinator
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

    return _made(rule, unscaled, step, {"grad_scale": 1.0, "found_inf": 0.0})


@_combinator
def averaged(rule: Rule) -> Rule:
    """Keep a moving average of the weights, of which a step keeps the share `average_decay`.

    Its state `average` is to start as the weights; a front end sees to that.
    """

    def step(values: Values, inner: Inner) -> Values:
        decay, average = values["average_decay"], values["average"]
        new = inner(values)
        new["average"] = decay * average + (1 - decay) * new[rule.schema.weights]
        return new

    return _made(rule, averaged, step, {"average_decay": 0.999}, state=("average",))


def _made(
    rule: Rule,
    combinator: Callable[[Rule], Rule],
    step: Callable[[Values, Inner], Values],
    hyperparameters: Mapping[str, float],
    state: tuple[str, ...] = (),
) -> Rule:
    """The rule that `step` makes of `rule`.

    step   (arguments by name, the rule) -> the new weights and state by name
    """
    schema, verb = rule.schema, combinator.__name__
    for name in (*hyperparameters, *state):
        if name in schema.signature.parameters:
            raise RuleError(
                f"{verb}({rule.name}): {rule.name} has an argument `{name}` of its own, and the "
                "two would not be told apart. Rename the one in the rule."
            )

    def inner(values: Values) -> Values:
        positional = [values[name] for name in schema.positional]
        keywords = {name: values[name] for name in schema.hyperparameters}
        return dict(zip(schema.returns, rule(*positional, **keywords), strict=True))

    signature = _signature(schema.signature, hyperparameters, state)

    def function(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        new = step(dict(bound.arguments), inner)
        return tuple(new[name] for name in (*schema.returns, *state))

    function.__name__ = function.__qualname__ = f"{rule.name}_{verb}"
    function.__module__ = rule.module
    rest = (inspect.getdoc(rule.function) or "").partition("\n")[2].strip()
    function.__doc__ = f"{rule.summary}\n\n{verb}: {inspect.getdoc(combinator)}\n\n{rest}"
    function.__signature__ = signature  # type: ignore[attr-defined]  # inspect reads it
    made = Rule(function, schema.initial, schema.ranges)
    made.made_by = (combinator, rule)
    return made


def _signature(
    own: inspect.Signature, hyperparameters: Mapping[str, float], state: tuple[str, ...]
) -> inspect.Signature:
    """The signature of a rule with more state, and with more hyperparameters."""
    parameter = inspect.Parameter
    positional = [p for p in own.parameters.values() if p.kind is not parameter.KEYWORD_ONLY]
    keyword = [p for p in own.parameters.values() if p.kind is parameter.KEYWORD_ONLY]
    return inspect.Signature(
        [
            *positional,
            *(parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in state),
            *keyword,
            *(
                parameter(name, parameter.KEYWORD_ONLY, default=default)
                for name, default in hyperparameters.items()
            ),
        ]
    )
