"""The hyperparameters of an optimizer, and groups of parameters with overrides."""

from collections.abc import Iterator, Mapping, MutableMapping
from fnmatch import fnmatchcase

import numpy as np

from ..errors import HyperparameterError, StructureError
from ..language.hyperparameters import Schedule, Value, check_names, checked_number
from ..language.schema import Schema


class Hyperparameters(MutableMapping[str, Value]):
    """A mapping name -> number, switch or schedule; it takes only what the rule can use.

    Setting a value takes effect at the next step. A refused value changes nothing. Those of a group
    can be deleted: the optimizer's own then hold again.
    """

    def __init__(
        self, schema: Schema, values: Mapping[str, Value], *, overrides: bool = False
    ) -> None:
        self._schema = schema
        self._overrides = overrides
        self._values: dict[str, Value] = {}
        self.version = 0
        check_names(schema.name, values, schema.hyperparameters)
        for name, value in values.items():
            self[name] = value

    def __getitem__(self, name: str) -> Value:
        check_names(self._schema.name, [name], self._schema.hyperparameters)
        return self._values[name]

    def __setitem__(self, name: str, value: Value) -> None:
        self._values[name] = self.checked(name, value)
        self.version += 1

    def __delitem__(self, name: str) -> None:
        check_names(self._schema.name, [name], self._schema.hyperparameters)
        if not self._overrides:
            raise HyperparameterError(f"{self._schema.name} needs its hyperparameter {name!r}.")
        del self._values[name]
        self.version += 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        return repr(self._values)

    def checked(self, name: str, value: Value) -> Value:
        """`value` as it would be kept; raises HyperparameterError if it cannot be."""
        schema = self._schema
        check_names(schema.name, [name], schema.hyperparameters)
        if name in schema.switches:
            if not isinstance(value, (bool, np.bool_)):
                raise HyperparameterError(
                    f"{schema.name}: {name} is {value!r}; it is a switch: True or False."
                )
            return bool(value)
        if callable(value):
            return value
        return checked_number(schema.name, name, value, schema.ranges.get(name))


class Group:
    """Parameters that share their hyperparameters: the optimizer's, then overrides, the last wins.

    patterns  those that match these parameters
    scalars   the values of the rule's scalar state
    """

    def __init__(
        self,
        schema: Schema,
        patterns: tuple[str, ...],
        base: Hyperparameters,
        overrides: Mapping[str, Hyperparameters],
    ) -> None:
        layers = (base, *(overrides[pattern] for pattern in patterns))
        self.patterns = patterns
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
            return self._numbers + self.scalars + (t,)  # faster than unpacking
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


def overrides_of(schema: Schema, groups: object) -> dict[str, Hyperparameters]:
    """The overrides of each pattern, checked. Raises StructureError, or as Hyperparameters does."""
    if not isinstance(groups, Mapping):
        raise StructureError(f"groups is {groups!r}; {_FORM}")
    for pattern, values in groups.items():
        if not isinstance(pattern, str) or not isinstance(values, Mapping):
            raise StructureError(f"groups has {pattern!r}: {values!r}; {_FORM}")
    return {p: Hyperparameters(schema, values, overrides=True) for p, values in groups.items()}


_FORM = 'it must be like {"*.bias": {"learning_rate": 0.1}}: a pattern, and what it changes.'


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
        if not any(_matches(name, pattern) for name in names):
            raise StructureError(
                f"the group {pattern!r} matches no parameter; they are called "
                f"{', '.join(map(repr, names[:6]))}{', ...' if len(names) > 6 else ''}. "
                "A pattern may hold * and ?."
            )
    matched = [tuple(p for p in overrides if _matches(name, p)) for name in names]
    kinds = list(dict.fromkeys(matched)) or [()]
    groups = [Group(schema, patterns, base, overrides) for patterns in kinds]
    return groups, [kinds.index(patterns) for patterns in matched]


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # a bracket stands for itself
