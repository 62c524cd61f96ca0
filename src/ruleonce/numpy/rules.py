"""An optimizer class for each rule of the card: `ruleonce.Adam(params, learning_rate=1e-3)`."""

import inspect
from collections.abc import Mapping
from typing import ClassVar

from .. import rules
from ..errors import RuleError
from ..formats.choice import Choice, Formats
from ..language.hyperparameters import Value
from ..language.rule import Rule
from ..rules.adam import adam
from .optimizer import Optimizer
from .structure import Tree


class RuleOptimizer(Optimizer):
    """An Optimizer whose rule is a part of its class; see Optimizer for the arguments."""

    rule_of_class: ClassVar[Rule]

    def __init__(
        self,
        params: Tree,
        *,
        groups: Mapping[str, Mapping[str, Value]] | None = None,
        engine: str = "auto",
        state_dtype: object = None,
        formats: Formats | Choice | None = None,
        on_nonfinite: str = "allow",
        **hyperparameters: Value,
    ) -> None:
        super().__init__(
            self.rule_of_class,
            params,
            groups=groups,
            engine=engine,
            state_dtype=state_dtype,
            formats=formats,
            on_nonfinite=on_nonfinite,
            **hyperparameters,
        )

    def __init_subclass__(cls, *, rule: Rule | None = None) -> None:
        """Give the class its rule, and the rule's hyperparameters as its signature."""
        super().__init_subclass__()
        if rule is None:  # a class made of one that has a rule
            return
        cls.rule_of_class = rule
        own = list(inspect.signature(Optimizer.__init__).parameters.values())
        fixed = [p for p in own if p.name not in ("self", "rule", "hyperparameters")]
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in rule.hyperparameters.items()
        ]
        cls.__signature__ = inspect.Signature([fixed[0], *named, *fixed[1:]])  # type: ignore[attr-defined]  # inspect reads it
        cls.__doc__ = cls.__doc__ or f"{rule.summary}\n\nThe arguments are those of Optimizer."


def optimizer(rule: Rule, name: str | None = None) -> type[RuleOptimizer]:
    """A class like `Adam` for any rule; called as the rule is, in CamelCase, or as `name` says."""
    if not isinstance(rule, Rule):
        raise RuleError(f"optimizer takes a rule, a function decorated with @rule; found {rule!r}.")
    camel = "".join(part.capitalize() for part in rule.name.split("_"))
    made: type[RuleOptimizer] = type(RuleOptimizer)(  # type: ignore[misc]  # mypy takes it for type itself
        name or camel, (RuleOptimizer,), {"__module__": rule.module}, rule=rule
    )
    return made


class SGD(RuleOptimizer, rule=rules.sgd):
    """Step against the gradient; see ruleonce.rules.sgd and Optimizer."""


class Momentum(RuleOptimizer, rule=rules.momentum):
    """Descent with a velocity; see ruleonce.rules.momentum and Optimizer."""


class Nesterov(RuleOptimizer, rule=rules.nesterov):
    """Momentum that looks ahead; see ruleonce.rules.nesterov and Optimizer."""


class AdaGrad(RuleOptimizer, rule=rules.adagrad):
    """A learning rate for each weight; see ruleonce.rules.adagrad and Optimizer."""


class RMSProp(RuleOptimizer, rule=rules.rmsprop):
    """AdaGrad that forgets; see ruleonce.rules.rmsprop and Optimizer."""


class AdamSimplified(RuleOptimizer, rule=rules.adam_simplified):
    """Adam without bias correction; see ruleonce.rules.adam_simplified and Optimizer."""


class Adam(RuleOptimizer, rule=adam):
    """Velocity and history, corrected for their start; see ruleonce.rules.adam and Optimizer."""
