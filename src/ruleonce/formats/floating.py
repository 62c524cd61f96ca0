"""The formats of one number: what an array in memory consists of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any  # NumPy's own type variables for dtypes

import numpy as np

from ..errors import MissingLibraryError, TensorTypeError
from .nibbles import packed, unpacked

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """A format of numbers.

    name        as NumPy calls it
    itemsize    bytes an element of an array
    is_integer  whether it holds whole numbers, which are parts of a stored tensor, not tensors
    per_item    how many of them an element of an array holds; if more than one, the array has one
                dimension, and the numbers stand in it as their elements lie in memory
    """

    name: str
    itemsize: int
    is_integer: bool = False
    per_item: int = 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's dtype of it; bfloat16 is ml_dtypes' one."""
        if self.per_item > 1:
            return np.dtype(np.uint8)
        return np.dtype(_bfloat16() if self is BFLOAT16 else self.name)


FLOAT64 = Format("float64", 8)
FLOAT32 = Format("float32", 4)
FLOAT16 = Format("float16", 2)
BFLOAT16 = Format("bfloat16", 2)
INT8 = Format("int8", 1, is_integer=True)
UINT8 = Format("uint8", 1, is_integer=True)
INT16 = Format("int16", 2, is_integer=True)
INT4 = Format("int4", 1, is_integer=True, per_item=2)
UINT4 = Format("uint4", 1, is_integer=True, per_item=2)
INTEGERS: dict[str, Format] = {f.name: f for f in (INT8, UINT8, INT16)}
FORMATS: dict[str, Format] = {f.name: f for f in (FLOAT64, FLOAT32, FLOAT16, BFLOAT16)}


def format_of(dtype: object, what: str) -> Format:
    """The format of a dtype or of its name.

    Raises TensorTypeError, beginning with `what`, for a dtype that holds no floating-point number.
    """
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name  # type: ignore[call-overload]
    if name not in FORMATS:
        raise TensorTypeError(
            f"{what} has dtype {name}; it must be one of {', '.join(FORMATS)}.{_advice(name)}"
        )
    return FORMATS[name]


def computed_in(formats: Iterable[Format]) -> Format:
    """The precision of a kernel: the widest of its tensors, and at least float32."""
    return FLOAT64 if FLOAT64 in formats else FLOAT32


def stored(values: Array, form: Format) -> Array:
    """`values`, rounded once to nearest even; of whole numbers the lower bits. What holds several
    in an element takes them in a row.
    """
    if form.per_item > 1:
        return packed(values)
    if form is BFLOAT16 and values.dtype == np.float64:
        # ml_dtypes goes through float32 and so rounds twice. A float32 that was rounded to odd
        # keeps the fact that something was cut off, and the second rounding is then right
        # (Boldo & Melquiond 2008, "Emulation of FMA and correctly rounded sums").
        values = _rounded_to_odd(values)
    return values.astype(form.dtype)


def loaded(array: Array, form: Format, length: int) -> Array:
    """The numbers of an array, as many as there are; whole ones of 32 bits."""
    if form.per_item > 1:
        return unpacked(array, length, signed=form is INT4)
    return array.astype(np.int32) if form.is_integer else array


def _rounded_to_odd(values: Array) -> Array:
    nearest = values.astype(np.float32)
    inexact = (nearest != values) & np.isfinite(nearest) & np.isfinite(values)
    away = inexact & (np.abs(nearest.astype(np.float64)) > np.abs(values))
    bits = nearest.view(np.uint32) - away.astype(np.uint32)  # cut, towards zero
    odd: Array = (bits | inexact.astype(np.uint32)).view(np.float32)
    return odd


def _advice(name: str) -> str:
    if name.startswith(("int", "uint", "bool")):
        return " Convert it: x.astype('float32')."
    if name.startswith("complex"):
        return " A complex array is a pair of real ones: x.view('float64')."
    return ""


def _bfloat16() -> type:
    try:
        from ml_dtypes import bfloat16
    except ImportError as missing:
        raise MissingLibraryError(
            "NumPy has no bfloat16 of its own; it comes with ml_dtypes, which is not installed:\n"
            "  pip install 'ruleonce[bfloat16]'"
        ) from missing
    found: type = bfloat16
    return found
