"""Which state of which parameter is kept in which format, in PyTorch's names."""

from collections.abc import Mapping, Sequence
from typing import Any  # what an object is pickled with

from torch import Tensor

from ..errors import EngineError, TensorTypeError
from ..formats import Format, Formats, Storage, named
from ..formats.choice import Choice
from ..language.rule import Rule
from ..language.schema import Schema
from .layout import DTYPES, FORMATS
from .parts import fitted
from .slots import WEIGHTS, Slot

Switches = tuple[tuple[str, bool], ...]
Chosen = tuple[tuple[str, Storage | Format], ...]  # tensor of a rule -> how a large one is kept


class Storing:
    """What an optimizer was asked for by `formats=`.

    words   how its class calls the state: that of the rule -> that of PyTorch
    """

    def __init__(self, formats: Formats | Choice, words: Mapping[str, str]) -> None:
        self.choice = formats if isinstance(formats, Choice) else Choice(formats)
        self._words = words
        self._known: dict[tuple[Rule, Switches], Chosen] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Storing, (self.choice, self._words)

    @property
    def storages(self) -> list[Storage]:
        """Those that it was asked for by name or by themselves."""
        formats = self.choice.formats
        found = [] if isinstance(formats, str) else map(named, formats.values())
        return [how for how in found if isinstance(how, Storage)]

    def chosen(self, rule: Rule, switches: Switches) -> Chosen:
        """How the tensors of a rule are kept. Raises FormatError or UnknownNameError."""
        key = rule, switches
        if key not in self._known:
            choice = Choice(self._in_words_of(rule.schema))
            self._known[key] = tuple(choice.of(rule, dict(switches)).items())
        return self._known[key]

    def settle(self, slot: Slot, rule: Rule, chosen: Chosen) -> None:
        """Say in a slot how its tensors are kept. Raises FormatError for weights of another dtype.

        Complex weights are pairs of numbers, and their state is not stored in parts.
        """
        weights = slot.parameter
        if weights.is_complex():
            slot.storages, slot.dtypes = {}, {}
            return
        storages, formats = self.choice.of_parameter(
            dict(chosen),
            rule.schema.weights,
            FORMATS[weights.dtype],
            slot.label,
            weights.numel(),
        )
        slot.storages = fitted(storages, weights)
        slot.dtypes = {name: DTYPES[each] for name, each in formats.items()}

    def check_weights(self, rule: Rule, chosen: Chosen, weights: Sequence[Tensor]) -> None:
        """Raise TensorTypeError if weights are to have error bits, and none are of their dtype."""
        how = dict(chosen).get(rule.schema.weights)
        if not isinstance(how, Storage):
            return
        first = next(iter(how.parts.values())).form
        if weights and not any(FORMATS.get(x.dtype) == first for x in weights):
            dtypes = sorted({str(x.dtype).removeprefix("torch.") for x in weights})
            raise TensorTypeError(
                f"{rule.schema.weights} is to be stored as {how.name}, and no parameter is "
                f"{first.name}; they are {', '.join(dtypes)}.\n  Convert them before the optimizer "
                f"is made: ruleonce.torch.cast(model, torch.{first.name})."
            )

    def check_no_parts(self, rule: str, chosen: Chosen) -> None:
        """Raise EngineError for what only kernels can do."""
        names = [name for name, how in chosen if isinstance(how, Storage)]
        if names:
            raise EngineError(
                f"formats: {', '.join(names)} of {rule} cannot be stored in parts: that is done by "
                "the kernels of the engines cpu and gpu, and engine='tensors', and rules on "
                "matrices, are done by PyTorch's own operations."
            )

    def _in_words_of(self, schema: Schema) -> Formats:
        """The formats by the names of a rule; what only another group's rule has is left out."""
        formats = self.choice.formats
        if isinstance(formats, str):
            return formats
        names = {word: name for name, word in self._words.items()} | {WEIGHTS: schema.weights}
        own = (schema.weights, *schema.state)
        found = {names.get(name, name): form for name, form in formats.items()}
        return {
            name: form for name, form in found.items() if name in own or name not in self._words
        }
