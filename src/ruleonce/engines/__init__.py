"""How a program runs: an engine is a module with a function `launch`, imported when asked for.

A front end makes one launch for all tensors of equal formats, and each step calls `prepare` on
every launch, then `run` on every launch. All that can fail happens in `prepare`, so a step that is
refused has written nothing. Between the two, what a rule needs of all tensors is measured.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from typing import Any, Protocol  # arrays of any dtype

import numpy as np

from ..errors import EngineError, HyperparameterError
from ..formats import Format, Storage, computed_in, stored_program
from ..language import ops
from ..language.hyperparameters import nearest
from ..language.monitor import monitored
from ..language.program import Program
from ..language.rule import Rule
from .batch import Inputs, no_kernel, no_numbers
from .memory import Regions

Array = np.ndarray[Any, Any]

# Stands for a gradient of an earlier step that is not kept. None could be a gradient; this cannot.
FORGOTTEN = object()

# Held while an engine is imported and while a kernel is compiled. A child made by another thread in
# between would find the locks of Python's import, or of LLVM, held for ever: fork waits.
UNFORKABLE = RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=UNFORKABLE.acquire,
        after_in_parent=UNFORKABLE.release,
        after_in_child=UNFORKABLE.release,
    )

# Each engine with the library that it needs, the preferred one first.
NEEDS: Mapping[str, str] = {"cpu": "llvmlite", "reference": "numpy"}

# Those that have products of matrices.
MULTIPLIES = ("reference",)


@dataclass(frozen=True, eq=False)
class Work:
    """What a launch does: one rule over tensors of equal formats.

    switches  the static hyperparameters
    storages  tensor name -> how it is stored, for those that are stored in parts
    formats   what lies in memory, a tensor or a part of one -> the format of its numbers
    tensors   for each parameter: the weights, then its state tensors, or their parts
    groups    for each parameter: which row of the inputs belongs to it
    regions   the memory of every tensor of the optimizer, other launches' among it
    reports   whether the step is to be reported on, see language.monitor
    """

    rule: Rule
    switches: Mapping[str, bool]
    formats: Mapping[str, Format]
    tensors: Sequence[tuple[Array, ...]]
    groups: Sequence[int]
    regions: Regions
    reports: bool = False
    storages: Mapping[str, Storage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.program.has_matrices:
            for weights, *_ in self.tensors:
                ops.matrix(weights)

    @property
    def program(self) -> Program:
        """The rule for these switches."""
        program = self.rule.program(**self.switches)
        program = monitored(program) if self.reports else program
        return stored_program(program, self.storages) if self.storages else program

    @cached_property
    def computed(self) -> Format:
        """The precision of its arithmetic."""
        return computed_in(self.formats.values())

    def no_numbers(self, inputs: tuple[float, ...], error: Exception) -> HyperparameterError:
        """The error for numbers that the host part of the rule cannot be computed from."""
        return no_numbers(self.program, inputs, error)


class Launch(Protocol):
    """Some work, ready to be done again and again.

    program   that it runs, in so many passes: `measure` and `learn` do all but the last, see
              engines.measuring
    last      the gradients that it remembers, one a parameter; FORGOTTEN for one that it does not,
              because it is large, or had to be copied
    scalars   group -> the new values of the rule's scalar state, after `prepare` and `learn`
    """

    program: Program
    passes: int
    last: list[object]
    scalars: dict[int, tuple[float, ...]]

    def prepare(self, gradients: Sequence[Array] | None, inputs: Inputs) -> None:
        """Check and compute all that can fail; write to no parameter and no state.

        gradients  one a parameter, of its shape and of the format in `Work.formats`; None if each
                   is the one in `last`
        inputs     for each group, the values of `Program.step_inputs`
        """

    def measure(self, number: int) -> Array:
        """Do a pass, which only reads, and give what these tensors add to each total."""

    def learn(self, number: int, totals: Array) -> None:
        """Take the totals of all tensors of the optimizer after a pass."""

    def sums(self, number: int) -> Array:
        """The sums that a pass has made, [tensors, sums]."""

    def run(self) -> None:
        """Write the step that was prepared.

        An exception from a signal, such as that of Ctrl-C, may end this; running it again then does
        what is left of the step.
        """


class Engine(Protocol):
    """A module that runs programs."""

    def launch(self, work: Work) -> Launch:
        """Get ready to do some work."""


def load(name: str, programs: Iterable[Program] = ()) -> Engine:
    """The engine called `name`, imported now; "auto" is the fastest that is installed, and can run
    these programs.

    Raises EngineError for a name that no engine has, and for one that cannot run the programs,
    MissingLibraryError if its library is missing.
    """
    program = next((program for program in programs if program.has_matrices), None)
    if name == "auto":
        able = [engine for engine in NEEDS if program is None or engine in MULTIPLIES]
        name = next(engine for engine in able if find_spec(NEEDS[engine]))
    if name not in NEEDS:
        raise EngineError(f"there is no engine {name!r}{nearest(name, ['auto', *NEEDS])}")
    if program is not None and name not in MULTIPLIES:
        raise no_kernel(program)
    with UNFORKABLE:
        engine: Engine = import_module(f".{name}", __name__)
    return engine
