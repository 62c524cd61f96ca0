"""What an optimizer saves and loads."""

import json
import os
from collections.abc import Iterator, Sequence

from ..language.rule import Rule
from . import checkpoint
from .conversion import stored_of
from .gradients import Array
from .groups import Group, Hyperparameters
from .storing import Layout


class Saved:
    """The part of an Optimizer that writes it to a file, and reads it again."""

    rule: Rule
    t: int
    _weights: list[Array]
    _states: Sequence[tuple[Array, ...]]
    _layouts: Sequence[Layout]
    _groups: list[Group]
    _hyperparameters: Hyperparameters
    _overrides: dict[str, Hyperparameters]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each parameter."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights, state, step count and hyperparameters to a safetensors file.

        The file appears whole or not at all: it is written beside `path`, flushed to the disk, and
        then renamed. Schedules are not saved. Raises MissingLibraryError without safetensors.
        """
        checkpoint.save(path, self._snapshot())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from a saved file: take its weights, state, step count and hyperparameters.

        A run that goes on equals one that was never interrupted, bit for bit. Where the file has
        another format than this optimizer, values are decoded and encoded again. Where this one has
        a schedule, it is kept. Raises CheckpointError, naming the first difference, if the file
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

    def _snapshot(self) -> checkpoint.Snapshot:
        return checkpoint.Snapshot(
            rule=self.rule.name,
            t=self.t,
            tensors=checkpoint.named(self._layouts, self.names, self._weights, self._states),
            hyperparameters=list(self._layers()),
            scalars={json.dumps(group.patterns): group.scalars for group in self._groups},
            stored=stored_of(self._layouts, self.names, self._weights),
        )

    def _layers(self) -> Iterator[tuple[str, Hyperparameters]]:
        """The optimizer's own hyperparameters, as "", and those of each pattern."""
        yield "", self._hyperparameters
        yield from self._overrides.items()
