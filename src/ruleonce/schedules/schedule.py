"""What every schedule is: a formula with its numbers, made by a function of the numbers alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec  # the arguments of a schedule are of several kinds

from .arguments import FOREVER, check_together, checked

P = ParamSpec("P")
Formula = Callable[Concatenate[int, P], float]


@dataclass(frozen=True, repr=False)
class Schedule:
    """A formula with its numbers: call it with the step count `t`, from 1 up."""

    name: str
    arguments: tuple[tuple[str, Any], ...]

    def __call__(self, t: int) -> float:
        """The value at step `t`."""
        return _FORMULAS[self.name](min(t - 1, FOREVER), **dict(self.arguments))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


_FORMULAS: dict[str, Callable[..., float]] = {}


def made_with_numbers(formula: Formula[P]) -> Callable[P, Schedule]:
    """Make a formula of (steps done, numbers ...) a function of the numbers alone."""
    _FORMULAS[formula.__name__] = formula
    own = signature(formula)
    numbers = own.replace(parameters=list(own.parameters.values())[1:], return_annotation=Schedule)

    @wraps(formula)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        bound = numbers.bind(*args, **kwargs)
        bound.apply_defaults()
        name = formula.__name__
        made = Schedule(name, tuple((k, checked(name, k, v)) for k, v in bound.arguments.items()))
        check_together(name, dict(made.arguments))
        return made

    make.__signature__ = numbers  # type: ignore[attr-defined]  # help() and editors read it
    return make
