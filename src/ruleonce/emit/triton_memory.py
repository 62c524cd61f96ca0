"""How each format is loaded and stored in Triton.

The 16 bits of a bfloat16 are moved as an integer: they are the upper half of a float32. The casts
of Triton's interpreter cut off where a GPU rounds, and lose denormal numbers. So widening is a
shift, which costs a GPU no more than its cast. Rounding by integers costs an H100 a fifth of all
instructions of Adam, so there the GPU's own cast does it.
"""

from collections.abc import Iterator, Mapping

from ..formats import BFLOAT16, FLOAT32, FLOAT64, Format
from .triton_places import Place


def stored_as(form: Format) -> str:
    """The type of an element in memory."""
    return "int16" if form is BFLOAT16 else form.name


def load(tensor: str, form: Format, computed: Format, place: Place) -> str:
    """An expression for the numbers of a tensor, widened to the precision of the kernel; whole
    numbers to 32 bits.
    """
    loaded = f"tl.load({tensor}_at + {place.offsets}{place.masked})"
    if form.is_integer:
        return f"{loaded}.to(tl.int32)"
    if form is BFLOAT16:
        single = f"({loaded}.to(tl.int32) << 16).to(tl.float32, bitcast=True)"
        return single if computed is FLOAT32 else f"{single}.to(tl.float64)"
    return loaded if form is computed else f"{loaded}.to(tl.{computed.name})"


def store(
    tensor: str,
    value: str,
    form: Format,
    computed: Format,
    place: Place,
    *,
    is_exact: bool = False,
) -> Iterator[str]:
    """Lines that round a value once, to nearest even, and write it; of a whole number the lower
    bits.

    is_exact   the value is known to be of this format already
    """
    if _is_half(form) and computed is FLOAT64:
        value = f"_to_odd({value})"
    if form is BFLOAT16 and is_exact and computed is FLOAT32:
        rounded = f"({value}.to(tl.int32, bitcast=True) >> 16).to(tl.int16)"
    elif form is BFLOAT16:
        rounded = f"_to_bfloat16({value})"
    else:
        rounded = value if form is computed else f"{value}.to(tl.{form.name})"
    yield f"tl.store({tensor}_at + {place.offsets}, {rounded}{place.masked})"


def helpers(stored: Mapping[str, Format], computed: Format) -> Iterator[str]:
    """The functions that storing in these formats calls."""
    if computed is FLOAT64 and any(map(_is_half, stored.values())):
        yield _TO_ODD
    if BFLOAT16 in stored.values():
        yield _TO_BFLOAT16


def _is_half(form: Format) -> bool:
    return form.itemsize == 2 and not form.is_integer


# A float64 as a float32 whose last bit says that something was cut off: rounding it again to 16
# bits is then right (Boldo & Melquiond 2008).
_TO_ODD = """\
@triton.jit
def _to_odd(x):
    near = x.to(tl.float32)
    back = near.to(tl.float64)
    finite = (near - near == 0) & (x - x == 0)
    inexact = (back != x) & finite
    away = inexact & (tl.abs(back) > tl.abs(x))
    bits = near.to(tl.int32, bitcast=True)
    odd = (bits - away.to(tl.int32)) | inexact.to(tl.int32)
    return odd.to(tl.float32, bitcast=True)
"""

# The upper half of a float32, to nearest even; nan stays nan. The engine sets INTERPRETED.
_TO_BFLOAT16 = """\
INTERPRETED = tl.constexpr(False)


@triton.jit
def _to_bfloat16(x):
    if INTERPRETED:
        bits = x.to(tl.int32, bitcast=True)
        upper = bits >> 16
        nearest = (bits + ((upper & 1) + 32767)) >> 16
        return tl.where(x != x, upper | 64, nearest).to(tl.int16)
    else:
        return x.to(tl.bfloat16).to(tl.int16, bitcast=True)
"""
