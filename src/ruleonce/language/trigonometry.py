"""Cosine and sine: what surfaces need beside the language of rules; rules are not written with it.

No kernel has them: they stand outside of `ops.OPS`, as what formats need stands in `bits`.
"""

import math
from typing import Any  # numbers, symbols, arrays of any library: what comes in decides

from .functions import apply
from .ops import Meaning, Op


def _finite(function: Meaning) -> Meaning:
    """`function` as NumPy has it: nan where Python raises, at infinity."""
    return lambda x: function(x) if math.isfinite(x) else math.nan


COS = Op("cos", _finite(math.cos), lambda xp, x: xp.cos(x), "cos({})", ("number",), exact=False)
SIN = Op("sin", _finite(math.sin), lambda xp, x: xp.sin(x), "sin({})", ("number",), exact=False)

OPS: dict[str, Op] = {op.name: op for op in (COS, SIN)}


def cos(x: Any) -> Any:
    """The cosine of an angle in radians; nan at infinity."""
    return apply(COS, x)


def sin(x: Any) -> Any:
    """The sine of an angle in radians; nan at infinity."""
    return apply(SIN, x)
