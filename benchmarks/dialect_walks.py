"""Where each library goes under one name: ten steps in float64, from the same weights.

A dialect is what one library holds under a name. The gradients are the same for all, whatever the
weights have become, so that two walks differ by their rules alone.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any  # options and optimizers of four libraries

import numpy as np

import ruleonce as ro
from ruleonce import rules

Array = np.ndarray[Any, np.dtype[np.float64]]
Options = Mapping[str, Any]
Walk = Callable[[Options], Array]

STEPS, RATE, SHAPE = 10, 0.01, (8, 4)
RNG = np.random.default_rng(0)
START: Array = RNG.standard_normal(SHAPE)
GRADIENTS: Array = RNG.standard_normal((STEPS, *SHAPE))

# What an argument of another library may be called on the card; the first that the card has.
WORDS: Mapping[str, tuple[str, ...]] = {
    "b1": ("beta1",), "beta_1": ("beta1",), "b2": ("beta2",), "beta_2": ("beta2",),
    "b3": ("beta3",), "alpha": ("alpha", "beta2"), "decay": ("beta2",), "rho": ("rho", "beta2"),
    "momentum": ("momentum", "beta1"), "epsilon": ("eps",), "lr_decay": ("decay_rate",),
    "initial_accumulator_value": ("initial_accumulator",),
    "etas": ("shrink", "grow"), "eta_minus": ("shrink",), "eta_plus": ("grow",),
    "step_sizes": ("shortest", "longest"),
    "min_step_size": ("shortest",), "max_step_size": ("longest",),
    "betas": ("beta1", "beta2", "beta3"),
}  # fmt: skip
# What a card without such a number does not do.
ABSENT: Mapping[str, float] = {"weight_decay": 0.0, "initial_accumulator_value": 0.0}


@dataclass(frozen=True)
class Dialect:
    """What a library holds under a name.

    library    "card", "torch.optim", "optax" or "Keras"
    label      as it is written there: `Adam(amsgrad=True)`
    defaults   of its arguments, the learning rate among them
    walk       options -> the weights after STEPS steps with a learning rate of RATE
    """

    library: str
    label: str
    defaults: Options
    walk: Walk

    def with_options(self, options: Options) -> "Dialect":
        """The same with options that are not its defaults, which belong to the label."""
        if not options:
            return self
        said = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return replace(
            self,
            label=f"{self.label}({said})",
            defaults={k: v for k, v in self.defaults.items() if k not in options},
            walk=lambda given: self.walk({**options, **given}),
        )

    def numbers_of(self, card: Options) -> Options:
        """The arguments that the numbers of a card are here."""
        found: dict[str, Any] = {}
        for name, default in self.defaults.items():
            known = [card[word] for word in WORDS.get(name, (name,)) if word in card]
            if isinstance(default, tuple) and len(known) >= len(default):
                found[name] = tuple(known[: len(default)])
            elif known and not isinstance(default, tuple):
                found[name] = known[0]
            elif name in ABSENT:
                found[name] = ABSENT[name]
        return {name: x for name, x in found.items() if name not in ("lr", "learning_rate")}


def apart(walk: Array, other: Array) -> float:
    """The largest difference of two walks, as a share of how far the second moved on average."""
    return float(np.abs(walk - other).max() / np.abs(other - START).mean())


def key(name: str) -> str:
    """A name as all libraries would spell it: RMSprop and rmsprop are one."""
    return name.replace("_", "").lower()


def of_the_card() -> Iterator[tuple[str, Dialect]]:
    """Every rule of ruleonce."""
    for rule in rules.ALL:

        def walk(options: Options, rule: ro.Rule = rule) -> Array:
            rate = {"learning_rate": RATE} if "learning_rate" in rule.hyperparameters else {}
            w = START.copy()
            optimizer = ro.Optimizer(rule, w, **rate, **options)
            for dw in GRADIENTS:
                optimizer.step(dw)
            return w

        yield rule.name, Dialect("card", rule.name, rule.hyperparameters, walk)


def of_torch() -> Iterator[tuple[str, Dialect]]:
    """Every class of torch.optim that takes steps by gradients alone."""
    import torch

    for name, made in vars(torch.optim).items():
        is_optimizer = inspect.isclass(made) and issubclass(made, torch.optim.Optimizer)
        if not is_optimizer or made is torch.optim.Optimizer or name in ("LBFGS", "SparseAdam"):
            continue

        def walk(options: Options, made: Any = made) -> Array:
            w = torch.nn.Parameter(torch.tensor(START))
            optimizer = made([w], lr=RATE, **options)
            for dw in GRADIENTS:
                w.grad = torch.tensor(dw)
                optimizer.step()
            return w.detach().numpy()

        yield name, Dialect("torch.optim", name, _defaults(made.__init__), walk)


def of_optax() -> Iterator[tuple[str, Dialect]]:
    """Every function of optax, and of optax.contrib, that makes a rule from a learning rate."""
    import jax
    import optax
    from optax import contrib

    for module, prefix in ((contrib, "contrib."), (optax, "")):
        for name, make in vars(module).items():
            if name.startswith(("_", "scale_by")) or not callable(make):
                continue
            defaults = _defaults(make)
            if "learning_rate" not in defaults or inspect.isclass(make):
                continue

            def walk(options: Options, make: Any = make) -> Array:
                transformation = make(learning_rate=RATE, **options)
                w = jax.numpy.array(START)
                state = transformation.init(w)
                for dw in GRADIENTS:
                    updates, state = transformation.update(jax.numpy.array(dw), state, w)
                    w = optax.apply_updates(w, updates)
                return np.array(w)

            yield name, Dialect("optax", prefix + name, defaults, walk)


def of_keras() -> Iterator[tuple[str, Dialect]]:
    """Every class of keras.optimizers that takes steps."""
    import keras

    keras.config.set_floatx("float64")
    for name, made in vars(keras.optimizers).items():
        if not inspect.isclass(made) or "learning_rate" not in _defaults(made.__init__):
            continue
        if made is keras.optimizers.Optimizer:
            continue

        def walk(options: Options, made: Any = made) -> Array:
            w = keras.Variable(START, dtype="float64")
            optimizer = made(learning_rate=RATE, **options)
            optimizer.build([w])
            for dw in GRADIENTS:
                optimizer.apply([keras.ops.convert_to_tensor(dw)], [w])
            return np.array(w)

        yield name, Dialect("Keras", name, _defaults(made.__init__), walk)


def _defaults(function: Callable[..., object]) -> dict[str, Any]:
    """The arguments of a function with their defaults; nan for a learning rate without one."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a built-in that says nothing of itself
        return {}
    return {
        name: math.nan if p.default is p.empty else p.default
        for name, p in parameters.items()
        if p.default is not p.empty or name == "learning_rate"
    }
