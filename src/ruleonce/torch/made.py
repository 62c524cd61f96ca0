"""A class of PyTorch for any rule: `optimizer(my_rule)(model.parameters(), lr=0.1)`."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar  # Any: parameters and options, as torch takes them

from torch import Tensor

from .. import rules
from ..combinators import maximized
from ..errors import HyperparameterError, RuleError, UnknownNameError
from ..language.hyperparameters import check_names, checked_number, nearest
from ..language.rule import Rule
from .optimizer import RuleOptimizer
from .settings import WORDS, Group, Word, option

_BETAS = ("beta1", "beta2", "beta3")


class MadeOptimizer(RuleOptimizer):
    """A rule as an optimizer of PyTorch, with the rule's own hyperparameters as its options.

    They are called as PyTorch calls them: `lr` for the learning rate, and `betas` where there are
    two or more. `maximize=True` goes with the gradient instead of against it. See RuleOptimizer for
    the other arguments.

    Raises UnknownNameError, naming the nearest option, and HyperparameterError for a value outside
    its range.
    """

    rule: ClassVar[Rule]

    def __init__(
        self,
        params: Any,
        *,
        maximize: bool = False,
        capturable: bool = False,
        **options: Any,
    ) -> None:
        known = _defaults(self.rule, self.number_names)
        # A rule that clips has a max_norm of its own, and that is the one that is meant.
        settings = [name for name in _SETTINGS if name not in known]
        own = {name: options.pop(name) for name in settings if name in options}
        for name in options:
            if name in WORDS and name not in known:
                raise UnknownNameError(
                    f"{type(self).__name__} has no option {name!r}: PyTorch calls it "
                    f"{_spelled(WORDS[name])}."
                )
        check_names(type(self).__name__, options, [*known, "maximize", "capturable", *settings])
        defaults = {**known, **options, "maximize": maximize, "capturable": capturable}
        self._check_options(defaults)
        super().__init__(params, defaults, **own)

    def __init_subclass__(cls, *, rule: Rule | None = None) -> None:
        """Give the class its rule, and the rule's hyperparameters as its signature."""
        super().__init_subclass__()
        if rule is None:  # a class made of one that has a rule
            return
        cls.rule = rule
        betas = [name for name in _BETAS if name in rule.hyperparameters]
        cls.number_names = {
            name: WORDS.get(name, name)
            for name in rule.hyperparameters
            if name not in betas or len(betas) > 1
        } | ({betas[0]: betas[0]} if len(betas) == 1 else {})
        keyword = inspect.Parameter.KEYWORD_ONLY
        own = inspect.signature(MadeOptimizer.__init__).parameters
        options = {**_defaults(rule, cls.number_names), "maximize": False, "capturable": False}
        settings = inspect.signature(RuleOptimizer.__init__).parameters
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect reads it
            [
                own["params"],
                *(inspect.Parameter(k, keyword, default=v) for k, v in options.items()),
                *(settings[name] for name in _SETTINGS if name not in options),
            ]
        )
        cls.__doc__ = cls.__doc__ or f"{rule.summary}\n\nThe arguments are those of MadeOptimizer."

    @classmethod
    def rule_of(cls, group: Group) -> Rule:
        """The rule of the class, against the gradient or with it."""
        return maximized(cls.rule) if group["maximize"] else cls.rule

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a param group; see torch.optim.Optimizer. Its options are checked."""
        self._check_options(self.defaults | param_group)
        super().add_param_group(param_group)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        schema = self.rule.schema
        for name in schema.numbers:
            word = self.number_names[name]
            try:
                value = option(options, word)
            except (TypeError, IndexError):
                count = sum(isinstance(w, tuple) for w in self.number_names.values())
                raise HyperparameterError(
                    f"{type(self).__name__}: {word[0]} is {options[word[0]]!r}; it must be {count} "
                    "numbers."
                ) from None
            if isinstance(value, Tensor):
                if value.numel() != 1:
                    raise HyperparameterError(
                        f"{type(self).__name__}: {_spelled(word)} is a tensor of {value.numel()} "
                        "elements; it must have one."
                    )
                continue
            if callable(value):
                raise HyperparameterError(
                    f"{type(self).__name__}: {_spelled(word)} is a function; schedules of PyTorch "
                    "are made with torch.optim.lr_scheduler.LambdaLR(optimizer, function)."
                )
            checked_number(type(self).__name__, name, value, schema.ranges.get(name))
        for name in schema.switches:
            if not isinstance(options[name], bool):
                raise HyperparameterError(
                    f"{type(self).__name__}: {name} is {options[name]!r}; it is a switch: True or "
                    "False."
                )


_SETTINGS = [
    name
    for name, parameter in inspect.signature(RuleOptimizer.__init__).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
]


def _defaults(rule: Rule, words: Mapping[str, Word]) -> dict[str, Any]:
    """The options of a rule, with their defaults."""
    found: dict[str, Any] = {}
    for name, default in rule.hyperparameters.items():
        word = words[name]
        if isinstance(word, str):
            found[word] = default
        else:
            found[word[0]] = (*found.get(word[0], ()), default)
    return found


def _spelled(word: Word) -> str:
    return word if isinstance(word, str) else f"{word[0]}[{word[1]}]"


def optimizer(rule: Rule, name: str | None = None) -> type[MadeOptimizer]:
    """A class of PyTorch for any rule; called as the rule is, in CamelCase, or as `name` says.

    Raises RuleError if `rule` is none.
    """
    if not isinstance(rule, Rule):
        raise RuleError(f"optimizer takes a rule, a function decorated with @rule; found {rule!r}.")
    made: type[MadeOptimizer] = type(MadeOptimizer)(  # type: ignore[misc]  # as in numpy.rules
        name or _camel(rule), (MadeOptimizer,), {"__module__": rule.module}, rule=rule
    )
    return made


def class_called(name: str, others: Sequence[str]) -> type[MadeOptimizer]:
    """The class of the rule that is called `name` in CamelCase, found as ruleonce.torch.<name>.

    Raises AttributeError, naming the nearest of these names and of `others`.
    """
    named = {_camel(rule): rule for rule in rules.ALL}
    if name not in named:
        hint = nearest(name, [*others, *named]) if name[:1].isalpha() else ""
        raise AttributeError(f"ruleonce.torch has no {name!r}{hint}")
    made = optimizer(named[name])
    made.__module__ = __package__
    return made


def _camel(rule: Rule) -> str:
    return "".join(part.capitalize() for part in rule.name.split("_"))
