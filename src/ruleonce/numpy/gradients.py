"""What a parameter and a gradient must be, checked before anything is written."""

from typing import Any  # arrays of any dtype, and whatever a user passes in their place

import numpy as np

from ..engines.memory import overlapping
from ..errors import TensorError, TensorTypeError
from ..formats import format_of

Array = np.ndarray[Any, Any]


def check_parameters(arrays: list[Any], names: tuple[str, ...]) -> None:
    """Raise TensorError for the first parameter that cannot be updated in place."""
    for array, name in zip(arrays, names, strict=True):
        what = parameter(name)
        if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
            raise TensorTypeError(f"{what} is {_found(array)}; it must be a NumPy array.{_cure(array)}")
        format_of(array.dtype, what)
        if not array.flags.writeable:
            raise TensorError(
                f"{what} is read-only, and a step updates it in place. Pass a copy: x.copy()."
            )
        if array.ndim and 0 in array.strides and array.size > 1 and _repeats(array):
            raise TensorError(
                f"{what} is a broadcast array: several of its elements are one place in memory. "
                "Pass a copy: x.copy()."
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
    if isinstance(gradient, (np.generic, float, int)) and weights.ndim == 0:
        # NumPy gives a number where an array has no dimension left.
        dtype = weights.dtype if isinstance(gradient, (float, int)) else None
        gradient = np.asarray(gradient, dtype)
    if not isinstance(gradient, np.ndarray) or isinstance(gradient, np.ma.MaskedArray):
        if gradient is None:
            raise TensorTypeError(f"{what} is missing (None); pass zeros to leave the weights be.")
        raise TensorTypeError(f"{what} is {_found(gradient)}; it must be a NumPy array.{_cure(gradient)}")
    if gradient.shape != weights.shape:
        turned = gradient.shape[::-1] == weights.shape
        hint = " Transpose it: dw.T." if turned else ""
        raise TensorError(
            f"{what} has shape {gradient.shape}, and the weights have {weights.shape}.{hint}"
        )
    format_of(gradient.dtype, what)
    if not gradient.dtype.isnative:
        gradient = gradient.astype(gradient.dtype.newbyteorder("="))
    return gradient


def parameter(name: str) -> str:
    """How a message calls a parameter."""
    return f"the parameter {name!r}" if name else "the parameter"


def of(name: str) -> str:
    """`` of 'layer.weight'`` in a message; nothing for one array alone."""
    return f" of {name!r}" if name else ""


def _repeats(array: Array) -> bool:
    return any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True))


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
