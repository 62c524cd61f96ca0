"""The cpu engine over addresses: a compiled kernel for each pass of a program."""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from ..emit import llvm, llvm_sums, llvm_table
from ..emit.names import identifier
from ..formats import Format, computed_in
from ..language.program import Pass, Program
from . import Array, threads
from .batch import Batch, Inputs, no_numbers
from .between import Between
from .host import host_function
from .memory import address
from .native import Native, compile_ir, fused, vbmi
from .sweep import Sweep, Team

_LENGTH, _NUMBERS, _FIRST = 0, 1, 2  # columns of the table; see emit.llvm


class CpuCall:
    """A kernel over a table of addresses: a row for each parameter, as emit.llvm describes it.

    entries   the table, row after row, for those who place addresses one by one
    width     of a row
    scalars   row -> the new values of the rule's scalar state, after `prepare` and all `learn`
    passes    of the program; all but the last are done by `measure`
    """

    def __init__(self, batch: Batch, team: Team = threads.POOL) -> None:
        self.program = program = batch.program
        self.passes = len(program.passes)
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        numbers = np.zeros((max(batch.rows, default=0) + 1, max(1, len(program.host))))
        self._buffers = [(row, memoryview(numbers[row])) for row in sorted(set(batch.rows))]
        self.width = llvm_table.width(program)
        self._table = np.zeros((len(batch.lengths), self.width), np.int64)
        self._table[:, _LENGTH] = batch.lengths
        self._table[:, _NUMBERS] = address(numbers) + numbers.strides[0] * np.array(batch.rows, int)
        self.entries = memoryview(self._table.reshape(-1))
        self._numbers = numbers  # owns what the table points to
        formats = tuple(batch.formats.items())
        self.source = emitted(program, formats)
        self._between: Between | None = None
        if program.sum_count or self.passes > 1:
            self._between = Between(batch, self.source, numbers)
            self._between.put_into(self._table, _NUMBERS)
        self._sweeps = [
            Sweep(
                kernel(one, formats),
                self._table,
                batch.lengths,
                team,
                llvm_sums.BLOCK if one.sums else program.block,
            )
            for one in program.passes
        ]
        self._last = self._sweeps[-1]
        self.scalars: dict[int, tuple[float, ...]] = {}

    def place(self, tensor: int, addresses: Sequence[int]) -> None:
        """Say where a tensor of the program lies: one address a parameter."""
        self._table[:, _FIRST + tensor] = addresses

    def entry(self, row: int, tensor: int) -> int:
        """Where in `entries` the address of a tensor stands."""
        return row * self.width + _FIRST + tensor

    def prepare(self, inputs: Inputs) -> None:
        """Evaluate the host part for each row."""
        for row, buffer in self._buffers:
            try:
                self.scalars[row] = self._host(self._pack, buffer, *inputs[row])
            except (ArithmeticError, ValueError, TypeError, struct.error) as error:
                raise no_numbers(self.program, inputs[row], error) from error
        if self._between is not None:
            self._between.learn(0)
        self._last.prepare()

    def measure(self, number: int, whole: Callable[[Array], Array] | None = None) -> Array:
        """Do a pass, which only reads, and give what these tensors add to each total.

        whole   makes of the sums of these tensors, [tensors, sums], those of the tensors that they
                are parts of
        """
        assert self._between is not None  # noqa: S101
        if self.program.passes[number].sums:
            self._sweeps[number].prepare()
            try:
                self._sweeps[number].run()
            except BaseException:  # Ctrl-C: other threads still write where the sums are kept
                self._sweeps[number].run()
                raise
            sums = self._between.sums(number)
            if whole is not None:
                sums[...] = whole(sums.copy())
        return self._between.shares(number)

    def learn(self, number: int, totals: Array) -> None:
        """Take the totals of all tensors after a pass."""
        assert self._between is not None  # noqa: S101
        self._between.take(number, totals)
        self._between.learn(number + 1)
        if number == self.passes - 2 and self.program.measured_scalars:
            for row, _ in self._buffers:
                self.scalars[row] = self._between.scalars(row, self.scalars[row])

    def sums(self, number: int) -> Array:
        """The sums that a pass has made, [tensors, sums]; the last makes `Program.reports`."""
        assert self._between is not None  # noqa: S101
        return self._between.sums(number)

    def run(self) -> None:
        """Do the last pass, which writes; see Sweep.run."""
        self._last.run()


def kernel(one: Pass, formats: tuple[tuple[str, Format], ...]) -> Native:
    """The compiled kernel of a pass; made once for equal programs and formats."""
    return compile_ir(emitted(one.program, formats), identifier(one.name))


@lru_cache(maxsize=256)
def emitted(program: Program, formats: tuple[tuple[str, Format], ...]) -> str:
    """The IR of a program for tensors of these formats."""
    computed = computed_in(form for _, form in formats)
    return llvm.emit(program, dict(formats), computed, fused(), vbmi=vbmi())
