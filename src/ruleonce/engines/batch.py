"""What a compiled engine works on: tensors by their addresses, whoever owns them.

A front end whose tensors are not NumPy arrays uses an engine through these. The table that they
describe, a row for each parameter, is the one of `emit`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from ..errors import EngineError, HyperparameterError
from ..formats import Format, computed_in
from ..language.program import Program

Inputs = Sequence[tuple[float, ...]]
Whole = Callable[[Any], Any]  # arrays of NumPy, or tensors of a device


@dataclass(frozen=True, eq=False)
class Batch:
    """Tensors of equal formats, each in one dense block of memory.

    program   the rule, its switches settled
    formats   tensor name -> how it lies in memory
    lengths   for each parameter: how many elements it has
    rows      for each parameter: which row of a step's inputs belongs to it
    sizes     for each parameter: how many elements it has in all, where `lengths` are those of the
              parts that are in this process; None if they are all here
    """

    program: Program
    formats: Mapping[str, Format]
    lengths: Sequence[int]
    rows: Sequence[int]
    sizes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.program.has_matrices:
            raise no_kernel(self.program)

    @cached_property
    def computed(self) -> Format:
        """The precision of its arithmetic."""
        return computed_in(self.formats.values())


class Call(Protocol):
    """A kernel over a batch, called once a step.

    program   that it runs, in so many passes: `measure` and `learn` do all but the last, see
              engines.measuring
    scalars   row -> the new values of the rule's scalar state, after `prepare` and `learn`
    """

    program: Program
    passes: int
    scalars: dict[int, tuple[float, ...]]

    def place(self, tensor: int, addresses: Sequence[int]) -> None:
        """Say where a tensor of the program lies: one address a parameter.

        tensor   its place in `Program.tensors`
        """

    def prepare(self, inputs: Inputs) -> None:
        """Evaluate the host part for each row: the values of `Program.step_inputs`.

        Raises HyperparameterError if it cannot be; nothing was written then.
        """

    def measure(self, number: int, whole: Whole | None = None) -> Any:
        """Do a pass, which only reads, and give what these tensors add to each total.

        whole   makes of the sums of these tensors, [tensors, sums], those of the tensors that they
                are parts of
        """

    def learn(self, number: int, totals: Any) -> None:
        """Take the totals of all tensors of the optimizer after a pass."""

    def run(self) -> None:
        """Do the step that was prepared."""


def no_kernel(program: Program) -> EngineError:
    """The error for a compiled engine that is asked for products of matrices."""
    return EngineError(
        f"{program.name} multiplies whole matrices; the kernels of the engines cpu and gpu work "
        "element by element.\n  engine='reference' (NumPy arrays) and engine='tensors' (PyTorch) "
        "leave it to the array library; engine='auto' picks them."
    )


def no_numbers(
    program: Program, inputs: tuple[float, ...], error: Exception
) -> HyperparameterError:
    """The error for numbers that the host part of a rule cannot be computed from."""
    given = zip(program.step_inputs, inputs, strict=True)
    return HyperparameterError(
        f"{program.name}: its numbers cannot be computed from "
        f"{', '.join(f'{name}={value!r}' for name, value in given)}: {error}."
    )
