"""What the cpu engine does between two passes, by the functions of emit.llvm_measured."""

from collections.abc import Callable

import numpy as np

from ..emit import llvm_measured, llvm_sums
from ..emit.names import identifier
from . import Array
from .batch import Batch
from .memory import address
from .native import compile_ir

_NOTHING = np.zeros(0)


class Between:
    """The memory that passes share, and what is computed from it.

    source   the IR of the program
    known    float64 [rows, len(Program.host)]: the numbers that are known before any pass
    """

    def __init__(self, batch: Batch, source: str, known: Array) -> None:
        program = batch.program
        count = len(batch.lengths)
        totals = llvm_measured.totals_of(program)
        blocks = -(-np.array(batch.lengths, np.int64) // llvm_sums.BLOCK)
        self._program = program
        self._memory = {
            "rows": np.array(batch.rows, np.int64),
            "known": known,
            "sizes": np.array(batch.sizes or batch.lengths, np.float64),
            "starts": np.cumsum(blocks) - blocks,
            "counts": blocks,
            "partial": np.zeros((int(blocks.sum()), program.sum_count)),
            "sums": np.zeros((count, program.sum_count)),
            "totals": np.zeros(len(totals)),
            "shares": np.zeros(len(totals)),
            "numbers": np.zeros((count, max(1, program.number_count))),
            "scalars": np.zeros((count, len(program.measured_scalars))),
        }
        fields = [count, *(address(self._memory[field]) for field in llvm_measured.JOB[1:])]
        self._job = np.array(fields, np.int64)
        self._at = address(self._job)
        self._first_of_row = {row: batch.rows.index(row) for row in set(batch.rows)}
        # After each pass: which of the totals are known then.
        self._known_after = [
            slice(
                sum(node.level <= one.number for node in totals),
                sum(node.level <= one.number + 1 for node in totals),
            )
            for one in program.passes
        ]
        name = identifier(program.name)

        def function(kind: str, number: int) -> Callable[[int], None]:
            called: Callable[[int], None] = compile_ir(source, f"{name}_{kind}{number}").call_held
            return called

        self._sums = {
            one.number: function("sums", one.number) for one in program.passes if one.sums
        }
        self._learn = {
            one.number: function("learn", one.number)
            for one in program.passes
            if len(program.passes) > 1
        }
        self._shares = {
            number: function("shares", number)
            for number, known in enumerate(self._known_after)
            if known.start < known.stop
        }

    def put_into(self, table: Array, column: int) -> None:
        """Write into the table where each tensor has its numbers and its sums."""
        if self._learn:
            numbers = self._memory["numbers"]
            table[:, column] = address(numbers) + numbers.strides[0] * np.arange(len(table))
        if self._program.sum_count:
            partial = self._memory["partial"]
            table[:, -1] = address(partial) + partial.strides[0] * self._memory["starts"]

    def sums(self, number: int) -> Array:
        """The sums that a pass has made, [tensors, sums], where they are kept."""
        one = self._program.passes[number]
        if number in self._sums:
            self._sums[number](self._at)
        return self._memory["sums"][:, one.first_sum : one.first_sum + len(one.sums)]

    def shares(self, number: int) -> Array:
        """What the tensors add to each total that is known after a pass."""
        if number not in self._shares:
            return _NOTHING
        self._shares[number](self._at)
        return self._memory["shares"][self._known_after[number]].copy()

    def take(self, number: int, totals: Array) -> None:
        """Take the totals of all tensors after a pass."""
        if number in self._shares:
            self._memory["totals"][self._known_after[number]] = totals

    def learn(self, number: int) -> None:
        """Compute the numbers of a pass, which can be done then."""
        if number in self._learn:
            self._learn[number](self._at)

    def scalars(self, row: int, known: tuple[float, ...]) -> tuple[float, ...]:
        """The new scalar state of a row, once all is measured; `known` is what was known before."""
        new = iter(self._memory["scalars"][self._first_of_row[row]].tolist())
        measured = self._program.measured_scalars
        return tuple(
            next(new) if name in measured else value
            for name, value in zip(self._program.scalars, known, strict=True)
        )
