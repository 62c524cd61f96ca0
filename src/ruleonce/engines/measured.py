"""The numbers of a step that are made from tensors: norms, means, and what a rule makes of them.

They are computed in float64, for all tensors at once, by PyTorch: the sums are on a device and stay
there. (The cpu engine has compiled functions for that, see engines.between.) Where a norm is
divided by, 0 gives inf or nan, as it does in every engine, and no error.
"""

from types import ModuleType
from typing import Any  # arrays of either library

import numpy as np

from ..language import ops
from ..language.graph import Node
from ..language.program import Program


class Measured:
    """What passes find, level after level.

    xp        the array library
    sizes     float64 [tensors]: how many elements each has
    rows      integers [tensors]: which row of the inputs belongs to each
    numbers   float64 [tensors, Program.number_count]: what each pass takes; filled before it
    """

    def __init__(
        self, program: Program, xp: ModuleType, sizes: Any, rows: Any, numbers: Any
    ) -> None:
        self._program = program
        self._xp = xp
        self._sizes = sizes
        self._rows = rows
        self._values: dict[Node, Any] = {}
        self._totals = [node for node in program.measured if node.op is ops.TOTAL]
        self.numbers = numbers

    @property
    def all(self) -> tuple[Any, ...]:
        """All of its memory that outlives a step."""
        return self.numbers, self._sizes, self._rows

    def begin(self, known: Any) -> None:
        """Take the numbers of `Program.host`, a row for each row of the inputs."""
        columns = zip(self._program.host, known[self._rows].T, strict=False)
        self._values = {
            node: column != 0 if node.kind == "truth" else column for node, column in columns
        }
        self._compute(0)

    def shares(self, number: int, sums: Any) -> Any:
        """Take the sums of a pass, [tensors, sums], and give what these tensors add to each total
        that is known after it.
        """
        self._values |= dict(zip(self._program.passes[number].sums, sums.T, strict=True))
        self._compute(number + 1, before_totals=True)
        found = [self._values[node.args[0]].sum() for node in self._totals_of(number + 1)]
        return self._xp.stack(found) if found else self._sizes[:0]

    def learn(self, number: int, totals: Any) -> None:
        """Take the totals of all tensors of the optimizer after a pass; the next one can be done
        then.
        """
        for node, value in zip(self._totals_of(number + 1), totals, strict=True):
            self._values[node] = value + 0.0 * self._sizes
        self._compute(number + 1)

    def scalar(self, name: str, tensor: int) -> Any:
        """The new value of a measured scalar state, in the row of a tensor."""
        return self._values[self._program.scalars[name]][tensor]

    def _totals_of(self, level: int) -> list[Node]:
        return [node for node in self._totals if node.level == level]

    def _compute(self, level: int, *, before_totals: bool = False) -> None:
        """All numbers of a level that can be computed, and with them those of its pass."""
        values = self._values
        with np.errstate(all="ignore"):
            for node in self._program.measured:
                if node.level != level or node in values or node.op in (None, ops.TOTAL):
                    continue
                if node.op is ops.SIZE:
                    values[node] = self._sizes
                elif all(arg in values or arg.is_constant for arg in node.args):
                    operands = (arg.value if arg.is_constant else values[arg] for arg in node.args)
                    values[node] = node.op.array(self._xp, *operands)
        if not before_totals:
            one = self._program.passes[level]
            for place, node in enumerate(one.host, start=one.first_number):
                self.numbers[:, place] = values[node]
