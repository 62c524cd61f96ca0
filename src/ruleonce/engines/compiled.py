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
from .host import host_function
from .measured import Measured, add_up
from .memory import address
from .native import Native, compile_ir, fused
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
        program = batch.program
        self._host = host_function(program)
        self._pack = struct.Struct(f"{len(program.host)}d").pack_into
        numbers = np.zeros((max(batch.rows, default=0) + 1, max(1, len(program.host))))
        self._buffers = [(row, memoryview(numbers[row])) for row in sorted(set(batch.rows))]
        self._numbers = numbers  # owns what the table points to
        self._rows = list(batch.rows)
        self.program = program
        self.passes = len(program.passes)
        self.width = llvm_table.width(program)
        self._table = np.zeros((len(batch.lengths), self.width), np.int64)
        self._table[:, _LENGTH] = batch.lengths
        self._table[:, _NUMBERS] = address(numbers) + numbers.strides[0] * np.array(batch.rows, int)
        self.entries = memoryview(self._table.reshape(-1))
        self._measured: Measured | None = None
        if self.passes > 1:
            places = np.arange(len(batch.lengths))
            own = np.zeros((len(places), max(1, program.number_count)))
            sizes = np.array(batch.sizes or batch.lengths, np.float64)
            self._measured = Measured(program, np, sizes, np.array(batch.rows, int), own)
            self._table[:, _NUMBERS] = address(own) + own.strides[0] * places
        if program.sum_count:
            self._make_room_for_sums(batch.lengths)
        formats = tuple(batch.formats.items())
        self._sweeps = [
            Sweep(
                kernel(one, formats),
                self._table,
                batch.lengths,
                team,
                llvm_sums.BLOCK if one.sums else 0,
            )
            for one in program.passes
        ]
        self._last = self._sweeps[-1]
        self.source = emitted(program, formats)
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
        if self._measured is not None:
            self._measured.begin(self._numbers)
        self._last.prepare()

    def measure(self, number: int, whole: Callable[[Array], Array] | None = None) -> Array:
        """Do a pass, which only reads, and give what these tensors add to each total.

        whole   makes of the sums of these tensors, [tensors, sums], those of the tensors that they
                are parts of
        """
        assert self._measured is not None  # noqa: S101
        if self.program.passes[number].sums:
            self._sweeps[number].prepare()
            self._sweeps[number].run()
        sums = self.sums(number)
        shares: Array = self._measured.shares(number, sums if whole is None else whole(sums))
        return shares

    def learn(self, number: int, totals: Array) -> None:
        """Take the totals of all tensors after a pass."""
        assert self._measured is not None  # noqa: S101
        self._measured.learn(number, totals)
        if number == self.passes - 2 and self.program.measured_scalars:
            for row, _ in self._buffers:
                self.scalars[row] = self._with_measured(row, self._measured)

    def run(self) -> None:
        """Do the last pass, which writes; see Sweep.run."""
        self._last.run()

    def _with_measured(self, row: int, measured: Measured) -> tuple[float, ...]:
        """The new scalar state of a row; what was known before is there already."""
        found = dict(zip(self.program.scalars, self.scalars[row], strict=True))
        tensor = self._rows.index(row)
        for name in self.program.measured_scalars:
            found[name] = float(measured.scalar(name, tensor))
        return tuple(found.values())

    def _make_room_for_sums(self, lengths: Sequence[int]) -> None:
        self._counts = -(-np.array(lengths, np.int64) // llvm_sums.BLOCK)
        self._starts = np.cumsum(self._counts) - self._counts
        self._partial = np.zeros((int(self._counts.sum()), self.program.sum_count))
        self._table[:, -1] = address(self._partial) + self._partial.strides[0] * self._starts

    def sums(self, number: int) -> Array:
        """The sums that a pass has made, [tensors, sums]; the last makes `Program.reports`."""
        one = self.program.passes[number]
        if not one.sums:
            return np.zeros((len(self._table), 0))
        columns = slice(one.first_sum, one.first_sum + len(one.sums))
        return add_up(self._partial[:, columns], self._starts, self._counts)


def kernel(one: Pass, formats: tuple[tuple[str, Format], ...]) -> Native:
    """The compiled kernel of a pass; made once for equal programs and formats."""
    return compile_ir(emitted(one.program, formats), identifier(one.name))


@lru_cache(maxsize=256)
def emitted(program: Program, formats: tuple[tuple[str, Format], ...]) -> str:
    """The IR of a program for tensors of these formats."""
    computed = computed_in(form for _, form in formats)
    return llvm.emit(program, dict(formats), computed, fused())
