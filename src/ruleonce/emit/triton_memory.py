"""How each format is loaded and stored in Triton.

The 16 bits of a bfloat16 are moved as an integer: they are the upper half of a float32. The casts
of Triton's interpreter cut off where a GPU rounds, and lose denormal numbers. So widening is a
shift, which costs a GPU no more than its cast. Rounding by integers costs an H100 a fifth of all
instructions of Adam, so there the GPU's own cast does it.
"""

from collections.abc import Iterator, Mapping

from ..formats import BFLOAT16, FLOAT32, FLOAT64, INT4, Format
from .triton_places import Place


def stored_as(form: Format) -> str:
    """The type of an element in memory."""
    if form.per_item > 1:
        return "uint8"
    return "int16" if form is BFLOAT16 else form.name


def load(tensor: str, form: Format, computed: Format, place: Place) -> str:
    """An expression for the numbers of a tensor, widened to the precision of the kernel; whole
    numbers to 32 bits.
    """
    loaded = f"tl.load({tensor}_at + {place.offsets}{place.masked})"
    if form.per_item > 1:
        return f"_unpacked_{form.name}({loaded})"
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
    if form.per_item > 1:
        rounded = f"_packed({value}, {place.numbered or None})"
    elif form is BFLOAT16 and is_exact and computed is FLOAT32:
        rounded = f"({value}.to(tl.int32, bitcast=True) >> 16).to(tl.int16)"
    elif form is BFLOAT16:
        rounded = f"_to_bfloat16({value})"
    else:
        rounded = value if form is computed else f"{value}.to(tl.{form.name})"
    yield f"tl.store({tensor}_at + {place.offsets}, {rounded}{place.masked})"


def helpers(
    read: Mapping[str, Format], stored: Mapping[str, Format], computed: Format
) -> Iterator[str]:
    """The functions that loading and storing in these formats calls."""
    for form in dict.fromkeys(form for form in read.values() if form.per_item > 1):
        yield _UNPACKED.format(name=form.name, W="int32" if form is INT4 else "uint32")
    if any(form.per_item > 1 for form in stored.values()):
        yield _PACKED
    if computed is FLOAT64 and any(map(_is_half, stored.values())):
        yield _TO_ODD
    if BFLOAT16 in stored.values():
        yield _TO_BFLOAT16


def _is_half(form: Format) -> bool:
    return form.itemsize == 2 and not form.is_integer


# The two numbers of each byte, that of its lower half first: the thread that has the byte has both.
# A shift to the right brings copies of the sign, where there is one.
_UNPACKED = """\
@triton.jit
def _unpacked_{name}(both):
    wide = both.to(tl.{W})
    halves = tl.join(wide << 28, wide << 24) >> 28
    return tl.reshape(halves, (both.shape[0], both.shape[1] * 2)).to(tl.int32, bitcast=True)
"""

# What is past the end of a tensor is 0: it may share the last byte.
_PACKED = """\
@triton.jit
def _packed(x, mask):
    half = x & 15
    if mask is not None:
        half = tl.where(mask, half, 0)
    lower, upper = tl.split(tl.reshape(half, (x.shape[0], x.shape[1] // 2, 2)))
    return (lower | (upper << 4)).to(tl.uint8)
"""

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

# The upper half of a float32, to nearest even; nan stays nan.
_TO_BFLOAT16 = """\
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
