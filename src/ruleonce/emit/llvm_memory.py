"""How each format is loaded and stored in LLVM IR, and how a number of the host is loaded.

x86 and ARM load and store float16 themselves. No LLVM that llvmlite brings has arithmetic for
bfloat16 everywhere, so its 16 bits are moved as an integer: they are the upper half of a float32.
"""

from collections.abc import Iterator, Mapping

from ..formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT4, INT8, INT16, UINT4, UINT8, Format
from ..language.bits import INDEX
from ..language.graph import Node
from .llvm_lanes import ONE, Lanes
from .llvm_nibbles import load_nibbles, store_nibbles
from .llvm_picking import picked
from .names import identifier

# The type of a number in a kernel, and of an element in memory.
FLOATS: Mapping[Format, str] = {FLOAT64: "double", FLOAT32: "float"}
STORED_AS: Mapping[Format, str] = {
    **FLOATS, FLOAT16: "half", BFLOAT16: "i16", INT8: "i8", UINT8: "i8", INT16: "i16", INT4: "i8",
    UINT4: "i8",
}  # fmt: skip

CACHE_LINE = 64  # bytes


def host_number(index: int, name: str, node: Node, computed: Format) -> Iterator[str]:
    """Load one number of the host, float64, and round it once to the precision of the kernel."""
    kind, comment = node.kind, "" if node.op is None else f"  ; {node!r}"
    rounds = kind != "number" or computed is not FLOAT64
    yield f"%{name}.from = getelementptr double, ptr %range.host, i64 {index}{comment}"
    yield f"%{name}{'.host' if rounds else ''} = load double, ptr %{name}.from"
    if kind == "truth":
        yield f"%{name} = fcmp une double %{name}.host, 0.0"
    elif kind == "integer":
        yield f"%{name} = fptosi double %{name}.host to i32"
    elif rounds:
        yield f"%{name} = fptrunc double %{name}.host to {FLOATS[computed]}"


def element_number(at: str, lanes: Lanes = ONE, name: str = "") -> Iterator[str]:
    """Lines that leave the place of each element in its tensor under a name, or that of INDEX."""
    name = f"%{name or identifier(INDEX)}"
    if lanes is ONE:
        yield f"{name} = trunc i64 {at} to i32"
        return
    whole, places = lanes.of("i32"), ", ".join(f"i32 {lane}" for lane in range(lanes.count))
    yield f"{name}.first = trunc i64 {at} to i32"
    yield f"{name}.lane = insertelement {whole} poison, i32 {name}.first, i64 0"
    yield f"{name}.all = shufflevector {whole} {name}.lane, {whole} poison, {whole} zeroinitializer"
    yield f"{name} = add {whole} {name}.all, <{places}>"


def load(
    tensor: str, form: Format, computed: Format, lanes: Lanes = ONE, at: str = "%range.i"
) -> Iterator[str]:
    """Lines that leave element `at` of a tensor in %tensor."""
    if form.per_item > 1:
        yield from load_nibbles(tensor, form, lanes, at)
        return
    number, kept = lanes.of(FLOATS[computed]), lanes.of(STORED_AS[form])
    yield f"%{tensor}.element = getelementptr {STORED_AS[form]}, ptr %{tensor}.at, i64 {at}"
    loaded = f"%{tensor}" if form is computed else f"%{tensor}.stored"
    yield f"{loaded} = load {kept}, ptr %{tensor}.element, align {form.itemsize}"
    if form.is_integer:
        widened = "zext" if form is UINT8 else "sext"
        yield f"%{tensor} = {widened} {kept} {loaded} to {lanes.of('i32')}"
        return
    if form is BFLOAT16:
        bits, real = lanes.of("i32"), lanes.of("float")
        if lanes.vbmi:
            yield from _in_upper_halves(tensor, f"{kept} {loaded}", lanes)
        else:
            yield f"%{tensor}.wide = zext {kept} {loaded} to {bits}"
            yield f"%{tensor}.bits = shl {bits} %{tensor}.wide, {lanes.all('i32', '16')}"
        single = f"%{tensor}" if computed is FLOAT32 else f"%{tensor}.single"
        yield f"{single} = bitcast {bits} %{tensor}.bits to {real}"
        if computed is FLOAT64:
            yield f"%{tensor} = fpext {real} {single} to {number}"
    elif form is not computed:
        yield f"%{tensor} = fpext {kept} {loaded} to {number}"


def _in_upper_halves(tensor: str, halves: str, lanes: Lanes) -> Iterator[str]:
    """Lines that leave numbers of 16 bits in the upper halves of those in %<tensor>.bits."""
    few, count = Lanes(2 * lanes.count).of("i8"), 4 * lanes.count
    places = [byte // 4 * 2 + byte % 2 for byte in range(count)]
    own = int("1100" * lanes.count, 2)
    yield f"%{tensor}.bytes = bitcast {halves} to {few}"
    yield from picked(f"{tensor}.spread", f"{few} %{tensor}.bytes", places, own)
    yield f"%{tensor}.bits = bitcast {Lanes(count).of('i8')} %{tensor}.spread to {lanes.of('i32')}"


def fetch(tensor: str, form: Format, ahead: int) -> Iterator[str]:
    """Lines behind those of `load` that ask memory for what lies so many elements ahead."""
    kept = STORED_AS[form]
    yield f"%{tensor}.ahead = getelementptr {kept}, ptr %{tensor}.element, i64 {ahead}"
    yield f"call void @llvm.prefetch.p0(ptr %{tensor}.ahead, i32 0, i32 3, i32 1)"


def fetch_run(tensor: str, form: Format, count: int, at: str) -> Iterator[str]:
    """Lines that ask memory for so many elements from `at` on, each line of the cache once."""
    size = form.itemsize
    yield f"%{tensor}.run.whole = mul nuw i64 {at}, {size}"
    yield f"%{tensor}.run.begin = udiv i64 %{tensor}.run.whole, {form.per_item}"
    for place, begin in enumerate(range(0, count * size // form.per_item, CACHE_LINE)):
        run = f"%{tensor}.run.{place}"
        yield f"{run}.begin = add nuw i64 %{tensor}.run.begin, {begin}"
        yield f"{run} = getelementptr i8, ptr %{tensor}.at, i64 {run}.begin"
        yield f"call void @llvm.prefetch.p0(ptr {run}, i32 0, i32 3, i32 1)"


def store(
    tensor: str,
    value: str,
    form: Format,
    computed: Format,
    lanes: Lanes = ONE,
    at: str = "%range.i",
    *,
    is_exact: bool = False,
) -> Iterator[str]:
    """Lines that round `value` once, to nearest even, and write it to element `at`; of a whole
    number the lower bits.

    is_exact   the value is known to be of this format already
    """
    if form.per_item > 1:
        yield from store_nibbles(tensor, value, lanes, at)
        return
    kept = lanes.of(STORED_AS[form])
    yield f"%{tensor}.out = getelementptr {STORED_AS[form]}, ptr %{tensor}.at, i64 {at}"
    rounded = value
    if form.is_integer:
        rounded = f"%{tensor}.rounded"
        yield f"{rounded} = trunc {lanes.of('i32')} {value} to {kept}"
    elif is_exact and form is BFLOAT16 and computed is FLOAT32:
        rounded, real, whole = f"%{tensor}.rounded", lanes.of("float"), lanes.of("i32")
        yield f"%{tensor}.pattern = bitcast {real} {value} to {whole}"
        yield f"%{tensor}.upper = lshr {whole} %{tensor}.pattern, {lanes.all('i32', '16')}"
        yield f"{rounded} = trunc {whole} %{tensor}.upper to {kept}"
    elif form.itemsize == 2:
        single = value
        if computed is FLOAT64:
            yield from _rounded_to_odd(tensor, value, lanes)
            single = f"%{tensor}.odd"
        if form is BFLOAT16:
            yield from _bfloat16(tensor, single, lanes)
        else:
            yield f"%{tensor}.rounded = fptrunc {lanes.of('float')} {single} to {kept}"
        rounded = f"%{tensor}.rounded"
    elif form is not computed:
        yield f"%{tensor}.rounded = fptrunc {lanes.of(FLOATS[computed])} {value} to {kept}"
        rounded = f"%{tensor}.rounded"
    yield f"store {kept} {rounded}, ptr %{tensor}.out, align {form.itemsize}"


def in_upper_half(tensor: str, single: str, lanes: Lanes) -> Iterator[str]:
    """Lines that round a float to the upper half of its bits, to nearest even, and leave them in
    the upper half of %<tensor>.chosen; nan stays nan.
    """
    t, bits, real, truth = f"%{tensor}", lanes.of("i32"), lanes.of("float"), lanes.of("i1")

    def all_(number: int) -> str:
        return lanes.all("i32", str(number))

    yield f"{t}.pattern = bitcast {real} {single} to {bits}"
    yield f"{t}.upper = lshr {bits} {t}.pattern, {all_(16)}"
    yield f"{t}.last = and {bits} {t}.upper, {all_(1)}"
    yield f"{t}.half = add {bits} {t}.last, {all_(32767)}"
    yield f"{t}.nearest = add {bits} {t}.pattern, {t}.half"
    yield f"{t}.quiet = or {bits} {t}.pattern, {all_(64 << 16)}"
    yield f"{t}.isnan = fcmp uno {real} {single}, {lanes.all('float', '0.0')}"
    yield f"{t}.chosen = select {truth} {t}.isnan, {bits} {t}.quiet, {bits} {t}.nearest"


def _bfloat16(tensor: str, single: str, lanes: Lanes) -> Iterator[str]:
    bits = lanes.of("i32")
    yield from in_upper_half(tensor, single, lanes)
    yield f"%{tensor}.moved = lshr {bits} %{tensor}.chosen, {lanes.all('i32', '16')}"
    yield f"%{tensor}.rounded = trunc {bits} %{tensor}.moved to {lanes.of('i16')}"


def _rounded_to_odd(tensor: str, value: str, lanes: Lanes) -> Iterator[str]:
    """A double as a float whose last bit says that something was cut off: rounding it again to 16
    bits is then right (Boldo & Melquiond 2008). x86 has no instruction from double to half.
    """
    t, bits, truth = f"%{tensor}", lanes.of("i32"), lanes.of("i1")
    wide, real, size = lanes.of("double"), lanes.of("float"), f"@llvm.fabs.{lanes.suffix('f', 64)}"
    yield f"{t}.near = fptrunc {wide} {value} to {real}"
    yield f"{t}.back = fpext {real} {t}.near to {wide}"
    yield f"{t}.differs = fcmp one {wide} {t}.back, {value}"
    yield f"{t}.size = call {wide} {size}({wide} {value})"
    yield f"{t}.backsize = call {wide} {size}({wide} {t}.back)"
    infinite = lanes.all("double", "0x7FF0000000000000")
    yield f"{t}.isinf = fcmp oeq {wide} {t}.backsize, {infinite}"
    yield f"{t}.isfinite = xor {truth} {t}.isinf, {lanes.all('i1', 'true')}"
    yield f"{t}.inexact = and {truth} {t}.differs, {t}.isfinite"
    yield f"{t}.larger = fcmp ogt {wide} {t}.backsize, {t}.size"
    yield f"{t}.away = and {truth} {t}.inexact, {t}.larger"
    yield f"{t}.away.bit = zext {truth} {t}.away to {bits}"
    yield f"{t}.inexact.bit = zext {truth} {t}.inexact to {bits}"
    yield f"{t}.near.bits = bitcast {real} {t}.near to {bits}"
    yield f"{t}.cut = sub {bits} {t}.near.bits, {t}.away.bit"
    yield f"{t}.odd.bits = or {bits} {t}.cut, {t}.inexact.bit"
    yield f"{t}.odd = bitcast {bits} {t}.odd.bits to {real}"
