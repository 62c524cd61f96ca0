"""Optimizer: any rule over NumPy arrays."""

import os
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any  # arrays of any dtype, in any nesting

import numpy as np

from ..engines import FORGOTTEN, Engine, Launch, Work, load
from ..engines.memory import Regions, is_dense
from ..errors import RuleError
from ..formats import Format, format_of
from ..language.hyperparameters import Value, check_names
from ..language.rule import Rule
from . import checkpoint
from .gradients import Array, check_parameters, checked_gradient
from .groups import Group, Hyperparameters, groups_of
from .structure import Structure, Tree


class Optimizer:
    """Update parameters in place by a rule.

    rule             a function decorated with @rule
    params           one array, or lists, tuples and dicts of arrays, to any depth; float64, float32,
                     float16 or bfloat16. They are updated in place. Arrays that are not contiguous
                     work, at the cost of two copies a step.
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
            raise RuleError(f"Optimizer takes a rule, a function decorated with @rule; found {rule!r}.")
        schema = rule.schema
        check_names(rule.name, hyperparameters, schema.hyperparameters)
        self.rule = rule
        self.params = params
        self.t = 0
        self.hyperparameters = Hyperparameters(schema, schema.hyperparameters | hyperparameters)
        self.groups = {p: Hyperparameters(schema, o) for p, o in (groups or {}).items()}
        self._engine: Engine = load(engine)
        self._structure = Structure.of(params)
        self.names = self._structure.names
        self._weights: list[Array] = self._structure.flatten(params, "parameters")
        check_parameters(self._weights, self.names)
        self._groups, self._group_of = groups_of(
            schema, self.hyperparameters, self.groups, self.names
        )
        for switches in {tuple(group.switches.items()) for group in self._groups}:
            rule.traced(**dict(switches))  # a mistake in the rule shows now, not at the first step
        self._states = [self._new_state(i, state_dtype) for i in range(len(self._weights))]
        dense = [x for x in self._weights if is_dense(x)]
        self._regions = Regions([*dense, *(s for states in self._states for s in states)])
        # Gradients are taken to have the format of their weights until others come.
        self._formats = [format_of(x.dtype, "the parameter") for x in self._weights]
        self._expected = [(x.shape, x.dtype) for x in self._weights]
        # The gradients that the one launch remembers. With several launches none is known here.
        self._last: list[object] = [FORGOTTEN] * len(self._weights)
        self._has_scalars = bool(schema.scalars)
        self._version = -1
        self._launches: list[tuple[Launch, list[int] | None]] | None = None

    def step(self, gradients: Tree) -> None:
        """Take one step: update the parameters and the state in place.

        gradients   nested as the parameters are, each of the shape of its weights; any of the
                    dtypes that parameters may have. They are only read.

        Raises StructureError, TensorError or HyperparameterError, and then nothing has changed.
        """
        t = self.t + 1
        leaves = self._structure.flatten(gradients, "gradients")
        known = all(map(is_, leaves, self._last))
        if not known:
            self._check(leaves)
        if self._version != self.hyperparameters.version:
            self._refresh()
        inputs = []
        for group in self._groups:  # a comprehension costs a call, and there is mostly one group
            inputs.append(group.inputs(t))  # noqa: PERF401
        launches = self._launches or self._new_launches()
        for launch, places in launches:
            if places is None:
                launch.prepare(None if known else leaves, inputs)
            else:
                launch.prepare([leaves[place] for place in places], inputs)
        for launch, _ in launches:
            launch.run()
        self.t = t
        if self._has_scalars:
            self._take_scalars()

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
        """Go on from a saved file: weights, state, step count and hyperparameters are taken from it.

        A run that goes on equals one that was never interrupted, bit for bit. Where this optimizer
        has a schedule, it is kept. Raises CheckpointError, naming the first difference, if the file
        is of another rule or of other parameters; then nothing has changed.
        """
        loaded = checkpoint.load(path, self._snapshot())
        for own, new in loaded.pairs:
            own[...] = new
        self.t = loaded.t
        for hyperparameters, values in zip(
            (self.hyperparameters, *self.groups.values()), loaded.hyperparameters, strict=True
        ):
            hyperparameters.update(values)
        for group, numbers in zip(self._groups, loaded.scalars, strict=True):
            group.scalars = numbers

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
            hyperparameters={"": self.hyperparameters, **self.groups},
            scalars=[list(group.scalars) for group in self._groups],
        )

    def _new_state(self, place: int, dtype: object) -> tuple[Array, ...]:
        weights, group = self._weights[place], self._groups[self._group_of[place]]
        form = format_of(weights.dtype if dtype is None else dtype, "state_dtype")
        order: Any = "F" if is_dense(weights) and not weights.flags.c_contiguous else "C"
        return tuple(
            np.full(weights.shape, group.start(name), form.dtype, order)
            for name in self.rule.state
        )

    def _check(self, leaves: list[Any]) -> None:
        """Check the gradients; take note of their formats.

        One that needs more than a look (a number for a 0-dimensional parameter, another dtype than
        at the last step) is replaced in `leaves` by an array.
        """
        formats: list[Format] | None = None
        place = -1
        for gradient in leaves:  # counted by hand: this is a part of every step with new gradients
            place += 1  # noqa: SIM113
            shape, dtype = self._expected[place]
            if (
                type(gradient) is not np.ndarray
                or gradient.dtype is not dtype
                or gradient.shape != shape
            ):
                array = checked_gradient(gradient, self._weights[place], self.names[place])
                leaves[place] = array
                formats = formats or list(self._formats)
                formats[place] = format_of(array.dtype, "the gradient")
        if formats is not None and formats != self._formats:
            self._formats = formats
            self._expected = [
                (x.shape, form.dtype) for x, form in zip(self._weights, formats, strict=True)
            ]
            self._forget()

    def _forget(self) -> None:
        """The launches no longer fit, nor do the gradients that they remember."""
        self._launches = None
        self._last = [FORGOTTEN] * len(self._weights)

    def _take_scalars(self) -> None:
        for launch, _ in self._launches or ():
            for group, numbers in launch.scalars.items():
                self._groups[group].scalars = numbers

    def _refresh(self) -> None:
        """Take over the hyperparameters that were set since the last step."""
        self._version = -1 if self.groups else self.hyperparameters.version
        if any([group.refresh() for group in self._groups]):  # each is to be refreshed
            self._forget()

    def _new_launches(self) -> list[tuple[Launch, list[int] | None]]:
        """One launch for each set of formats and switches; None stands for all parameters."""
        places: dict[tuple[object, ...], list[int]] = {}
        for place in range(len(self._weights)):
            group = self._groups[self._group_of[place]]
            key = (*self._tensor_formats(place), *group.switches.items())
            places.setdefault(key, []).append(place)
        self._launches = [
            (self._launch(mine), None if len(places) == 1 else mine) for mine in places.values()
        ]
        if len(self._launches) == 1:
            self._last = self._launches[0][0].last
        return self._launches

    def _tensor_formats(self, place: int) -> Sequence[Format]:
        gradient = self._formats[place]
        arrays = (self._weights[place], *self._states[place])
        weights, *states = (format_of(x.dtype, "the parameter") for x in arrays)
        return (weights, gradient, *states)

    def _launch(self, places: list[int]) -> Launch:
        formats = self._tensor_formats(places[0])
        work = Work(
            rule=self.rule,
            switches=self._groups[self._group_of[places[0]]].switches,
            formats=dict(zip(self.rule.schema.tensors, formats, strict=True)),
            tensors=[(self._weights[place], *self._states[place]) for place in places],
            groups=[self._group_of[place] for place in places],
            regions=self._regions,
        )
        return self._engine.launch(work)


__all__ = ["Group", "Optimizer"]
