"""Optimizer: any rule over NumPy arrays."""

import copy
from collections.abc import Mapping, Sequence
from operator import is_
from types import MappingProxyType
from typing import Any, Self  # Any: arrays of any dtype, in any nesting

from ..engines import FORGOTTEN, Engine, load
from ..engines.measuring import measure_together
from ..errors import RuleError
from ..formats import format_of
from ..formats.choice import Choice, Formats
from ..language.hyperparameters import Value, check_names
from ..language.rule import Rule
from . import finite
from .gradients import Array, Expected, check_parameters, look
from .groups import Hyperparameters, groups_of, overrides_of
from .launches import Launches, Parameters
from .repeating import Repeating
from .report import Report, reported
from .storing import layouts_of
from .structure import Structure, Tree


class Optimizer(Repeating):
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
    formats          how tensors are stored in fewer bytes: "8bit"; or tensor name -> format, such
                     as {"m": "int8", "v": "uint8_sqrt", "w": "bfloat16+8"}; or a
                     ruleonce.formats.Choice, which says for which parameters too. State that is not
                     named is then float32 for weights of 16 bits.
    on_nonfinite     what a step does when a gradient is infinite or nan: "allow" goes on with it,
                     "raise" raises NonFiniteGradientError, "skip" changes nothing, not even t. The
                     last two read all gradients once more.
    hyperparameters  the rule's own, by name: a number, or a schedule (a function of the step count
                     t, which is 1 at the first step)

    t                how many steps were taken
    hyperparameters  readable, and settable between steps
    state            state name -> arrays, nested as the parameters are
    stored           what lies in memory, and `nbytes` how much of it; `masters` are the weights
                     with their error bits

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
        formats: Formats | Choice | None = None,
        on_nonfinite: str = "allow",
        **hyperparameters: Value,
    ) -> None:
        if not isinstance(rule, Rule):
            raise RuleError(
                f"Optimizer takes a rule, a function decorated with @rule; found {rule!r}."
            )
        self.on_nonfinite = on_nonfinite
        schema = rule.schema
        check_names(rule.name, hyperparameters, schema.hyperparameters)
        self.rule = rule
        self.params = params
        self.t = 0
        self._hyperparameters = Hyperparameters(schema, schema.hyperparameters | hyperparameters)
        self._overrides = overrides_of(schema, groups or {})
        self._engine_name = engine
        self._structure = Structure.of(params)
        self._weights: list[Array] = self._structure.flatten(params, "parameters")
        check_parameters(self._weights, self.names)
        self._groups, self._group_of = groups_of(
            schema, self._hyperparameters, self._overrides, self.names
        )
        self._engine = self._loaded()
        switches = [self._groups[group].switches for group in self._group_of]
        self._layouts = layouts_of(rule, self._weights, self.names, switches, formats, state_dtype)
        self._states = [
            layout.new(weights, self._groups[group].start)
            for weights, group, layout in zip(
                self._weights, self._group_of, self._layouts, strict=True
            )
        ]
        self._get_ready()

    def _loaded(self) -> Engine:
        """The engine. A mistake in the rule shows now, not at the first step."""
        switches = {tuple(group.switches.items()) for group in self._groups}
        return load(self._engine_name, [self.rule.program(**dict(values)) for values in switches])

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
        self._passes = 1
        self._reports = False
        self._finite: finite.Finite | None = None
        self._forget()

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Name -> number, switch or schedule; what is set holds from the next step on."""
        return self._hyperparameters

    @property
    def on_nonfinite(self) -> str:
        """What a step does when a gradient is infinite or nan; what is set holds from the next."""
        return self._on_nonfinite

    @on_nonfinite.setter
    def on_nonfinite(self, choice: str) -> None:
        self._on_nonfinite = finite.checked_choice(choice)

    @property
    def groups(self) -> Mapping[str, Hyperparameters]:
        """Pattern -> the hyperparameters that it overrides, settable as the optimizer's own are."""
        return MappingProxyType(self._overrides)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each parameter: its path, such as "layers.0.weight"."""
        return self._structure.names

    def step(self, gradients: Tree, *, report: bool = False) -> Report | None:
        """Take one step: update the parameters and the state in place.

        gradients   nested as the parameters are, each of the shape of its weights; any of the
                    dtypes that parameters may have. They are only read.
        report      give back how long gradients, weights and updates are, measured on the way;
                    None comes back from a step that was skipped

        Raises StructureError, TensorError or HyperparameterError, and then nothing has changed.
        """
        t = self.t + 1
        if bool(report) is not self._reports:
            self._turn()
        leaves = self._structure.flatten(gradients, "gradients")
        if self._version != self._hyperparameters.version:
            self._refresh()
        known = all(map(is_, leaves, self._last))
        if not known:
            self._look(leaves)
        if self._on_nonfinite != "allow" and not self._is_finite(leaves):
            return None
        launches = self._launches or self._new_launches()
        try:
            self._prepare(launches, None if known else leaves, t)
        except BaseException:  # Ctrl-C too may leave a launch half prepared
            self._forget()
            raise
        try:
            self._finish(launches, t)
        except BaseException:  # Ctrl-C: the step is done to its end, and then the loop is left
            self._finish(launches, t)
            raise
        return reported(t, self.names, launches, leaves) if report else None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """An optimizer of copies of the parameters, with the same rule."""
        memo |= {id(self.rule): self.rule, id(self.rule.schema): self.rule.schema}
        twin = memo[id(self)] = object.__new__(type(self))
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """For `copy.deepcopy` and `pickle`: all but what belongs to this process."""
        derived = ("_engine", "_expected", "_finite", "_kept", "_last", "_launches")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # A copy of weights with strides may lie in another order than they did.
        self._states = [
            layout.laid_out(weights, states)
            for layout, weights, states in zip(
                self._layouts, self._weights, self._states, strict=True
            )
        ]
        self._layouts = [x.beside(w) for x, w in zip(self._layouts, self._weights, strict=True)]
        self._engine = self._loaded()
        self._get_ready()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters.items())
        count = sum(x.size for x in self._weights)
        return (
            f"<Optimizer {self.rule.name}({values}): t={self.t}, {count:,} parameters in "
            f"{len(self._weights)} array{'s' if len(self._weights) != 1 else ''}>"
        )

    def _look(self, leaves: list[Any]) -> None:
        """Check the gradients; take note of their formats."""
        found = look(leaves, self._weights, self.names, self._expected)
        if found is not None:
            self._forget()
            self._expected = found

    def _is_finite(self, leaves: list[Array]) -> bool:
        """Whether all gradients are finite; raises NonFiniteGradientError if that is asked for."""
        if self._finite is None:
            self._finite = finite.Finite(self._engine, self._weights, self._expected)
        return self._finite.allows(leaves, self.names, self._on_nonfinite)

    def _forget(self) -> None:
        """The launches no longer fit, nor do the gradients that they remember."""
        # The gradients that the one launch remembers; with several launches none is known here.
        # They go first: Ctrl-C leaves none that are remembered for another launch.
        self._last: list[object] = [FORGOTTEN] * len(self._weights)
        self._launches: Launches | None = None
        self._finite = None
        # Launches, passes and gradients for steps of the other kind, with a report or without.
        self._kept: tuple[Launches | None, int, list[object]] | None = None

    def _turn(self) -> None:
        """Go over to steps with a report, or without; what was made for the others is kept."""
        others = self._launches, self._passes, self._last
        launches, passes, last = self._kept or (None, 1, [FORGOTTEN] * len(self._weights))
        self._forget()
        self._reports = not self._reports
        self._kept, self._passes, self._launches, self._last = others, passes, launches, last

    def _prepare(self, launches: Launches, leaves: list[Any] | None, t: int) -> None:
        """All of step `t` that can fail; the gradients are None where the launch remembers them."""
        inputs = []
        for group in self._groups:  # a comprehension costs a call, and there is mostly one group
            inputs.append(group.inputs(t))  # noqa: PERF401
        for launch, places in launches:
            if places is None or leaves is None:
                launch.prepare(leaves, inputs)
            else:
                launch.prepare([leaves[place] for place in places], inputs)
        if self._passes > 1:
            measure_together([launch for launch, _ in launches])

    def _finish(self, launches: Launches, t: int) -> None:
        for launch, _ in launches:
            launch.run()
        self.t = t
        if self._has_scalars:
            self._take_scalars(launches)

    def restore(self, t: int, scalars: Sequence[float]) -> None:
        """Go on from step `t`, with these values of the scalar state; the state tensors are those
        of `state`, to be written to.
        """
        self.t = t
        for group in self._groups:
            group.scalars = tuple(scalars)

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
        known = Parameters(
            self.rule,
            self._weights,
            self._states,
            self._layouts,
            self._groups,
            self._group_of,
            self._reports,
        )
        launches = known.launches(self._engine, self._expected)
        # In this order: Ctrl-C in between leaves launches with their passes, or none.
        self._passes = max((launch.passes for launch, _ in launches), default=1)
        self._launches = launches
        if len(launches) == 1:
            self._last = launches[0][0].last
        return launches
