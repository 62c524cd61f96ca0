"""Optimizer: any rule over NumPy arrays."""

import copy
import json
import os
from collections.abc import Iterator, Mapping
from operator import is_
from types import MappingProxyType
from typing import Any, Self  # Any: arrays of any dtype, in any nesting

import numpy as np

from ..engines import FORGOTTEN, Engine, load
from ..engines.memory import order_of
from ..errors import RuleError
from ..formats import format_of
from ..language.hyperparameters import Value, check_names
from ..language.rule import Rule
from . import checkpoint
from .gradients import Array, check_parameters, checked_gradient
from .groups import Hyperparameters, groups_of, overrides_of
from .launches import Expected, Launches, Parameters
from .structure import Structure, Tree


class Optimizer:
    """Update parameters in place by a rule.

    rule             a function decorated with @rule
    params           one array, or lists, tuples and dicts of arrays, to any depth; float64,
                     float32, float16 or bfloat16. They are updated in place. Arrays that
                     are not contiguous work, at the cost of two copies a step.
    groups           {"pattern": {name: value}}: other hyperparameters for the parameters whose name
                     matches; names are paths such as "layers.0.weight", patterns may hold * and ?.
                     Where several match, all apply, and the last wins.
    engine           "auto" (the fastest that is installed), "cpu" or "reference"
    state_dtype      the dtype of the state; that of the weights if it is not given
    hyperparameters  the rule's own, by name: a number, or a schedule (a function of the step count
                     t, which is 1 at the first step)

    t                how many steps were taken
    hyperparameters  readable, and settable between steps
    state            state name -> arrays, nested as the parameters are

    Raises, before anything is written, RuleError, UnknownNameError, HyperparameterError,
    TensorError and its kinds, EngineError: see ruleonce.errors.
    """

    def __init__(
        self,
        rule: Rule,
        params: Tree,
        *,
        groups: Mapping[str, Mapping[str, Value]] | None = None,
        engine: str = "auto",
        state_dtype: object = None,
        **hyperparameters: Value,
    ) -> None:
        if not isinstance(rule, Rule):
            raise RuleError(
                f"Optimizer takes a rule, a function decorated with @rule; found {rule!r}."
            )
        schema = rule.schema
        check_names(rule.name, hyperparameters, schema.hyperparameters)
        self.rule = rule
        self.params = params
        self.t = 0
        self._hyperparameters = Hyperparameters(schema, schema.hyperparameters | hyperparameters)
        self._overrides = overrides_of(schema, groups or {})
        self._engine_name = engine
        self._engine: Engine = load(engine)
        self._structure = Structure.of(params)
        self._weights: list[Array] = self._structure.flatten(params, "parameters")
        check_parameters(self._weights, self.names)
        self._groups, self._group_of = groups_of(
            schema, self._hyperparameters, self._overrides, self.names
        )
        for switches in {tuple(group.switches.items()) for group in self._groups}:
            rule.traced(**dict(switches))  # a mistake in the rule shows now, not at the first step
        self._states = [
            self._groups[group].new_state(weights, state_dtype)
            for weights, group in zip(self._weights, self._group_of, strict=True)
        ]
        self._get_ready()

    def _get_ready(self) -> None:
        """What follows from the rest, and is made anew for a copy."""
        # Gradients are taken to have the format of their weights until others come. NumPy has one
        # object for each dtype, but an array that was unpickled, or is byte-swapped, has its own.
        formats = [format_of(x.dtype, "the parameter") for x in self._weights]
        self._expected: Expected = [
            (x.shape, form.dtype) for x, form in zip(self._weights, formats, strict=True)
        ]
        self._has_scalars = bool(self.rule.scalars)
        self._version = -1
        self._forget()

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Name -> number, switch or schedule; what is set holds from the next step on."""
        return self._hyperparameters

    @property
    def groups(self) -> Mapping[str, Hyperparameters]:
        """Pattern -> the hyperparameters that it overrides, settable as the optimizer's own are."""
        return MappingProxyType(self._overrides)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each parameter: its path, such as "layers.0.weight"."""
        return self._structure.names

    def step(self, gradients: Tree) -> None:
        """Take one step: update the parameters and the state in place.

        gradients   nested as the parameters are, each of the shape of its weights; any of the
                    dtypes that parameters may have. They are only read.

        Raises StructureError, TensorError or HyperparameterError, and then nothing has changed.
        """
        t = self.t + 1
        leaves = self._structure.flatten(gradients, "gradients")
        if self._version != self._hyperparameters.version:
            self._refresh()
        known = all(map(is_, leaves, self._last))
        if not known:
            self._check(leaves)
        inputs = []
        for group in self._groups:  # a comprehension costs a call, and there is mostly one group
            inputs.append(group.inputs(t))  # noqa: PERF401
        launches = self._launches or self._new_launches()
        try:
            for launch, places in launches:
                if places is None:
                    launch.prepare(None if known else leaves, inputs)
                else:
                    launch.prepare([leaves[place] for place in places], inputs)
        except BaseException:  # Ctrl-C too may leave a launch half prepared
            self._forget()
            raise
        try:
            for launch, _ in launches:
                launch.run()
            self.t = t
            if self._has_scalars:
                self._take_scalars(launches)
        except BaseException:  # Ctrl-C: the step is done to its end, and then the loop is left
            self._finish(launches, t)
            raise

    @property
    def state(self) -> dict[str, Any]:
        """State name -> arrays nested as the parameters are (the optimizer's own, not copies), or
        one number for scalar state (a list of numbers, one a group, if there are groups).
        """
        found: dict[str, Any] = {
            name: self._structure.unflatten(iter([states[place] for states in self._states]))
            for place, name in enumerate(self.rule.state)
        }
        for place, name in enumerate(self.rule.scalars):
            numbers = [group.scalars[place] for group in self._groups]
            found[name] = numbers[0] if len(numbers) == 1 else numbers
        return found

    @property
    def nbytes(self) -> int:
        """The memory of the state, in bytes."""
        return sum(state.nbytes for states in self._states for state in states)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights, state, step count and hyperparameters to a safetensors file.

        The file appears whole or not at all: it is written beside `path`, flushed to the disk, and
        then renamed. Schedules are not saved. Raises MissingLibraryError without safetensors.
        """
        checkpoint.save(path, self._snapshot())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from a saved file: take its weights, state, step count and hyperparameters.

        A run that goes on equals one that was never interrupted, bit for bit. Where this optimizer
        has a schedule, it is kept. Raises CheckpointError, naming the first difference, if the file
        is of another rule or of other parameters; then nothing has changed.
        """
        loaded = checkpoint.load(path, self._snapshot())
        for array, new in loaded.pairs:
            array[...] = new
        self.t = loaded.t
        for (_, own), values in zip(self._layers(), loaded.hyperparameters, strict=True):
            own.update(values)
        for group, numbers in zip(self._groups, loaded.scalars, strict=True):
            group.scalars = numbers

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """An optimizer of copies of the parameters, with the same rule."""
        memo |= {id(self.rule): self.rule, id(self.rule.schema): self.rule.schema}
        twin = memo[id(self)] = object.__new__(type(self))
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """For `copy.deepcopy` and `pickle`: all but what belongs to this process."""
        derived = ("_engine", "_expected", "_last", "_launches")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # A copy of weights with strides may lie in another order than they did.
        self._states = [
            tuple(np.asarray(state, order=order_of(weights)) for state in states)
            for weights, states in zip(self._weights, self._states, strict=True)
        ]
        self._engine = load(self._engine_name)
        self._get_ready()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters.items())
        count = sum(x.size for x in self._weights)
        return (
            f"<Optimizer {self.rule.name}({values}): t={self.t}, {count:,} parameters in "
            f"{len(self._weights)} array{'s' if len(self._weights) != 1 else ''}>"
        )

    def _snapshot(self) -> checkpoint.Snapshot:
        tensors: dict[str, Array] = {}
        for name, weights, states in zip(self.names, self._weights, self._states, strict=True):
            kinds = (self.rule.schema.weights, *self.rule.state)
            for kind, array in zip(kinds, (weights, *states), strict=True):
                tensors[f"{kind}/{name}" if name else kind] = array
        return checkpoint.Snapshot(
            rule=self.rule.name,
            t=self.t,
            tensors=tensors,
            hyperparameters=list(self._layers()),
            scalars={json.dumps(group.patterns): group.scalars for group in self._groups},
        )

    def _layers(self) -> Iterator[tuple[str, Hyperparameters]]:
        """The optimizer's own hyperparameters, as "", and those of each pattern."""
        yield "", self._hyperparameters
        yield from self._overrides.items()

    def _check(self, leaves: list[Any]) -> None:
        """Check the gradients; take note of their formats.

        One that needs more than a look (a number for a 0-dimensional parameter, another dtype than
        at the last step) is replaced in `leaves` by an array.
        """
        expected: Expected | None = None
        place = -1
        for gradient in leaves:  # counted by hand: this is a part of every step with new gradients
            place += 1
            shape, dtype = self._expected[place]
            if (
                type(gradient) is not np.ndarray
                or gradient.dtype is not dtype
                or gradient.shape != shape
            ):
                array = checked_gradient(gradient, self._weights[place], self.names[place])
                leaves[place] = array
                form = format_of(array.dtype, "the gradient")
                if form.dtype is not dtype:
                    expected = expected or list(self._expected)
                    expected[place] = (shape, form.dtype)
        if expected is not None:
            self._forget()
            self._expected = expected

    def _forget(self) -> None:
        """The launches no longer fit, nor do the gradients that they remember."""
        # The gradients that the one launch remembers. With several launches none is known here.
        self._last: list[object] = [FORGOTTEN] * len(self._weights)
        self._launches: Launches | None = None

    def _finish(self, launches: Launches, t: int) -> None:
        for launch, _ in launches:
            launch.run()
        self.t = t
        self._take_scalars(launches)

    def _take_scalars(self, launches: Launches) -> None:
        for launch, _ in launches:
            for group, numbers in launch.scalars.items():
                self._groups[group].scalars = numbers

    def _refresh(self) -> None:
        """Take over the hyperparameters that were set since the last step."""
        self._version = -1 if self._overrides else self._hyperparameters.version
        changed = [group.refresh() for group in self._groups]
        if any(changed):
            self._forget()

    def _new_launches(self) -> Launches:
        known = Parameters(self.rule, self._weights, self._states, self._groups, self._group_of)
        self._launches = known.launches(self._engine, self._expected)
        if len(self._launches) == 1:
            self._last = self._launches[0][0].last
        return self._launches
