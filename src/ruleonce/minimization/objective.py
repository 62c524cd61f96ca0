"""An objective and its gradient, asked for as often as is needed and counted."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any  # whatever an objective takes beside x

import numpy as np

from ..engines import Array
from ..errors import MissingLibraryError, StructureError

_DIFFERENCES = ("2-point", "3-point", "cs")


class Objective:
    """`fun` and its gradient at a point.

    nfev, njev   how often the objective and its gradient were computed
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        jac: Callable[..., Any] | bool | str | None,
        args: tuple[Any, ...],
        batches: Iterable[Any] | None,
        bounds: tuple[Array, Array] | None,
    ) -> None:
        self._fun = fun
        self._jac = jac
        self._args = args
        self._bounds = bounds
        self._batches: Iterator[Any] | None = None if batches is None else iter(batches)
        self._given = args
        self.nfev = self.njev = 0
        self._known: tuple[bytes, float] | None = None
        if not (callable(jac) or jac in (None, True, False, *_DIFFERENCES)):
            raise StructureError(
                f"jac is {jac!r}; it must be a function of x, True if `fun` returns (value, "
                f"gradient), one of {', '.join(map(repr, _DIFFERENCES))}, or None."
            )

    def next_batch(self) -> bool:
        """Take the next batch, if there are batches; False when there are no more."""
        if self._batches is None:
            return True
        try:
            batch = next(self._batches)
        except StopIteration:
            return False
        self._given = (batch, *self._args)
        self._known = None
        return True

    def value(self, x: Array) -> float:
        """The objective at x; not computed again where it is known already."""
        if self._known is not None and self._known[0] == x.tobytes():
            return self._known[1]
        self.nfev += 1
        found = self._fun(x.copy(), *self._given)
        value = _number(found[0] if self._jac is True else found)
        self._known = (x.tobytes(), value)
        return value

    def gradient(self, x: Array, into: Array) -> None:
        """Write the gradient at x into an array of its shape and dtype."""
        if self._jac is True:
            self.nfev += 1
            self.njev += 1
            value, found = self._fun(x, *self._given)
            self._known = (x.tobytes(), _number(value))
        elif callable(self._jac):
            self.njev += 1
            found = self._jac(x, *self._given)
        else:
            found = self._differences(x)
        try:
            if found.shape == into.shape:  # a copy only: this is a part of every step
                into[...] = found
                return
        except AttributeError:
            pass
        if np.size(found) != into.size:
            raise StructureError(
                f"the gradient has shape {np.shape(found)}, and x has {into.shape}."
            )
        into[...] = np.reshape(found, into.shape)

    def _differences(self, x: Array) -> Any:
        try:
            from scipy.optimize._numdiff import approx_derivative
        except ImportError as missing:
            raise MissingLibraryError(
                "without `jac`, the gradient is taken from differences by SciPy, which is not "
                "installed here:\n  pip install 'ruleonce[scipy]'"
            ) from missing
        method = self._jac if isinstance(self._jac, str) else "2-point"
        bounds = self._bounds or (-np.inf, np.inf)

        def counted(point: Array) -> Any:
            self.nfev += 1
            return self._fun(point, *self._given)

        f0 = None if method == "cs" else self.value(x)
        self.njev += 1
        return approx_derivative(counted, x, method=method, f0=f0, bounds=bounds)


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1:
        raise StructureError(
            f"the objective returned an array of shape {array.shape}; it must be one number."
        )
    return float(array.reshape(()))
