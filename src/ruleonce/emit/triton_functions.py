"""Functions in Triton that emitted kernels call, in float64.

Triton has tanh, arctan2, cbrt and power for NVIDIA's library alone, and a remainder that is not
exact. These are made of what it has for every GPU and in its interpreter: exp, log, sqrt, floor and
fma. If exp and log are off by one unit in the last place, arctan2, cbrt and tanh are off by at most
4 in float64, a power by 16 (near the ends of the range; by 2 near 1), and the rest is exact. In
float32 they are right but for a last bit.
"""

from collections.abc import Mapping

from ..language import ops
from ..language.ops import Op

# exp(x) - 1 loses digits where exp(x) is near 1, and log(exp(x)) loses the same ones: the quotient
# has them all (Kahan; Higham, "Accuracy and Stability of Numerical Algorithms", section 1.14.1).
_TANH = """\
@triton.jit
def _tanh(x):
    size = tl.abs(x)
    shrunk = tl.exp(size * -2.0)
    less = shrunk - 1.0
    near = tl.where(less == 0.0, size * -2.0, less * (size * -2.0) / tl.log(shrunk))
    less = tl.where(shrunk > 0.5, near, less)
    found = less * -1.0 / (2.0 + less)
    return tl.where(x == 0.0, x, tl.where(x < 0.0, found * -1.0, found))
"""

# One step of Newton's method squares the error of the first guess, which is below 2**-45.
_CBRT = """\
@triton.jit
def _cbrt(x):
    size = tl.abs(x)
    near = tl.exp(tl.log(size) / 3.0)
    root = near - (near - size / (near * near)) / 3.0
    root = tl.where((size == 0.0) | (size - size != 0.0), size, root)
    return tl.where(x == 0.0, x, tl.where(x < 0.0, root * -1.0, root))
"""

# The angle is halved twice, by tan(a / 2) = tan(a) / (1 + sqrt(1 + tan(a)**2)): from 45 degrees at
# most to a tangent of 0.2 at most, whose series needs 12 terms. What lies in other eighths of the
# circle is mirrored.
_ARCTAN2 = """\
@triton.jit
def _arctan2(y, x):
    y, x = tl.broadcast(y, x)
    high = tl.abs(y)
    wide = tl.abs(x)
    is_steep = high > wide
    long = tl.where(is_steep, high, wide)
    short = tl.where(is_steep, wide, high)
    is_diagonal = (short == long) & (long > 0.0)
    tangent = tl.where(is_diagonal, 1.0, tl.where(short == 0.0, 0.0, short / long))
    tangent = tl.where((y != y) | (x != x), y + x, tangent)
    part = tangent / (1.0 + tl.sqrt(1.0 + tangent * tangent))
    part = part / (1.0 + tl.sqrt(1.0 + part * part))
    square = part * part
    series = 1.0 / 23.0 - square / 25.0
    series = 1.0 / 21.0 - square * series
    series = 1.0 / 19.0 - square * series
    series = 1.0 / 17.0 - square * series
    series = 1.0 / 15.0 - square * series
    series = 1.0 / 13.0 - square * series
    series = 1.0 / 11.0 - square * series
    series = 1.0 / 9.0 - square * series
    series = 1.0 / 7.0 - square * series
    series = 1.0 / 5.0 - square * series
    series = 1.0 / 3.0 - square * series
    found = (part - part * square * series) * 4.0
    found = tl.where(tangent < 1e-8, tangent, found)
    found = tl.where(is_steep, 1.5707963267948966 - found, found)
    is_left = x.to(tl.int64, bitcast=True) < 0
    found = tl.where(is_left, 3.141592653589793 - found, found)
    is_below = y.to(tl.int64, bitcast=True) < 0
    return tl.where(is_below, found * -1.0, found)
"""

# exp(y * log(x)) would multiply the error of the logarithm by up to 700. So the logarithm has twice
# the digits: x = fraction * 2**exponent, with the fraction around 1, and log(fraction) is
# 2 * atanh(part) for part = (fraction - 1) / (fraction + 1), kept as a sum of two numbers. ln 2 is
# one too, and its first has so few bits that its product with the exponent is exact. (The names
# that end in _low are what is to be added to the number of the same name.)
_POWER = """\
@triton.jit
def _power(x, y):
    x, y = tl.broadcast(x, y)
    size = tl.abs(x)
    is_tiny = size < 2.2250738585072014e-308
    bits = tl.where(is_tiny, size * 18014398509481984.0, size).to(tl.int64, bitcast=True)
    shift = (bits - 4604544271217802189) >> 52
    fraction = (bits - (shift << 52)).to(tl.float64, bitcast=True)
    exponent = shift.to(tl.float64) - tl.where(is_tiny, 54.0, 0.0)
    above = fraction + 1.0
    above_low = fraction - (above - 1.0)
    part = (fraction - 1.0) / above
    part_low = (tl.fma(part * -1.0, above, fraction - 1.0) - part * above_low) / above
    square = part * part
    series = 1.0 / 19.0 + square / 21.0
    series = 1.0 / 17.0 + square * series
    series = 1.0 / 15.0 + square * series
    series = 1.0 / 13.0 + square * series
    series = 1.0 / 11.0 + square * series
    series = 1.0 / 9.0 + square * series
    series = 1.0 / 7.0 + square * series
    series = 1.0 / 5.0 + square * series
    series = 1.0 / 3.0 + square * series
    part_low = part_low + part * square * series
    whole = exponent * 0.693147180369123816490 + 2.0 * part
    whole_low = 2.0 * part - (whole - exponent * 0.693147180369123816490)
    whole_low = whole_low + (exponent * 1.90821492927058770002e-10 + 2.0 * part_low)
    log = whole + whole_low
    log_low = whole_low - (log - whole)
    is_ordinary = (size > 0.0) & (size - size == 0.0)
    log = tl.where(is_ordinary, log, tl.where(size == 0.0, float("-inf"), size))
    product = tl.where((size == 1.0) & (y == y), 0.0, y * log)
    product_low = tl.fma(y, log, product * -1.0) + y * log_low
    found = tl.exp(product)
    is_near = is_ordinary & (tl.abs(product) < 800.0) & (found - found == 0.0) & (y - y == 0.0)
    found = tl.where(is_near, found + found * product_low, found)
    is_whole = tl.floor(y) == y
    is_odd = is_whole & (tl.floor(y * 0.5) * 2.0 != y)
    is_negative = x.to(tl.int64, bitcast=True) < 0
    found = tl.where(is_odd & is_negative, found * -1.0, found)
    is_undefined = (x < 0.0) & (x - x == 0.0) & (y - y == 0.0) & (tl.floor(y) != y)
    found = tl.where(is_undefined, float("nan"), found)
    return tl.where((y == 0.0) | (x == 1.0), 1.0, found)
"""

# The product of the quotient and the divisor is never rounded, so the rest is exact, while the
# quotient is below 2**53. It may be one too high, where it was rounded up to a whole number.
_TIMES = """\
@triton.jit
def _times(size, by):
    count = tl.floor(size / by)
    return tl.where(tl.fma(count * -1.0, by, size) < 0.0, count - 1.0, count)
"""

# As Python has them: the rest has the sign of y.
_MODULO = """\
@triton.jit
def _modulo(x, y):
    size = tl.abs(x)
    by = tl.abs(y)
    rest = tl.where(size < by, size, tl.fma(_times(size, by) * -1.0, by, size))
    rest = tl.where(x < 0.0, rest * -1.0, rest)
    rest = tl.where((rest < 0.0) & (y > 0.0) | (rest > 0.0) & (y < 0.0), rest + y, rest)
    return tl.where(rest == 0.0, tl.where(y < 0.0, -0.0, 0.0), rest)
"""

_FLOORDIV = """\
@triton.jit
def _floordiv(x, y):
    size = tl.abs(x)
    by = tl.abs(y)
    count = _times(size, by)
    more = tl.where(tl.fma(count * -1.0, by, size) == 0.0, count, count + 1.0)
    found = tl.where((x < 0.0) != (y < 0.0), more * -1.0, count)
    return tl.where(x == 0.0, x / y, found)
"""

# What an operation calls, each after what it calls itself.
FUNCTIONS: Mapping[Op, tuple[str, ...]] = {
    ops.TANH: (_TANH,),
    ops.ARCTAN2: (_ARCTAN2,),
    ops.CBRT: (_CBRT,),
    ops.POWER: (_POWER,),
    ops.MOD: (_TIMES, _MODULO),
    ops.FLOORDIV: (_TIMES, _FLOORDIV),
}
