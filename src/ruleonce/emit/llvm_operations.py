"""How each operation is written in LLVM IR, and what its operands are called."""

import math
import struct
from collections.abc import Iterator, Mapping

import numpy as np

from ..formats import FLOAT32, FLOAT64, Format
from ..language import bits, ops
from ..language.graph import Node, Number
from ..language.ops import Op
from .llvm_lanes import Lanes
from .llvm_memory import FLOATS
from .names import identifier

# {r} is the result, {T} and {B} the types of numbers and of truths, {0} {1} {2} the operands.
SPELLING: Mapping[Op, str] = {
    ops.ADD: "{r} = fadd {T} {0}, {1}",
    ops.SUB: "{r} = fsub {T} {0}, {1}",
    ops.MUL: "{r} = fmul {T} {0}, {1}",
    ops.DIV: "{r} = fdiv {T} {0}, {1}",
    ops.NEG: "{r} = fneg {T} {0}",
    ops.ABS: "{r} = call {T} @llvm.fabs.{I}({T} {0})",
    ops.SQRT: "{r} = call {T} @llvm.sqrt.{I}({T} {0})",
    ops.SIGN: """\
{r}.above = fcmp ogt {T} {0}, {zero}
{r}.below = fcmp olt {T} {0}, {zero}
{r}.flat = fadd {T} {0}, {zero}
{r}.rest = select {B} {r}.below, {T} {minus_one}, {T} {r}.flat
{r} = select {B} {r}.above, {T} {one}, {T} {r}.rest""",
    ops.MAXIMUM: """\
{r}.larger = fcmp ogt {T} {0}, {1}
{r}.nan = fcmp uno {T} {0}, {zero}
{r}.first = or {B} {r}.larger, {r}.nan
{r} = select {B} {r}.first, {T} {0}, {T} {1}""",
    ops.MINIMUM: """\
{r}.smaller = fcmp olt {T} {0}, {1}
{r}.nan = fcmp uno {T} {0}, {zero}
{r}.first = or {B} {r}.smaller, {r}.nan
{r} = select {B} {r}.first, {T} {0}, {T} {1}""",
    ops.EXP: "{r} = call double @ruleonce.exp(double {0})",
    ops.LOG: "{r} = call double @ruleonce.log(double {0})",
    ops.TANH: "{r} = call double @ruleonce.tanh(double {0})",
    ops.ARCTAN2: "{r} = call double @ruleonce.atan2(double {0}, double {1})",
    ops.CBRT: "{r} = call double @ruleonce.cbrt(double {0})",
    ops.POWER: "{r} = call double @ruleonce.pow(double {0}, double {1})",
    ops.LT: "{r} = fcmp olt {T} {0}, {1}",
    ops.LE: "{r} = fcmp ole {T} {0}, {1}",
    ops.GT: "{r} = fcmp ogt {T} {0}, {1}",
    ops.GE: "{r} = fcmp oge {T} {0}, {1}",
    ops.EQ: "{r} = fcmp oeq {T} {0}, {1}",
    ops.NE: "{r} = fcmp une {T} {0}, {1}",
    ops.AND: "{r} = and {B} {0}, {1}",
    ops.OR: "{r} = or {B} {0}, {1}",
    ops.NOT: "{r} = xor {B} {0}, {true}",
    ops.WHERE: "{r} = select {B} {0}, {T} {1}, {T} {2}",
}

_INTEGER = """\
{r}.is.some = fcmp ord {T} {0}, {zero}
{r}.some = select {B} {r}.is.some, {T} {0}, {T} {zero}
{r}.nearest = call {W} @llvm.lrint.{J}.{I}({T} {r}.some)
{r} = freeze {W} {r}.nearest"""

# Whole numbers, {W}, and the bits of numbers: of a float32, {S}, whatever is computed in.
SPELLING_OF_BITS: Mapping[Op, str] = {
    bits.IADD: "{r} = add {W} {0}, {1}",
    bits.ISUB: "{r} = sub {W} {0}, {1}",
    bits.IMUL: "{r} = mul {W} {0}, {1}",
    bits.IAND: "{r} = and {W} {0}, {1}",
    bits.IOR: "{r} = or {W} {0}, {1}",
    bits.IXOR: "{r} = xor {W} {0}, {1}",
    bits.SHL: "{r} = shl {W} {0}, {1}",
    bits.SHR: "{r} = lshr {W} {0}, {1}",
    bits.CHOOSE: "{r} = select {B} {0}, {W} {1}, {W} {2}",
    bits.EACH: "{r} = select {B} {true}, {T} {0}, {T} {1}",
    bits.ROUND: "{r} = call {T} @llvm.roundeven.{I}({T} {0})",
    bits.INTEGER: _INTEGER,
    bits.SMALL_INTEGER: _INTEGER,
    bits.NUMBER: "{r} = sitofp {W} {0} to {T}",
    bits.WITHIN: """\
{r}.least = fneg {T} {1}
{r}.is.below = fcmp olt {T} {0}, {1}
{r}.below = select {B} {r}.is.below, {T} {0}, {T} {1}
{r}.is.within = fcmp ogt {T} {r}.below, {r}.least
{r} = select {B} {r}.is.within, {T} {r}.below, {T} {r}.least""",
}
_IN_SINGLE: Mapping[Op, str] = {
    bits.BITS: "{r} = bitcast {S} {0} to {W}",
    bits.FROM_BITS: "{r} = bitcast {W} {0} to {S}",
    bits.MULTIPLY_ADD: "{r} = call {T} @llvm.fma.{I}({T} {0}, {T} {1}, {T} {2})",
}
_IN_DOUBLE: Mapping[Op, str] = {
    bits.BITS: "{r}.single = fptrunc {T} {0} to {S}\n{r} = bitcast {S} {r}.single to {W}",
    bits.FROM_BITS: "{r}.single = bitcast {W} {0} to {S}\n{r} = fpext {S} {r}.single to {T}",
    bits.MULTIPLY_ADD: "{r}.product = fmul {T} {0}, {1}\n{r} = fadd {T} {r}.product, {2}",
}
# The same where only the lower half of its bits is kept: nan is 0 there anyway (x86: -2**31).
_CUT_INTEGER = """\
{r}.nearest = call {W} @llvm.lrint.{J}.{I}({T} {0})
{r} = freeze {W} {r}.nearest"""

# The smaller magnitude of two, with the sign of the first: one instruction of AVX-512.
_RANGE = "@llvm.x86.avx512.mask.range.ps.512"
_WITHIN_AVX512 = (
    f"{{r}} = call {{T}} {_RANGE}({{T}} {{0}}, {{T}} {{1}}, i32 2, {{T}} {{0}}, i16 -1, i32 4)"
)

_ALL: Mapping[Format, Mapping[Op, str]] = {
    FLOAT32: {**SPELLING, **SPELLING_OF_BITS, **_IN_SINGLE},
    FLOAT64: {**SPELLING, **SPELLING_OF_BITS, **_IN_DOUBLE},
}

# Functions of the C library; in float32 they are computed in float64 and rounded once. The name is
# ours, so that LLVM does not take them for its own and rewrite them.
LIBRARY: Mapping[Op, tuple[str, int]] = {
    ops.EXP: ("exp", 1),
    ops.LOG: ("log", 1),
    ops.TANH: ("tanh", 1),
    ops.ARCTAN2: ("atan2", 2),
    ops.CBRT: ("cbrt", 1),
    ops.POWER: ("pow", 2),
}


def operation(
    node: Node, names: Mapping[Node, str], computed: Format, lanes: Lanes, *, is_cut: bool = False
) -> Iterator[str]:
    """Lines that leave the value of a node under its name.

    is_cut   it is a whole number of which no more than the lower 16 bits are looked at
    """
    assert node.op is not None  # noqa: S101
    result = f"%{names[node]}"
    operands = [operand(arg, names, computed, lanes) for arg in node.args]
    if node.op in LIBRARY and computed is FLOAT32:
        for place, narrow in enumerate(operands):
            yield f"{result}.wide{place} = fpext float {narrow} to double"
        wide = [f"{result}.wide{place}" for place in range(len(operands))]
        yield SPELLING[node.op].format(*wide, r=f"{result}.double")
        yield f"{result} = fptrunc double {result}.double to float"
    else:
        number = FLOATS[computed]
        text = _ALL[computed][node.op]
        if is_cut and node.op in (bits.INTEGER, bits.SMALL_INTEGER):
            text = _CUT_INTEGER
        elif node.op is bits.WITHIN and lanes.count == 16 and computed is FLOAT32:
            text = _WITHIN_AVX512
        text = text.format(
            *operands,
            r=result,
            W=lanes.of("i32"),
            S=lanes.of("float"),
            T=lanes.of(number),
            B=lanes.of("i1"),
            I=lanes.suffix("f", 8 * computed.itemsize),
            J=lanes.suffix("i", 32),
            zero=lanes.all(number, "0.0"),
            one=lanes.all(number, "1.0"),
            minus_one=lanes.all(number, "-1.0"),
            true=lanes.all("i1", "true"),
        )
        yield from text.split("\n")


def operand(node: Node, names: Mapping[Node, str], computed: Format, lanes: Lanes) -> str:
    """What a value is called where it is used."""
    return f"%{names[node]}" if node in names else _constant(node, computed, lanes)


def number_type(node: Node, computed: Format) -> str:
    """The type of a value."""
    return {"truth": "i1", "integer": "i32"}.get(node.kind, FLOATS[computed])


def declarations_of_bits(computed: Format, lanes: Lanes) -> Iterator[str]:
    """What operations on bits call."""
    number, suffix = lanes.of(FLOATS[computed]), lanes.suffix("f", 8 * computed.itemsize)
    whole, place = lanes.of("i32"), lanes.suffix("i", 32)
    yield f"declare {number} @llvm.roundeven.{suffix}({number})"
    yield f"declare {number} @llvm.fma.{suffix}({number}, {number}, {number})"
    yield f"declare {whole} @llvm.lrint.{place}.{suffix}({number})"
    if lanes.count == 16 and computed is FLOAT32:
        asked = f"{number}, {number}, i32, {number}, i16, i32"
        yield f"declare {number} {_RANGE}({asked})"


def _constant(node: Node, computed: Format, lanes: Lanes) -> str:
    """A leaf: an argument of the loop, or a constant in the kernel's precision.

    LLVM reads the 16 digits of a float64 for a float as well, if its last bits are 0.
    """
    if node.name is not None:
        return f"%{identifier(node.name)}"
    assert node.value is not None  # noqa: S101
    if node.kind == "truth":
        return lanes.all("i1", str(bool(node.value)).lower())
    if node.kind == "integer":
        return lanes.all("i32", str(node.value))
    bits = struct.unpack("<Q", struct.pack("<d", _rounded(node.value, computed)))[0]
    return lanes.all(FLOATS[computed], f"0x{bits:016X}")


def _rounded(value: Number, computed: Format) -> float:
    if computed is FLOAT64 or math.isnan(value):
        return float(value)
    with np.errstate(over="ignore"):
        return float(np.float32(value))
