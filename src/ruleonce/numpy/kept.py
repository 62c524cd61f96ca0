"""What an optimizer keeps, as it can be looked at: state, what lies in memory, and how much."""

from typing import Any  # arrays of any dtype, in any nesting

import numpy as np

from .gradients import Array
from .saved import Saved
from .structure import Structure, Tree


class Kept(Saved):
    """The part of an Optimizer that shows its state."""

    _structure: Structure

    @property
    def state(self) -> dict[str, Any]:
        """State name -> arrays nested as the parameters are, or one number for scalar state (a list
        of numbers, one a group, if there are groups).

        The arrays are the optimizer's own, not copies; but for a tensor that is stored in parts, a
        new array of what they hold (float32; float64 for weights of float64).
        """
        found: dict[str, Any] = {name: self._expanded(name) for name in self.rule.state}
        for place, name in enumerate(self.rule.scalars):
            numbers = [group.scalars[place] for group in self._groups]
            found[name] = numbers[0] if len(numbers) == 1 else numbers
        return found

    @property
    def stored(self) -> dict[str, dict[str, Array]]:
        """Parameter name -> what lies in memory for it beside the weights: the state, and the parts
        of what is stored in parts, such as "m" and "m.scale". The optimizer's own, not copies.
        """
        return {
            name: dict(zip(layout.arrays, states, strict=True))
            for name, layout, states in zip(self.names, self._layouts, self._states, strict=True)
        }

    @property
    def nbytes(self) -> int:
        """The memory of the state, in bytes; that of the weights' error bits is part of it."""
        return sum(self.nbytes_of.values())

    @property
    def nbytes_of(self) -> dict[str, int]:
        """The same for each array of the state, by its name, over all parameters."""
        found: dict[str, int] = {}
        for layout, states in zip(self._layouts, self._states, strict=True):
            for name, array in zip(layout.arrays, states, strict=True):
                found[name] = found.get(name, 0) + array.nbytes
        return found

    @property
    def masters(self) -> Any:
        """The weights with all the bits that are kept of them, nested as the parameters are: new
        arrays of float32 where they are stored with error bits, else the parameters themselves.

        Setting it writes weights and error bits; each array is of the shape of its parameter.
        """
        return self._expanded(self.rule.schema.weights)

    @masters.setter
    def masters(self, values: Tree) -> None:
        self._set(self.rule.schema.weights, values, "master weights")

    def set_state(self, name: str, values: Tree) -> None:
        """Set a state tensor, nested as the parameters are; what is stored in parts is encoded."""
        self._set(name, values, f"state {name}")

    def _set(self, tensor: str, values: Tree, what: str) -> None:
        arrays = self._structure.flatten(values, what)
        for weights, array, name in zip(self._weights, arrays, self.names, strict=True):
            if np.shape(array) != weights.shape:
                raise ValueError(
                    f"the {what} of {name or 'the parameter'} have the shape "
                    f"{np.shape(array)}, and the parameter {weights.shape}."
                )
        for array, weights, layout, states in zip(
            arrays, self._weights, self._layouts, self._states, strict=True
        ):
            for own, new in layout.encode(tensor, np.asarray(array), weights, states):
                own[...] = new

    def _expanded(self, tensor: str) -> Any:
        return self._structure.unflatten(
            layout.decoded(tensor, weights, states)
            for layout, weights, states in zip(
                self._layouts, self._weights, self._states, strict=True
            )
        )
