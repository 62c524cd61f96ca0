"""How a rule is made of a rule: what all combinators share."""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any  # a rule takes numbers, or arrays of any library

from ..errors import RuleError
from ..language.rule import Rule

Values = dict[str, Any]
Inner = Callable[[Values], Values]

NOT_NEGATIVE = (0.0, math.inf)  # the range of a hyperparameter


def combinator(function: Callable[..., Rule]) -> Callable[..., Rule]:
    """Have equal arguments give the same rule, however they are passed."""
    cached = lru_cache(maxsize=1024)(function)
    signature = inspect.signature(function)

    @wraps(function)
    def once(*args: Any, **kwargs: Any) -> Rule:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return cached(*bound.args)

    once.cache_info = cached.cache_info  # type: ignore[attr-defined]  # as lru_cache has it
    return once


def made(
    rule: Rule,
    combinator: Callable[..., Rule],
    step: Callable[[Values, Inner], Values],
    hyperparameters: Mapping[str, float],
    state: tuple[str, ...] = (),
    *,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    takes_t: bool = False,
    arguments: tuple[float, ...] = (),
) -> Rule:
    """The rule that `step` makes of `rule`.

    step        (arguments by name, the rule) -> the new weights and state by name
    ranges      of its new hyperparameters
    takes_t     whether `step` asks for t, which the rule itself may leave out
    arguments   of the combinator, beside the rule
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

    count = ("t",) if takes_t and not schema.takes_t else ()
    signature = _signature(schema.signature, hyperparameters, (*state, *count))

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
    combined = Rule(function, schema.initial, {**schema.ranges, **(ranges or {})})
    combined.made_by = (combinator, rule, *arguments)
    return combined


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
