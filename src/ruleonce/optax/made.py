"""Any rule as a gradient transformation of optax: `transformation(rule)(learning_rate=0.1)`."""

import inspect
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any  # trees of arrays, as JAX has them

import jax
import jax.numpy as jnp
import optax

from ..errors import HyperparameterError, RuleError
from ..formats import Storage
from ..formats.choice import Choice, Formats
from ..language.hyperparameters import check_names, checked_number
from ..language.rule import Rule
from .step import needs_weights, step
from .stored import Keeping, Stored, kept, plain

Tree = Any
Factory = Callable[..., optax.GradientTransformationExtraArgs]


@dataclass(frozen=True)
class Words:
    """How a transformation calls what a rule calls otherwise, and its own defaults.

    numbers    hyperparameter of the rule -> option
    state      state of the rule -> field of the state
    defaults   option -> its default, where it is not the rule's
    fixed      hyperparameters and switches of the rule that are no options
    """

    numbers: Mapping[str, str]
    state: Mapping[str, str]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any]


_OWN = Words({}, {}, {}, {})


def transformation(rule: Rule, name: str | None = None, words: Words = _OWN) -> Factory:
    """A function that makes transformations of a rule, with its hyperparameters as arguments.

    Each may be a number, an array of JAX, or a schedule as optax has them: a function of the count
    of steps, which is 0 at the first. Beside them:

    mask        a tree of bools like the parameters (or a function that makes one of them): where it
                is False, there is no weight decay; for a rule that has `weight_decay`
    mu_dtype    the dtype of the first state tensor; that of the parameters if it is not given
    formats     how state is stored in fewer bytes: "8bit", or state -> format, by the rule's names,
                or a ruleonce.formats.Choice. What is stored is a Stored in the state's tree, and
                state that is not is float32 for parameters of 16 bits.

    The transformation works wherever optax's own do. It needs `params` where the rule reads its
    weights for more than to add to them.

    Raises RuleError if `rule` is none; the function it gives raises HyperparameterError.
    """
    if not isinstance(rule, Rule):
        raise RuleError(
            f"transformation takes a rule, a function decorated with @rule; found {rule!r}."
        )
    called = name or rule.name
    options = {
        words.numbers.get(key, key): default
        for key, default in rule.hyperparameters.items()
        if key not in words.fixed
    } | dict(words.defaults)

    def factory(*args: Any, **given: Any) -> optax.GradientTransformationExtraArgs:
        bound = signature.bind(*args, **given)
        bound.apply_defaults()
        chosen = dict(bound.arguments)
        mask, mu_dtype = chosen.pop("mask", None), chosen.pop("mu_dtype", None)
        formats = chosen.pop("formats", None)
        _check_mask(called, mask)
        values = dict(words.fixed)
        for key in rule.hyperparameters:
            if key not in words.fixed:
                values[key] = _checked(rule, called, key, chosen[words.numbers.get(key, key)])
        return _Made(rule, called, values, words.state, mask, mu_dtype, formats).transformation()

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    more = {"mask": None} if "weight_decay" in rule.hyperparameters else {}
    more |= {"mu_dtype": None, "formats": None} if rule.state else {}
    signature = inspect.Signature(
        [inspect.Parameter(key, kind, default=value) for key, value in (options | more).items()]
    )
    factory.__signature__ = signature  # type: ignore[attr-defined]  # inject_hyperparams reads it
    factory.__name__ = factory.__qualname__ = called
    factory.__doc__ = f"{rule.summary}\n\nA transformation of optax; see ruleonce.optax."
    return factory


class _Made:
    """One transformation: a rule with its hyperparameters."""

    def __init__(
        self,
        rule: Rule,
        name: str,
        values: Mapping[str, Any],
        words: Mapping[str, str],
        mask: Any,
        mu_dtype: Any,
        formats: Formats | Choice | None,
    ) -> None:
        switches = {key: bool(values[key]) for key in rule.schema.switches}
        self._rule, self._values, self._name = rule, values, name
        self._program = rule.program(**switches)
        self._needs_weights = needs_weights(self._program)
        self._mask, self._mu_dtype = mask, mu_dtype
        self._keeping = None if formats is None else Keeping(rule, switches, formats)
        fields = [words.get(key, key) for key in (*rule.scalars, *rule.state)]
        title = "".join(part.capitalize() for part in name.split("_"))
        self._state = _state_of(f"{title}State", tuple(fields))

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        """As optax takes it."""
        return optax.GradientTransformationExtraArgs(self._init, self._update)

    def _init(self, params: Tree) -> Any:
        schema = self._rule.schema
        wide = jnp.result_type(float)
        scalars = [jnp.asarray(self._start(key, 0), wide) for key in schema.scalars]
        states = []
        for place, key in enumerate(schema.state):
            dtype = self._mu_dtype if place == 0 else None
            new = partial(self._first, key, self._start(key, 0), dtype)
            states.append(jax.tree_util.tree_map_with_path(new, params))
        return self._state(jnp.zeros((), jnp.int32), *scalars, *states)

    def _first(self, key: str, start: Any, dtype: Any, path: tuple[Any, ...], leaf: Any) -> Any:
        """What a state of one parameter starts as."""
        if self._keeping is None:
            return jnp.full_like(leaf, start, dtype)
        leaf = jnp.asarray(leaf)
        how = self._keeping.of(key, path, leaf)
        wide = jnp.result_type(jnp.float32, leaf.dtype)
        if isinstance(how, Storage):
            return Stored.of(jnp.full_like(leaf, start, wide), how, 0)
        return jnp.full_like(leaf, start, (how and how.dtype) or dtype or wide)

    def _start(self, state: str, count: int) -> Any:
        start = self._rule.schema.initial.get(state, 0.0)
        return self._at(start, count) if isinstance(start, str) else start

    def _at(self, name: str, count: Any) -> Any:
        """The value of a hyperparameter at a step."""
        value = self._values[name]
        return value(count) if callable(value) else value

    def _update(self, updates: Tree, state: Any, params: Tree = None, **_: Any) -> tuple[Tree, Any]:
        if params is None and self._needs_weights:
            raise ValueError(
                f"{self._name} reads its weights: pass `params` to update, the third argument."
            )
        schema = self._rule.schema
        count = optax.safe_increment(state.count)
        wide = jnp.result_type(float)
        leaves: tuple[list[Any], Any] = jax.tree.flatten(updates)
        gradients, tree = leaves
        weights = gradients if params is None else tree.flatten_up_to(params)
        first = 1 + len(schema.scalars)
        states = [tree.flatten_up_to(column) for column in state[first:]]
        numbers = {name: self._at(name, state.count) for name in schema.numbers}
        numbers |= dict(zip(schema.scalars, state[1:first], strict=True))
        numbers["t"] = count.astype(wide)
        found = step(
            self._program,
            list(zip(weights, gradients, *(plain(x, gradients) for x in states), strict=True)),
            numbers,
            self._own_numbers(tree, params),
            reads_weights=self._needs_weights,
        )
        new = [kept(*pair, t=numbers["t"]) for pair in zip(found.states, states, strict=True)]
        columns = [tree.unflatten(column) for column in new]
        return tree.unflatten(found.updates), self._state(count, *found.scalars, *columns)

    def _own_numbers(self, tree: Any, params: Tree) -> Sequence[Mapping[str, float]]:
        """What differs from leaf to leaf: no decay where the mask says so."""
        if self._mask is None:
            return [{}] * tree.num_leaves
        mask = self._mask(params) if callable(self._mask) else self._mask
        return [{} if keep else {"weight_decay": 0.0} for keep in _spread(mask, tree)]


@cache
def _state_of(name: str, fields: tuple[str, ...]) -> Callable[..., Any]:
    """A class of named tuples, as the states of optax are; one for equal transformations, or JAX
    would take their states for trees of different kinds.
    """
    made: Callable[..., Any] = namedtuple(name, ["count", *fields])  # type: ignore[misc]  # noqa: PYI024  (its fields are the rule's)
    return made


def _spread(mask: Tree, tree: Any) -> list[bool]:
    """The mask of each leaf; a mask may be a prefix of the tree."""
    whole = tree.unflatten(range(tree.num_leaves))
    spread = jax.tree.map(lambda keep, part: jax.tree.map(lambda _: keep, part), mask, whole)
    return [bool(keep) for keep in jax.tree.leaves(spread)]


def _check_mask(name: str, mask: Any) -> None:
    if mask is None or callable(mask):
        return
    leaves = jax.tree.leaves(mask)
    if not all(isinstance(leaf, bool) for leaf in leaves):
        raise HyperparameterError(
            f"{name}: mask must be a tree of bools, or a function that makes one of the "
            f"parameters; found {leaves[0]!r}. inject_hyperparams takes a function for a schedule: "
            "tell it not to, with static_args='mask'."
        )


def _checked(rule: Rule, called: str, name: str, value: Any) -> Any:
    """A hyperparameter; numbers are checked here, arrays and schedules are what they are."""
    check_names(called, [name], rule.schema.hyperparameters)
    if name in rule.schema.switches:
        if not isinstance(value, bool):
            raise HyperparameterError(f"{called}: {name} is {value!r}; it is a switch.")
        return value
    if callable(value) or isinstance(value, jax.Array):
        return value
    return checked_number(called, name, value, rule.schema.ranges.get(name))
