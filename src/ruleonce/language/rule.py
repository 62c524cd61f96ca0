"""@rule: an update rule, read off a plain function.

The signature is the schema, and nothing else declares it; the body is the formula, and nothing
else states it.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, update_wrapper
from types import MappingProxyType
from typing import Any, overload  # a rule takes numbers, or arrays of any library

import numpy as np

from ..errors import RuleError
from .card import card, source
from .graph import evaluate
from .hyperparameters import check_names
from .latex import latex
from .program import Program
from .schema import Schema, read_schema
from .symbol import Symbol
from .trace import Traced, note_nested, trace

Function = Callable[..., Any]


class Rule:
    """An update rule: one step for the weights `w`, given their gradient.

    Call it as the function that it is, on Python's numbers or on NumPy, torch or JAX arrays:
    `w, m, v = adam(w, dw, m, v, t, learning_rate=0.1)`. The result is always a tuple: the new
    weights, then every state in the order of the signature. Nothing that is passed in changes.

    name             of the function
    summary          the first line of its docstring
    schema           what its signature says: tensors, scalars, hyperparameters
    made_by          the combinator that made it, of which rule, and with what; None for one that
                     was written
    """

    made_by: "tuple[Any, ...] | None" = None

    def __init__(
        self,
        function: Function,
        initial: Mapping[str, float | str],
        ranges: Mapping[str, tuple[float, float]],
    ) -> None:
        self.function = function
        self.schema: Schema = read_schema(function, initial, ranges)
        self._traces: dict[tuple[bool, ...], Traced] = {}
        update_wrapper(self, function)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.schema.name

    @property
    def module(self) -> str:
        """The module that the rule was written in."""
        return self.function.__module__

    @property
    def state(self) -> tuple[str, ...]:
        """The names of its state tensors, in order."""
        return self.schema.state

    @property
    def scalars(self) -> tuple[str, ...]:
        """The names of its scalar state, in order."""
        return self.schema.scalars

    @property
    def hyperparameters(self) -> Mapping[str, float | bool]:
        """The names of its hyperparameters, with their defaults."""
        return MappingProxyType(self.schema.hyperparameters)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].strip()

    @cached_property
    def source(self) -> str:
        """Its lines, as they were written; its formulas, where Python did not keep the lines."""
        return source(self)

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Compute one step; see the class."""
        if any(isinstance(value, Symbol) for value in (*args, *kwargs.values())):
            note_nested(self.function)
            return self.returned(self.function(*args, **kwargs))
        if any(isinstance(value, np.ndarray) for value in args[:2]):
            return self._on_numpy(args, kwargs)
        if args and hasattr(args[0], "clone"):  # torch
            return self._unchanged_inputs(args, kwargs, lambda x: x.clone())
        return self.returned(self.function(*args, **kwargs))

    def traced(self, **switches: bool) -> Traced:
        """The graph of the rule for these values of its static switches; the rest are defaults.

        Raises RuleError, naming the line, for what the language cannot hold.
        """
        check_names(self.name, switches, self.schema.switches)
        values = self.schema.switches | switches
        key = tuple(values.values())
        if key not in self._traces:
            # Two threads may both trace it; the first one's stays, so a rule has one program.
            self._traces.setdefault(key, trace(self, values))
        return self._traces[key]

    def program(self, **switches: bool) -> Program:
        """The rule as engines take it, for these values of its static switches."""
        return self.traced(**switches).program

    def latex(self, **switches: bool) -> str:
        """Its formulas in LaTeX, one line for each value that the author gave a name."""
        return latex(self.traced(**switches).program)

    def __str__(self) -> str:
        return card(self)

    def __repr__(self) -> str:
        return f"<rule {self.schema}>"

    def __copy__(self) -> "Rule":
        return self  # nothing in it changes

    def __deepcopy__(self, _: object) -> "Rule":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.made_by is not None:
            return (self.made_by[0], self.made_by[1:])
        # By name, as functions are pickled: the decorated name holds the rule.
        if "<" in self.function.__qualname__:
            raise RuleError(
                f"{self.schema.place}: {self.name} cannot be pickled: a rule is pickled by its "
                "name, and this one has none outside of the function that it was made in.\n"
                "  Write it with `def` at the top of a module."
            )
        return (_named, (self.module, self.function.__qualname__))

    def returned(self, result: Any) -> tuple[Any, ...]:
        """What the function returned, as a tuple of the right length, or a RuleError."""
        wanted = self.schema.returns
        if not isinstance(result, (tuple, list)):
            if len(wanted) == 1 and result is not None:
                return (result,)
            found = "nothing" if result is None else "1 value"
        elif len(result) != len(wanted):
            found = f"{len(result)} value{'s' if len(result) != 1 else ''}"
        else:
            return tuple(result)
        missing = f" (each state is returned: {', '.join(wanted[1:])})" if len(wanted) > 1 else ""
        gradient = self.schema.gradient
        has_gradient = isinstance(result, (tuple, list)) and any(
            isinstance(value, Symbol) and value.node.name == gradient for value in result
        )
        also = f" The gradient {gradient} is not returned." if has_gradient else ""
        raise RuleError(
            f"{self.schema.place}: {self.name} returned {found}, and its signature asks for "
            f"{len(wanted)}{missing}.{also}\n  Write: return {', '.join(wanted)}"
        )

    def _on_numpy(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        results = self._unchanged_inputs(args, kwargs, np.copy)
        values = self.schema.bind(args, kwargs)
        tensors = (values[name] for name in self.schema.tensors)
        dtype = np.result_type(*(x.dtype for x in tensors if hasattr(x, "dtype")))
        if dtype.kind in "biu":  # whole numbers have no precision to keep: NumPy's float64 it is
            return results
        new = dict(zip(self.schema.returns, results, strict=True))
        outputs = (new[name] for name in (self.schema.weights, *self.schema.state))
        if all(getattr(output, "dtype", dtype) == dtype for output in outputs):
            return results
        return self._in_precision(values, dtype)

    def _unchanged_inputs(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], copy: Callable[[Any], Any]
    ) -> tuple[Any, ...]:
        """Run the function; a rule that writes `w += ...` gets copies of its arrays."""
        values = self.schema.bind(args, kwargs)
        switches = {name: bool(values[name]) for name in self.schema.switches}
        if self.traced(**switches).in_place:
            args = tuple(copy(x) if hasattr(x, "dtype") else x for x in args)
        return self.returned(self.function(*args, **kwargs))

    def _in_precision(self, values: dict[str, Any], dtype: np.dtype[Any]) -> tuple[Any, ...]:
        """The rule in the precision of its arrays, where NumPy left it.

        `where(dw > 0, 1.0, -1.0)` has no array to take a precision from, and NumPy chooses float64;
        so it does for np.sqrt of a Python number. The meaning is the precision of the tensors, as
        in every engine: the same operations, in the same order, on numbers rounded to it.
        """
        switches = {name: bool(values[name]) for name in self.schema.switches}
        traced = self.traced(**switches)

        def rounded(value: Any) -> Any:
            return value if isinstance(value, bool) else dtype.type(value)

        return tuple(evaluate(traced.returns, values, np, rounded))


def _named(module: str, qualname: str) -> Any:
    import importlib

    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


@overload
def rule(function: Function, /) -> Rule: ...
@overload
def rule(
    *,
    initial: Mapping[str, float | str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Callable[[Function], Rule]: ...
def rule(
    function: Function | None = None,
    /,
    *,
    initial: Mapping[str, float | str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Rule | Callable[[Function], Rule]:
    """Make a rule of a function: `def adam(w, dw, m, v, t, *, learning_rate=1e-3, ...)`.

    The first two arguments are the weights and their gradient. Further ones are state, a tensor of
    the shape of the weights each, or one number if annotated `Scalar`; `t` is the step count, 1 at
    the first step. Keyword-only arguments are hyperparameters with their defaults; a bool is a
    switch that picks the formula when the rule is traced. The function returns the new weights,
    then every state in the order of the signature.

    initial   state name -> where it starts (a number, or the name of a hyperparameter); otherwise 0
    ranges    hyperparameter name -> (low, high): it must be at least low and below high. The
              standard names (learning_rate, beta1, eps ...) have ranges already.

    Raises RuleError if the signature is not that of a rule.
    """
    if function is None:
        return lambda function: Rule(function, initial or {}, ranges or {})
    if not callable(function):
        raise RuleError(f"@rule takes a function, not {function!r}.")
    return Rule(function, initial or {}, ranges or {})
