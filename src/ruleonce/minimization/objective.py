"""An objective and its gradient, asked for as seldom as can be, and counted."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any  # an objective may take anything beside x

import numpy as np

from ..engines import Array
from ..errors import MissingLibraryError, StructureError, TensorTypeError
from .points import Limits

Function = Callable[..., Any]
Gradient = Function | bool | str | None

_DIFFERENCES = ("2-point", "3-point", "cs")


class Objective:
    """`fun` and its gradient at the point where a run is.

    What is known of the point is not asked for again; `moved` says that it is another one. `fun`
    and `jac` get a copy of x each time: they may keep it, and compare it with the next one.

    has_batches  whether fun and jac get a batch beside x
    gradient     the last gradient; always the same array, so that an optimizer knows it again
    nfev, njev   how often the objective and its gradient were asked for

    Raises StructureError for a `jac` that is none.
    """

    def __init__(
        self,
        fun: Function,
        jac: Gradient,
        args: object,
        batches: Iterable[object] | None,
        x: Array,
        limits: Limits | None = None,
    ) -> None:
        if not (callable(jac) or jac in (None, True, False, *_DIFFERENCES)):
            raise StructureError(
                f"jac is {jac!r}; it must be a function of x, True if fun returns the value and "
                f"the gradient, or one of {', '.join(map(repr, _DIFFERENCES))}, or None."
            )
        self._fun = fun
        self._gives_both = jac is True
        self._find = self._find_both if self._gives_both else self._find_gradient
        self._jac: Function | None = jac if callable(jac) else None
        self._method = jac if isinstance(jac, str) else "2-point"
        self._limits = limits
        self.has_batches = batches is not None
        self._batches: Iterator[object] | None = None if batches is None else iter(batches)
        self._args: tuple[object, ...] = args if isinstance(args, tuple) else (args,)
        self._given = self._args
        self.gradient = np.zeros_like(x)
        self._dtype, self._shape = x.dtype, x.shape
        self.nfev = self.njev = 0
        self._value: float | None = None
        self._has_gradient = False

    def moved(self) -> None:
        """The point is another one now."""
        self._value = None
        self._has_gradient = False

    def next_batch(self) -> bool:
        """Take the next batch; False when there are no more."""
        if self._batches is None:
            return True
        for batch in self._batches:
            self._given = (batch, *self._args)
            self.moved()  # what a callback has asked for was of the batch before
            return True
        return False

    def value(self, x: Array) -> float:
        """The objective at x. Raises StructureError if it is not one real number."""
        if self._value is None:
            if self._gives_both:
                self._find_both(x)
            else:
                self.nfev += 1
                self._value = _number(self._fun(x.copy(), *self._given))
        value: float = self._value  # type: ignore[assignment]  # known by now
        return value

    def find_gradient(self, x: Array) -> None:
        """Write the gradient at x into `gradient`. Raises StructureError for another shape."""
        if not self._has_gradient:
            self._find(x)

    def _find_gradient(self, x: Array) -> None:
        self.njev += 1
        self._take(self._differences(x) if self._jac is None else self._jac(x.copy(), *self._given))

    def _find_both(self, x: Array) -> None:
        self.nfev += 1
        self.njev += 1
        found = self._fun(x.copy(), *self._given)
        try:
            value, gradient = found
        except (TypeError, ValueError):
            raise StructureError(
                "with jac=True, fun must return two things: the value, and the gradient."
            ) from None
        self._value = value if type(value) is float else _number(value)
        self._take(gradient)

    def _take(self, found: Any) -> None:
        """Copy a gradient into the own array."""
        own = self.gradient
        # What it mostly is comes first: this is a part of every step.
        if type(found) is np.ndarray and found.dtype is self._dtype and found.shape == self._shape:
            own[...] = found
        else:
            found = np.asarray(found)
            if found.size != own.size:
                raise StructureError(
                    f"the gradient has shape {found.shape}, and x has {own.shape}."
                )
            if found.dtype.kind not in "fiub":
                raise TensorTypeError(
                    f"the gradient has dtype {found.dtype}; it must be real numbers."
                )
            with np.errstate(over="ignore"):  # inf is no surprise to what comes next
                own[...] = found.reshape(own.shape)
        self._has_gradient = True

    def _differences(self, x: Array) -> Array:
        """The gradient by SciPy's differences, of the elements that bounds leave free."""
        try:
            from scipy.optimize._numdiff import approx_derivative
        except ImportError as missing:
            raise MissingLibraryError(
                "without jac the gradient is taken from differences by SciPy, which is not "
                "installed here:\n  pip install 'ruleonce[scipy]'"
            ) from missing
        middle = None if self._method == "cs" else np.array([self.value(x)])
        bounds: tuple[Any, Any] = (-np.inf, np.inf)
        free = np.ones(x.shape, bool)
        if self._limits is not None:
            free = self._limits.low < self._limits.high
            bounds = self._limits.low[free], self._limits.high[free]
        gradient = np.zeros_like(x)

        def counted(part: Array) -> object:
            point = x.astype(np.result_type(x, part))
            point[free] = part
            self.nfev += 1
            return self._fun(point, *self._given)

        if free.any():
            found = approx_derivative(
                counted, x[free], method=self._method, f0=middle, bounds=bounds
            )
            gradient[free] = np.reshape(found, -1)
        return gradient


def _number(value: object) -> float:
    if type(value) is float:
        return value
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiub":
        raise StructureError(
            f"the objective returned an array of shape {array.shape} and dtype {array.dtype}; it "
            "must be one real number."
        )
    return float(array.item())
