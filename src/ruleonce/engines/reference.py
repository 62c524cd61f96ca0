"""The reference engine: the plain rule, called on NumPy arrays.

It is the meaning of a rule, and what the other engines are tested against. It traces nothing that
the plain call does not, compiles nothing, and takes its time.
"""

from collections.abc import Sequence
from typing import Any  # arrays of any dtype

import numpy as np

from ..errors import TensorError
from ..formats import loaded, stored
from ..language import ops
from ..language.bits import INDEX
from ..language.graph import Node, evaluate
from . import FORGOTTEN, Array, Work
from .batch import Inputs
from .memory import order_of


class ReferenceLaunch:
    """Some work, done by calling the rule.

    A rule that needs a total of all tensors cannot be called on one alone; the operations that it
    was traced to are done then, one after another.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self.program = work.program
        self.passes = len(self.program.passes) if self.program.has_totals else 1
        self._results: list[tuple[Array, Array]] = []
        self._waiting: list[tuple[tuple[Array, ...], Array, int]] = []
        self._inputs: Inputs = []
        self._totals: dict[Node, float] = {}
        self._done: list[Array] = []
        self.last: list[object] = [FORGOTTEN] * len(work.tensors)
        self.scalars: dict[int, tuple[float, ...]] = {}

    def prepare(self, gradients: Sequence[Array] | None, inputs: Inputs) -> None:
        """Compute every new value; write none."""
        assert gradients is not None  # noqa: S101  (none is remembered)
        work = self._work
        self._results = []
        self._inputs, self._totals, self._done = inputs, {}, []
        self._waiting = list(zip(work.tensors, gradients, work.groups, strict=True))
        for tensors, gradient, group in zip(work.tensors, gradients, work.groups, strict=True):
            if not all(array.flags.writeable for array in tensors):
                raise TensorError("a parameter or its state has been made read-only.")
            if self.passes == 1:
                self.scalars[group] = self._one(tensors, gradient, inputs[group])

    def measure(self, number: int) -> Array:
        """What these tensors add to each total that is known after a pass."""
        sums = [node.args[0] for node in self._totals_of(number)]
        shares = np.zeros(len(sums))
        for tensors, gradient, group in self._waiting:
            found = self._evaluated(sums, self._values(tensors, gradient, self._inputs[group]))
            with np.errstate(all="ignore"):
                shares += found
        return shares

    def learn(self, number: int, totals: Array) -> None:
        """Take the totals after a pass; after the last of them, compute every new value."""
        self._totals |= dict(zip(self._totals_of(number), totals, strict=True))
        if number < self.passes - 2:
            return
        for tensors, gradient, group in self._waiting:
            values = self._values(tensors, gradient, self._inputs[group])
            results = {**self.program.outputs, **self.program.scalars}
            found = dict(zip(results, self._evaluated(list(results.values()), values), strict=True))
            self._keep(tensors, found)
            self.scalars[group] = tuple(float(found[name]) for name in self.program.scalars)

    def sums(self, number: int) -> Array:
        """The sums of a pass, [tensors, sums]."""
        if self._done:  # of the last pass, which has written already
            return self._done[-1]
        wanted = list(self.program.passes[number].sums)
        found = [
            self._evaluated(wanted, self._values(tensors, gradient, self._inputs[group]))
            for tensors, gradient, group in self._waiting
        ]
        return np.array(found, np.float64).reshape(len(self._waiting), len(wanted))

    def run(self) -> None:
        """Write what was computed."""
        if self.program.reports and not self._done:
            self._done.append(self.sums(len(self.program.passes) - 1))
        while self._results:
            array, result = self._results[-1]
            array[...] = result
            self._results.pop()

    def _totals_of(self, number: int) -> list[Node]:
        known = (node for node in self.program.measured if node.op is ops.TOTAL)
        return [node for node in known if node.level == number + 1]

    def _values(
        self, tensors: tuple[Array, ...], gradient: Array, inputs: tuple[float, ...]
    ) -> dict[str, object]:
        dtype = self._work.computed.dtype
        weights, *state = tensors
        values: dict[str, object] = dict(zip(self.program.step_inputs, inputs, strict=True))
        for name, array in zip(self.program.tensors, (weights, gradient, *state), strict=True):
            value = array
            if self._work.storages:  # a block is a run of elements, as they lie in memory
                row = array.ravel(order_of(weights))
                value = loaded(row, self._work.formats[name], weights.size)
            values[name] = value if value.dtype == np.int32 else value.astype(dtype)
        if any(storage.is_random for storage in self._work.storages.values()):
            values[INDEX] = np.arange(weights.size, dtype=np.int32)
        return values

    def _evaluated(self, nodes: list[Node], values: dict[str, object]) -> list[Any]:
        dtype = self._work.computed.dtype

        def rounded(value: float | bool) -> object:
            return value if isinstance(value, bool) else dtype.type(value)

        with np.errstate(all="ignore"):
            return evaluate(nodes, values, np, rounded, self._totals, self.program.block)

    def _keep(self, tensors: tuple[Array, ...], new: dict[str, object]) -> None:
        """Note what is to be written."""
        work, (weights, _, *state) = self._work, self.program.tensors
        with np.errstate(all="ignore"):
            for name, array in zip((weights, *state), tensors, strict=True):
                form = work.formats[name]
                value = np.asarray(new[name], np.int32 if form.is_integer else work.computed.dtype)
                if form.per_item == 1:
                    if value.ndim and work.storages:
                        value = value.reshape(array.shape, order=order_of(tensors[0]))
                    value = np.broadcast_to(value, array.shape)
                self._results.append((array, stored(value, form)))

    def _one(
        self, tensors: tuple[Array, ...], gradient: Array, inputs: tuple[float, ...]
    ) -> tuple[float, ...]:
        work, schema = self._work, self._work.rule.schema
        values = self._values(tensors, gradient, inputs)
        if work.storages:
            return self._one_stored(tensors, inputs, values)
        keywords = {name: values[name] for name in schema.numbers} | dict(work.switches)
        with np.errstate(all="ignore"):  # a kernel says nothing of an overflow either
            try:
                returned = work.rule(*(values[name] for name in schema.positional), **keywords)
                new = dict(zip(schema.returns, returned, strict=True))
                scalars = tuple(float(new[name]) for name in schema.scalars)
            except (ArithmeticError, ValueError, TypeError) as error:
                raise work.no_numbers(inputs, error) from error
            self._keep(tensors, new)
        return scalars

    def _one_stored(
        self, tensors: tuple[Array, ...], inputs: tuple[float, ...], values: dict[str, object]
    ) -> tuple[float, ...]:
        """The rule between what decodes and what encodes: their graph, an operation at a time."""
        results = {**self.program.outputs, **self.program.scalars}
        try:
            found = dict(zip(results, self._evaluated(list(results.values()), values), strict=True))
            scalars = tuple(float(found[name]) for name in self.program.scalars)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise self._work.no_numbers(inputs, error) from error
        self._keep(tensors, found)
        return scalars


def launch(work: Work) -> ReferenceLaunch:
    """Get ready to do some work."""
    return ReferenceLaunch(work)
