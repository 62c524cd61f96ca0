"""What a parameter and a gradient must be, checked before anything is written."""

import sys
from collections.abc import Sequence
from typing import Any  # arrays of any dtype, and whatever a user passes in their place

import numpy as np

from ..engines.memory import overlapping, overlaps_itself
from ..errors import StructureError, TensorError, TensorTypeError
from ..formats import format_of

Array = np.ndarray[Any, Any]
Expected = list[tuple[tuple[int, ...], np.dtype[Any]]]  # of each gradient


def check_parameters(arrays: list[Any], names: tuple[str, ...]) -> None:
    """Raise TensorError for the first parameter that cannot be updated in place."""
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise StructureError(f"two parameters are called {twice!r}; give one another key.")
    for array, name in zip(arrays, names, strict=True):
        what = parameter(name)
        if not isinstance(array, np.ndarray) or _is_masked(array):
            raise TensorTypeError(
                f"{what} is {_found(array)}; it must be a NumPy array.{_cure(array)}"
            )
        format_of(array.dtype, what)
        if not array.flags.writeable:
            raise TensorError(
                f"{what} is read-only, and a step updates it in place. Pass a copy: x.copy()."
            )
        if overlaps_itself(array):
            raise TensorError(
                f"{what} is a broadcast array, or a window that slides: several of its elements "
                "are one place in memory. Pass a copy: x.copy()."
            )
    if (pair := overlapping(arrays)) is not None:
        first, second = (parameter(names[place]) for place in pair)
        raise TensorError(
            f"{first} and {second} share memory, so one step would update it twice. "
            "Pass it once, or pass copies."
        )


def checked_gradient(gradient: Any, weights: Array, name: str) -> Array:
    """`gradient` as an array of the weights' shape, or a TensorError that says what is wrong."""
    what = f"the gradient{of(name)}"
    if weights.ndim == 0 and isinstance(gradient, np.generic):
        gradient = np.asarray(gradient)  # NumPy gives a number where no dimension is left
    elif weights.ndim == 0 and isinstance(gradient, (float, int)) and type(gradient) is not bool:
        gradient = _of_number(gradient, weights, what)
    if not isinstance(gradient, np.ndarray) or _is_masked(gradient):
        if gradient is None:
            raise TensorTypeError(f"{what} is missing (None); pass zeros to leave the weights be.")
        raise TensorTypeError(
            f"{what} is {_found(gradient)}; it must be a NumPy array.{_cure(gradient)}"
        )
    if gradient.shape != weights.shape:
        turned = gradient.shape[::-1] == weights.shape
        hint = " Transpose it: dw.T." if turned else ""
        raise TensorError(
            f"{what} has shape {gradient.shape}, and the weights have {weights.shape}.{hint}"
        )
    format_of(gradient.dtype, what)
    if not gradient.dtype.isnative:
        gradient = gradient.astype(gradient.dtype.newbyteorder("="))
    array: Array = gradient
    return array


def look(
    leaves: list[Any], weights: Sequence[Array], names: Sequence[str], expected: Expected
) -> Expected | None:
    """Check the gradients; give their shapes and dtypes if they are other ones than expected.

    One that needs more than a look (a number for a 0-dimensional parameter, another dtype than at
    the last step) is replaced in `leaves` by an array.
    """
    found: Expected | None = None
    place = -1
    for gradient in leaves:  # counted by hand: this is a part of every step with new gradients
        place += 1
        shape, dtype = expected[place]
        if (
            type(gradient) is not np.ndarray
            or gradient.dtype is not dtype
            or gradient.shape != shape
        ):
            array = checked_gradient(gradient, weights[place], names[place])
            leaves[place] = array
            form = format_of(array.dtype, "the gradient")
            if form.dtype is not dtype:
                found = found or list(expected)
                found[place] = (shape, form.dtype)
    return found


def parameter(name: str) -> str:
    """How a message calls a parameter."""
    return f"the parameter {name!r}" if name else "the parameter"


def of(name: str) -> str:
    """`` of 'layer.weight'`` in a message; nothing for one array alone."""
    return f" of {name!r}" if name else ""


def _is_masked(array: Array) -> bool:
    # np.ma would be imported by asking for it; where it is not loaded there is no masked array.
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())
    return isinstance(array, masked)


def _of_number(gradient: float, weights: Array, what: str) -> Array:
    try:
        with np.errstate(over="ignore"):
            return np.array(gradient, weights.dtype)
    except OverflowError:
        raise TensorError(f"{what} is an integer too large for floating point.") from None


def _found(value: Any) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return f"{value!r}, a {kind}" if isinstance(value, (int, float, str)) else f"a {kind}"


def _cure(value: Any) -> str:
    root = type(value).__module__.partition(".")[0]
    if root == "torch":
        return " Pass x.detach().numpy(), which shares its memory."
    if root in ("jax", "jaxlib"):
        return " Pass np.array(x): JAX's arrays cannot be updated in place."
    return " Pass np.array(x, 'float32')."
