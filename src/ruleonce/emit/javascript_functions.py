"""Functions in JavaScript that emitted code calls, where JavaScript decides otherwise than ops.py.

Math.max has 0 for max(0, -0) in any order, Math.sign keeps the sign of zero, `%` has the sign of
its first operand, and 1 ** NaN is NaN.
"""

from collections.abc import Mapping

from ..language import ops
from ..language.ops import Op

_SIGN = """\
function sign(x) {
  return x > 0 ? 1 : x < 0 ? -1 : x + 0;
}
"""

_MAXIMUM = """\
function maximum(x, y) {
  return x > y || x !== x ? x : y;
}
"""

_MINIMUM = """\
function minimum(x, y) {
  return x < y || x !== x ? x : y;
}
"""

_POWER = """\
function power(x, y) {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}
"""

# As Python has them: the rest has the sign of y, and a zero too.
_MODULO = """\
function modulo(x, y) {
  const rest = x % y;
  if (rest === 0) return y < 0 ? -0 : 0;
  return rest < 0 !== y < 0 ? rest + y : rest;
}
"""

# In the order of Python's own: the quotient is whole but for its last bit.
_FLOORDIV = """\
function floordiv(x, y) {
  const rest = x % y;
  const is_apart = rest !== 0 && rest < 0 !== y < 0;
  const near = (x - rest) / y - (is_apart ? 1 : 0);
  if (near === 0) return 0 * (x / y);
  const below = Math.floor(near);
  return near - below > 0.5 ? below + 1 : below;
}
"""

# What an operation calls.
FUNCTIONS: Mapping[Op, str] = {
    ops.SIGN: _SIGN,
    ops.MAXIMUM: _MAXIMUM,
    ops.MINIMUM: _MINIMUM,
    ops.POWER: _POWER,
    ops.MOD: _MODULO,
    ops.FLOORDIV: _FLOORDIV,
}

NAMES = ("sign", "maximum", "minimum", "power", "modulo", "floordiv")
