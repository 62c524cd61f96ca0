"""What the options of a param group ask for: the rule, its switches, its numbers."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar  # Any: options of param groups

import torch

from ..errors import HyperparameterError
from ..language.rule import Rule
from .bundles import Choice, choice_of
from .device_numbers import Number
from .features import Extras
from .settings import WORDS, Group, Settings, Word, as_start, is_on_device, option
from .slots import Naming, Slot


class Choosing(torch.optim.Optimizer):
    """The part of an optimizer that reads its param groups."""

    state_names: ClassVar[Mapping[str, str]] = {}
    number_names: ClassVar[Mapping[str, Word]] = {}
    has_step: ClassVar[bool] = True

    _settings: Settings
    _extras: Extras = Extras()

    @staticmethod
    def rule_of(group: Group) -> Rule:
        """The rule for the options of a param group."""
        raise NotImplementedError

    @property
    def _naming(self) -> Naming:
        settings = self._settings
        widens = settings.storing is not None
        return Naming(self.state_names, self.has_step, settings.state_dtype, widens)

    def _choice(self, group: Group) -> Choice:
        if group.get("differentiable"):
            raise HyperparameterError(
                "differentiable=True: a compiled step cannot be differentiated. Use "
                f"torch.optim.{type(self).__name__} for that."
            )
        extras = self._extras
        own = self.rule_of(group)
        rule = extras.combined(own)
        on_device = extras.are_on_device or is_on_device(group)
        switches = tuple([(name, self._switch(group, rule, name)) for name in _switches_of(rule)])
        storing = self._settings.storing
        if storing is None:
            return choice_of(rule, switches, on_device=on_device)
        formats = storing.chosen(self._settings.features.kept(own), switches)
        return choice_of(rule, switches, on_device=on_device, formats=formats)

    def _numbers(self, choice: Choice, number: int) -> list[Number]:
        """The hyperparameters of a rule, as they stand in a param group now."""
        group, added = self.param_groups[number], self._extras.numbers
        return [
            added[name] if name in added else self._option(group, name) for name in choice.numbers
        ]

    def _switch(self, group: Group, rule: Rule, name: str) -> bool:
        """A switch of the rule; one that the class has no option for is as the rule has it."""
        if self.number_names.get(name, name) not in self.defaults:
            return bool(rule.hyperparameters[name])
        return bool(self._option(group, name))

    def _option(self, group: Group, name: str) -> Any:
        return option(group, self.number_names.get(name) or WORDS.get(name, name))

    def _start(self, slot: Slot, state: str) -> float:
        """Where a state starts."""
        group = self.param_groups[slot.group]
        start = self.rule_of(group).schema.initial.get(state, 0.0)
        if not isinstance(start, str):
            return start
        return as_start(self._option(group, start), start, state)


@lru_cache(maxsize=256)
def _switches_of(rule: Rule) -> tuple[str, ...]:
    return tuple(rule.schema.switches)
