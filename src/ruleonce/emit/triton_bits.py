"""How storage is spelled in Triton: whole numbers of 32 bits, the bits of numbers, blocks."""

from collections.abc import Iterator, Mapping

from ..formats import FLOAT32, FLOAT64, Format
from ..language import bits
from ..language.ops import Op

# {0} {1} {2} are the operands, {N} is the type of numbers, and {name} its name. {narrow} makes a
# float32 of a number, {wide} a number of a float32.
SPELLING_OF_BITS: Mapping[Op, str] = {
    bits.IADD: "{0} + {1}",
    bits.ISUB: "{0} - {1}",
    bits.IMUL: "{0} * {1}",
    bits.IAND: "{0} & {1}",
    bits.IOR: "{0} | {1}",
    bits.IXOR: "{0} ^ {1}",
    bits.SHL: "{0} << {1}",
    bits.SHR: "_shift_right({0}, {1})",
    bits.CHOOSE: "tl.where({0}, {1}, {2})",
    bits.BITS: "{0}{narrow}.to(tl.int32, bitcast=True)",
    bits.FROM_BITS: "{0}.to(tl.float32, bitcast=True){wide}",
    bits.ROUND: "_round_{name}({0})",
    bits.INTEGER: "_integer_{name}({0})",
    bits.SMALL_INTEGER: "_small_integer({0}{narrow})",
    bits.NUMBER: "{0}.to({N})",
    bits.MULTIPLY_ADD: "_multiply_add_{name}({0}, {1}, {2})",
    bits.WITHIN: "tl.minimum(tl.maximum({0}, {1} * -1.0), {1})",
    bits.EACH: "tl.where({1} == {1}, {0}, {0})",
    bits.BLOCK_MAX: "_largest({0}, mask)",
}

# What a spelling asks for beside operands, by the name that it has in the kernel.
ASKS_FOR: Mapping[Op, str] = {bits.BLOCK_MAX: "mask"}

_SHIFT_RIGHT = """\
@triton.jit
def _shift_right(x, by):
    shifted = x.to(tl.uint32, bitcast=True) >> by.to(tl.uint32, bitcast=True)
    return shifted.to(tl.int32, bitcast=True)
"""

# Added to a number of which only whole ones lie near, a magnitude is rounded to one, to nearest
# even.
_ROUND = """\
@triton.jit
def _round_{name}(x):
    size = tl.abs(x)
    whole = tl.where(size < {far}, (size + {far}) - {far}, size)
    sign = x.to({W}, bitcast=True) & {sign}
    return (whole.to({W}, bitcast=True) | sign).to({N}, bitcast=True)
"""

# What is out of range is what NumPy makes of it on x86; a GPU leaves that open.
_INTEGER = """\
@triton.jit
def _integer_{name}(x):
    whole = _round_{name}(x)
    other = tl.where(x == x, -2147483648.0, 0.0)
    return tl.where(tl.abs(whole) < 2147483648.0, whole, other).to(tl.int32)
"""

# Added to 1.5 * 2**23, of which only whole numbers lie near, a number leaves the whole one that is
# nearest in the lower bits: to convert takes a GPU eight times as long as to add.
_SMALL_INTEGER = """\
@triton.jit
def _small_integer(x):
    some = tl.where(x == x, x, 0.0)
    return (some + 12582912.0).to(tl.int32, bitcast=True) - 0x4B400000
"""

# The interpreter would round the product of float32 first: there as in language.bits.
_MULTIPLY_ADD = {
    FLOAT32: """\
@triton.jit
def _multiply_add_float32(x, y, z):
    if INTERPRETED:
        product = x.to(tl.float64) * y.to(tl.float64)
        total = product + z.to(tl.float64)
        added = total - product
        error = (product - (total - added)) + (z.to(tl.float64) - added)
        pattern = total.to(tl.int64, bitcast=True)
        goes = tl.where((error > 0) == (total > 0), 1, -1)
        is_cut = (error - error == 0) & (error != 0) & (pattern & 1 == 0)
        odd = pattern + tl.where(is_cut, goes, 0)
        return odd.to(tl.float64, bitcast=True).to(tl.float32)
    else:
        return tl.fma(x, y, z)
""",
    FLOAT64: """\
@triton.jit
def _multiply_add_float64(x, y, z):
    return x * y + z
""",
}

# Magnitudes are ordered as their bits are, and nan is above all. What is past the end of a tensor
# does not count; where nothing is, there is no mask.
_LARGEST = """\
@triton.jit
def _largest(x, mask):
    size = x.to({W}, bitcast=True) & {size}
    if mask is not None:
        size = tl.where(mask, size, 0)
    found = tl.reduce(size, 1, tl.standard._elementwise_max, keep_dims=True)
    return found.to({N}, bitcast=True)
"""

_FUNCTIONS: Mapping[Op, tuple[str, ...]] = {
    bits.SHR: (_SHIFT_RIGHT,),
    bits.SMALL_INTEGER: (_SMALL_INTEGER,),
    bits.ROUND: (_ROUND,),
    bits.INTEGER: (_ROUND, _INTEGER),
    bits.BLOCK_MAX: (_LARGEST,),
}


def words(computed: Format) -> dict[str, str]:
    """What the spellings take beside operands."""
    number = f"tl.{computed.name}"
    narrow, wide = (".to(tl.float32)", f".to({number})") if computed is FLOAT64 else ("", "")
    return {"N": number, "name": computed.name, "narrow": narrow, "wide": wide}


def functions(used: set[Op | None], computed: Format) -> Iterator[str]:
    """What these operations call in this precision, each after what it calls itself."""
    width = 8 * computed.itemsize
    called = {**_FUNCTIONS, bits.MULTIPLY_ADD: (_MULTIPLY_ADD[computed],)}
    texts = (text for op, texts in called.items() if op in used for text in texts)
    for text in dict.fromkeys(texts):
        yield text.format(
            N=f"tl.{computed.name}",
            name=computed.name,
            W=f"tl.int{width}",
            far=2.0 ** (52 if computed is FLOAT64 else 23),
            sign=-(1 << (width - 1)),
            size=(1 << (width - 1)) - 1,
        )
