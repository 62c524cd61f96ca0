"""How each format is loaded and stored in LLVM IR.

x86 and ARM load and store float16 themselves. No LLVM that llvmlite brings has arithmetic for
bfloat16 everywhere, so its 16 bits are moved as an integer: they are the upper half of a float32.
"""

from collections.abc import Iterator, Mapping

from ..formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Format

# The type of a number in a kernel, and of an element in memory.
FLOATS: Mapping[Format, str] = {FLOAT64: "double", FLOAT32: "float"}
STORED_AS: Mapping[Format, str] = {**FLOATS, FLOAT16: "half", BFLOAT16: "i16"}


def load(tensor: str, form: Format, computed: Format) -> Iterator[str]:
    """Lines that leave element %i of a tensor in %tensor."""
    number, kept = FLOATS[computed], STORED_AS[form]
    yield f"%{tensor}.element = getelementptr {kept}, ptr %{tensor}.at, i64 %range.i"
    loaded = f"%{tensor}" if form is computed else f"%{tensor}.stored"
    yield f"{loaded} = load {kept}, ptr %{tensor}.element, align {form.itemsize}"
    if form is BFLOAT16:
        yield f"%{tensor}.wide = zext i16 {loaded} to i32"
        yield f"%{tensor}.bits = shl i32 %{tensor}.wide, 16"
        single = f"%{tensor}" if computed is FLOAT32 else f"%{tensor}.single"
        yield f"{single} = bitcast i32 %{tensor}.bits to float"
        if computed is FLOAT64:
            yield f"%{tensor} = fpext float {single} to double"
    elif form is not computed:
        yield f"%{tensor} = fpext {kept} {loaded} to {number}"


def store(tensor: str, value: str, form: Format, computed: Format) -> Iterator[str]:
    """Lines that round `value` once, to nearest even, and write it to element %i."""
    kept = STORED_AS[form]
    yield f"%{tensor}.out = getelementptr {kept}, ptr %{tensor}.at, i64 %range.i"
    rounded = value
    if form.itemsize == 2:
        single = value
        if computed is FLOAT64:
            yield from _rounded_to_odd(tensor, value)
            single = f"%{tensor}.odd"
        if form is BFLOAT16:
            yield from _bfloat16(tensor, single)
        else:
            yield f"%{tensor}.rounded = fptrunc float {single} to half"
        rounded = f"%{tensor}.rounded"
    elif form is not computed:
        yield f"%{tensor}.rounded = fptrunc {FLOATS[computed]} {value} to {kept}"
        rounded = f"%{tensor}.rounded"
    yield f"store {kept} {rounded}, ptr %{tensor}.out, align {form.itemsize}"


def _bfloat16(tensor: str, single: str) -> Iterator[str]:
    """Round a float to the upper half of its bits, to nearest even; nan stays nan."""
    t = f"%{tensor}"
    yield f"{t}.pattern = bitcast float {single} to i32"
    yield f"{t}.upper = lshr i32 {t}.pattern, 16"
    yield f"{t}.last = and i32 {t}.upper, 1"
    yield f"{t}.half = add i32 {t}.last, 32767"
    yield f"{t}.sum = add i32 {t}.pattern, {t}.half"
    yield f"{t}.nearest = lshr i32 {t}.sum, 16"
    yield f"{t}.quiet = or i32 {t}.upper, 64"
    yield f"{t}.isnan = fcmp uno float {single}, 0.0"
    yield f"{t}.chosen = select i1 {t}.isnan, i32 {t}.quiet, i32 {t}.nearest"
    yield f"{t}.rounded = trunc i32 {t}.chosen to i16"


def _rounded_to_odd(tensor: str, value: str) -> Iterator[str]:
    """A double as a float whose last bit says that something was cut off: rounding it again to 16
    bits is then right (Boldo & Melquiond 2008). x86 has no instruction from double to half.
    """
    t = f"%{tensor}"
    yield f"{t}.near = fptrunc double {value} to float"
    yield f"{t}.back = fpext float {t}.near to double"
    yield f"{t}.differs = fcmp one double {t}.back, {value}"
    yield f"{t}.size = call double @llvm.fabs.f64(double {value})"
    yield f"{t}.backsize = call double @llvm.fabs.f64(double {t}.back)"
    yield f"{t}.isinf = fcmp oeq double {t}.backsize, 0x7FF0000000000000"
    yield f"{t}.isfinite = xor i1 {t}.isinf, true"
    yield f"{t}.inexact = and i1 {t}.differs, {t}.isfinite"
    yield f"{t}.larger = fcmp ogt double {t}.backsize, {t}.size"
    yield f"{t}.away = and i1 {t}.inexact, {t}.larger"
    yield f"{t}.away.bit = zext i1 {t}.away to i32"
    yield f"{t}.inexact.bit = zext i1 {t}.inexact to i32"
    yield f"{t}.near.bits = bitcast float {t}.near to i32"
    yield f"{t}.cut = sub i32 {t}.near.bits, {t}.away.bit"
    yield f"{t}.odd.bits = or i32 {t}.cut, {t}.inexact.bit"
    yield f"{t}.odd = bitcast i32 {t}.odd.bits to float"
