"""Schema: what the signature of a rule says."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
)  # the function of a rule takes numbers, or arrays of any library

from ..errors import RuleError
from .hyperparameters import RANGES, Range, checked_number, nearest

if TYPE_CHECKING:
    Scalar = Any  # a type checker is to see a number that a rule computes with
else:

    class Scalar:
        """Marks state that is one number for the whole optimizer: `def f(w, dw, mu: Scalar)`."""


@dataclass(frozen=True)
class Schema:
    """The arguments of a rule, by what they are.

    name             of the rule
    place            file and line of its definition, for messages
    weights          the name of the first argument
    gradient         the name of the second
    positional       every positional argument, in order
    state            the state tensors among them
    scalars          the scalar state among them
    takes_t          whether `t` is among them
    hyperparameters  name -> default, in order
    initial          state or scalar -> where it starts: a number or the name of a hyperparameter
    ranges           hyperparameter -> (low, high)
    """

    name: str
    place: str
    positional: tuple[str, ...]
    scalars: tuple[str, ...]
    hyperparameters: dict[str, float | bool]
    signature: inspect.Signature = field(repr=False)
    initial: Mapping[str, float | str] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)

    @property
    def weights(self) -> str:
        """The name of the weights."""
        return self.positional[0]

    @property
    def gradient(self) -> str:
        """The name of the gradient."""
        return self.positional[1]

    @property
    def takes_t(self) -> bool:
        """Whether the rule depends on the step count."""
        return "t" in self.positional

    @property
    def state(self) -> tuple[str, ...]:
        """The names of the state tensors."""
        return tuple(x for x in self.positional[2:] if x not in self.scalars and x != "t")

    @property
    def tensors(self) -> tuple[str, ...]:
        """The weights, the gradient and the state tensors."""
        return (self.weights, self.gradient, *self.state)

    @property
    def returns(self) -> tuple[str, ...]:
        """What the rule returns: the weights, then every state in the order of the signature."""
        return (self.weights, *(x for x in self.positional[2:] if x != "t"))

    @property
    def switches(self) -> dict[str, bool]:
        """The static hyperparameters, with their defaults."""
        return {k: v for k, v in self.hyperparameters.items() if isinstance(v, bool)}

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the hyperparameters that are numbers."""
        return tuple(k for k, v in self.hyperparameters.items() if not isinstance(v, bool))

    @property
    def step_inputs(self) -> tuple[str, ...]:
        """What arrives once a step: hyperparameters, scalar state and the step count."""
        return (*self.numbers, *self.scalars, "t")

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, defaults included."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def __str__(self) -> str:
        defaults = (f"{name}={value!r}" for name, value in self.hyperparameters.items())
        star = ["*"] if self.hyperparameters else []
        return f"{self.name}({', '.join([*self.positional, *star, *defaults])})"


def read_schema(
    function: Callable[..., Any], initial: Mapping[str, float | str], ranges: Mapping[str, Range]
) -> Schema:
    """The schema of a function, or a RuleError that says what its signature should be."""
    name = getattr(function, "__name__", type(function).__name__)
    place = _place(function)
    signature = inspect.signature(function)

    def refuse(message: str) -> RuleError:
        return RuleError(
            f"{place}: {name}{signature}: {message}\n"
            "  A rule starts with the weights and their gradient, then its state, then t; its "
            "hyperparameters stand after `*` with their defaults:\n"
            "  def adam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9)"
        )

    positional: list[str] = []
    scalars: list[str] = []
    hyperparameters: dict[str, float | bool] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise refuse(f"`{parameter}` leaves open what the rule takes; name each argument.")
        if parameter.kind is parameter.KEYWORD_ONLY:
            hyperparameters[parameter.name] = _default(parameter, refuse)
            continue
        if parameter.default is not parameter.empty:
            raise refuse(
                f"`{parameter.name}` has a default, so it looks like a hyperparameter, but it "
                "stands before the `*`."
            )
        positional.append(parameter.name)
        if _is_scalar(parameter.annotation):
            scalars.append(parameter.name)
    if len(positional) < 2 or "t" in positional[:2] or set(scalars) & set(positional[:2]):
        raise refuse("its first two arguments must be the weights and their gradient, w and dw.")
    if "t" in hyperparameters:
        raise refuse("`t` is the step count; it stands among the arguments before the `*`.")
    schema = Schema(
        name=name,
        place=place,
        positional=tuple(positional),
        scalars=tuple(scalars),
        hyperparameters=hyperparameters,
        signature=signature,
        initial=dict(initial),
        ranges={k: v for k, v in RANGES.items() if k in hyperparameters} | dict(ranges),
    )
    _check_options(schema, refuse)
    return schema


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else "a rule"


def _is_scalar(annotation: object) -> bool:
    # `from __future__ import annotations` leaves the text of the annotation.
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "Scalar"
    return annotation is Scalar


def _default(parameter: inspect.Parameter, refuse: Callable[[str], RuleError]) -> float | bool:
    name, value = parameter.name, parameter.default
    if value is parameter.empty:
        raise refuse(f"the hyperparameter `{name}` needs a default: {name}=...")
    if not isinstance(value, (bool, int, float)):
        raise refuse(
            f"the default of `{name}` is {value!r}; it must be a number, or True or False for a "
            "switch that picks the formula."
        )
    return value


def _check_options(schema: Schema, refuse: Callable[[str], RuleError]) -> None:
    """The arguments of @rule itself, and the defaults against their ranges."""
    states = schema.returns[1:]
    for name, start in schema.initial.items():
        if name not in states:
            raise refuse(f"initial= names {name!r}, which is no state{nearest(name, states)}")
        if isinstance(start, str) and start not in schema.numbers:
            raise refuse(
                f"initial={{{name!r}: {start!r}}} names no hyperparameter"
                f"{nearest(start, schema.numbers)}"
            )
        if not isinstance(start, (str, int, float)) or isinstance(start, bool):
            raise refuse(f"initial={{{name!r}: {start!r}}} must be a number or a hyperparameter.")
    for name in schema.ranges:
        if name not in schema.numbers:
            raise refuse(
                f"ranges= names {name!r}, which is no hyperparameter{nearest(name, schema.numbers)}"
            )
    for name in schema.numbers:
        default = schema.hyperparameters[name]
        try:
            checked_number(schema.name, name, default, schema.ranges.get(name))
        except ValueError as error:
            raise refuse(f"a default is outside its range. {error}") from None
