"""The reference engine: the plain rule, called on NumPy arrays.

It is the meaning of a rule, and what the other engines are tested against. It traces nothing that
the plain call does not, compiles nothing, and takes its time.
"""

from collections.abc import Sequence

import numpy as np

from ..errors import TensorError
from ..formats import stored
from . import FORGOTTEN, Array, Work
from .batch import Inputs


class ReferenceLaunch:
    """Some work, done by calling the rule."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._results: list[tuple[Array, Array]] = []
        self.last: list[object] = [FORGOTTEN] * len(work.tensors)
        self.scalars: dict[int, tuple[float, ...]] = {}

    def prepare(self, gradients: Sequence[Array] | None, inputs: Inputs) -> None:
        """Compute every new value; write none."""
        assert gradients is not None  # noqa: S101  (none is remembered)
        work = self._work
        self._results = []
        for tensors, gradient, group in zip(work.tensors, gradients, work.groups, strict=True):
            if not all(array.flags.writeable for array in tensors):
                raise TensorError("a parameter or its state has been made read-only.")
            self.scalars[group] = self._one(tensors, gradient, inputs[group])

    def run(self) -> None:
        """Write what was computed."""
        while self._results:
            array, result = self._results[-1]
            array[...] = result
            self._results.pop()

    def _one(
        self, tensors: tuple[Array, ...], gradient: Array, inputs: tuple[float, ...]
    ) -> tuple[float, ...]:
        work, schema = self._work, self._work.rule.schema
        dtype = work.computed.dtype
        weights, *state = tensors
        values: dict[str, object] = dict(zip(schema.step_inputs, inputs, strict=True))
        for name, array in zip(schema.tensors, (weights, gradient, *state), strict=True):
            values[name] = array.astype(dtype)
        keywords = {name: values[name] for name in schema.numbers} | dict(work.switches)
        with np.errstate(all="ignore"):  # a kernel says nothing of an overflow either
            try:
                returned = work.rule(*(values[name] for name in schema.positional), **keywords)
                new = dict(zip(schema.returns, returned, strict=True))
                scalars = tuple(float(new[name]) for name in schema.scalars)
            except (ArithmeticError, ValueError, TypeError) as error:
                raise work.no_numbers(inputs, error) from error
            for name, array in zip((schema.weights, *schema.state), tensors, strict=True):
                value = np.broadcast_to(np.asarray(new[name], dtype), array.shape)
                self._results.append((array, stored(value, work.formats[name])))
        return scalars


def launch(work: Work) -> ReferenceLaunch:
    """Get ready to do some work."""
    return ReferenceLaunch(work)
