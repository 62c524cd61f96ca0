"""The hyperparameters of an optimizer, and groups of parameters with overrides."""

from collections.abc import Iterator, Mapping, MutableMapping
from fnmatch import fnmatchcase

from ..errors import StructureError
from ..language.hyperparameters import (
    Schedule,
    Value,
    check_names,
    checked_number,
)
from ..errors import HyperparameterError
from ..language.schema import Schema


class Hyperparameters(MutableMapping[str, Value]):
    """A mapping name -> number, switch or schedule; it takes only what the rule can use.

    Setting a value takes effect at the next step. A refused value changes nothing.
    """

    def __init__(self, schema: Schema, values: Mapping[str, Value]) -> None:
        self._schema = schema
        self._values: dict[str, Value] = {}
        self.version = 0
        check_names(schema.name, values, schema.hyperparameters)
        for name, value in values.items():
            self[name] = value

    def __getitem__(self, name: str) -> Value:
        check_names(self._schema.name, [name], self._schema.hyperparameters)
        return self._values[name]

    def __setitem__(self, name: str, value: Value) -> None:
        check_names(self._schema.name, [name], self._schema.hyperparameters)
        self._values[name] = self._checked(name, value)
        self.version += 1

    def __delitem__(self, name: str) -> None:
        raise HyperparameterError(f"{self._schema.name} needs its hyperparameter {name!r}.")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        return repr(self._values)

    def _checked(self, name: str, value: Value) -> Value:
        schema = self._schema
        if name in schema.switches:
            if not isinstance(value, bool):
                raise HyperparameterError(
                    f"{schema.name}: {name} is {value!r}; it is a switch: True or False."
                )
            return value
        if callable(value):
            return value
        return checked_number(schema.name, name, value, schema.ranges.get(name))


class Group:
    """Parameters that share their hyperparameters: the optimizer's, then overrides, the last wins.

    scalars   the values of the rule's scalar state
    """

    def __init__(self, schema: Schema, layers: tuple[Hyperparameters, ...]) -> None:
        self._schema = schema
        self._layers = layers
        self._version = -1
        self._numbers: tuple[float, ...] = ()
        self._schedules: dict[int, Schedule] = {}
        self.switches: dict[str, bool] = {}
        self.refresh()
        self.scalars = tuple(float(self.start(name)) for name in schema.scalars)

    def refresh(self) -> bool:
        """Take over what was set since the last time; True if a switch has changed."""
        version = 0
        for layer in self._layers:
            version += layer.version
        if version == self._version:
            return False
        values = self.values()
        before = self.switches
        self.switches = {name: bool(values[name]) for name in self._schema.switches}
        numbers = [values[name] for name in self._schema.numbers]
        self._schedules = {i: x for i, x in enumerate(numbers) if callable(x)}
        self._numbers = tuple(0.0 if callable(x) else x for x in numbers)
        self._version = version
        return before != self.switches

    def values(self) -> dict[str, Value]:
        """Every hyperparameter, overrides applied."""
        merged: dict[str, Value] = {}
        for layer in self._layers:
            merged |= layer
        return merged

    def inputs(self, t: int) -> tuple[float, ...]:
        """The values of `Schema.step_inputs` at step `t`.

        Raises HyperparameterError if a schedule gives a number that its hyperparameter cannot be.
        """
        if not self._schedules:
            return self._numbers + self.scalars + (t,)  # noqa: RUF005  (faster than unpacking)
        numbers = list(self._numbers)
        for place, schedule in self._schedules.items():
            numbers[place] = self._scheduled(self._schema.numbers[place], schedule, t)
        return (*numbers, *self.scalars, t)

    def start(self, state: str) -> float:
        """Where a state starts: a number, or the value of a hyperparameter at the first step."""
        start = self._schema.initial.get(state, 0.0)
        if not isinstance(start, str):
            return start
        value = self.values()[start]
        return self._scheduled(start, value, 1) if callable(value) else value

    def _scheduled(self, name: str, schedule: Schedule, t: int) -> float:
        schema = self._schema
        value = schedule(t)
        try:
            return checked_number(schema.name, name, value, schema.ranges.get(name))
        except HyperparameterError as error:
            raise HyperparameterError(f"{error} (from its schedule, at t = {t})") from None


def groups_of(
    schema: Schema,
    base: Hyperparameters,
    overrides: Mapping[str, Hyperparameters],
    names: tuple[str, ...],
) -> tuple[list[Group], list[int]]:
    """The groups that the patterns make of the parameters, and the group of each parameter.

    Raises StructureError for a pattern that no name matches.
    """
    for pattern in overrides:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise StructureError(
                f"the group {pattern!r} matches no parameter; they are called "
                f"{', '.join(map(repr, names[:6]))}{', ...' if len(names) > 6 else ''}. "
                "A pattern may hold * and ?."
            )
    matched = [tuple(p for p in overrides if fnmatchcase(name, p)) for name in names]
    kinds = list(dict.fromkeys(matched)) or [()]
    groups = [Group(schema, (base, *(overrides[p] for p in patterns))) for patterns in kinds]
    return groups, [kinds.index(patterns) for patterns in matched]
