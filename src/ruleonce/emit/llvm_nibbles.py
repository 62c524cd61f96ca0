"""How whole numbers of 4 bits, two in a byte, are loaded and stored in LLVM IR.

A vector takes half as many bytes, and begins at one. A single number shares its byte with another,
which is read and written again: blocks are of even length, so none is shared between threads.
"""

from collections.abc import Iterator

from ..formats import INT4, Format
from .llvm_lanes import ONE, Lanes


def load_nibbles(tensor: str, form: Format, lanes: Lanes, at: str) -> Iterator[str]:
    """Lines that leave the numbers from `at` on in %tensor, of 32 bits."""
    t, whole = f"%{tensor}", lanes.of("i32")
    yield from _address(tensor, at, "element")
    if lanes is ONE:
        yield f"{t}.both = load i8, ptr {t}.element"
        yield f"{t}.wide = zext i8 {t}.both to i32"
        yield from _place(tensor, at)
        up = f"{t}.up"
        yield f"{up} = sub i32 28, {t}.shift"
    else:
        # Each byte twice, so that the halves are a shift of the lane apart.
        pairs, some = lanes.count // 2, f"<{lanes.count // 2} x i8>"
        twice = ", ".join(f"i32 {place // 2}" for place in range(lanes.count))
        yield f"{t}.both = load {some}, ptr {t}.element, align 1"
        yield f"{t}.twice = shufflevector {some} {t}.both, {some} poison, {whole} <{twice}>"
        yield f"{t}.wide = zext {lanes.of('i8')} {t}.twice to {whole}"
        up = f"<{', '.join(['i32 28, i32 24'] * pairs)}>"
    yield f"{t}.upper = shl {whole} {t}.wide, {up}"
    down = "ashr" if form is INT4 else "lshr"
    yield f"{t} = {down} {whole} {t}.upper, {lanes.all('i32', '28')}"


def store_nibbles(tensor: str, value: str, lanes: Lanes, at: str) -> Iterator[str]:
    """Lines that write the lower 4 bits of whole numbers from `at` on."""
    t, whole = f"%{tensor}", lanes.of("i32")
    if lanes is not ONE:
        yield f"{t}.narrow = trunc {whole} {value} to {lanes.of('i8')}"
        yield from store_pairs(tensor, f"{t}.narrow", lanes, at)
        return
    yield from _address(tensor, at, "out")
    yield from _place(tensor, at, "out.")
    yield f"{t}.half = and i32 {value}, 15"
    yield f"{t}.old = load i8, ptr {t}.out"
    yield f"{t}.old.wide = zext i8 {t}.old to i32"
    yield f"{t}.mask = lshr i32 240, {t}.out.shift"  # the other half
    yield f"{t}.rest = and i32 {t}.old.wide, {t}.mask"
    yield f"{t}.moved = shl i32 {t}.half, {t}.out.shift"
    yield f"{t}.new = or i32 {t}.rest, {t}.moved"
    yield f"{t}.byte = trunc i32 {t}.new to i8"
    yield f"store i8 {t}.byte, ptr {t}.out"


def store_pairs(tensor: str, numbers: str, lanes: Lanes, at: str) -> Iterator[str]:
    """The same for a vector of bytes."""
    t, pairs = f"%{tensor}", Lanes(lanes.count // 2)
    words, some = pairs.of("i16"), pairs.of("i8")
    yield from _address(tensor, at, "out")
    yield f"{t}.pairs = bitcast {lanes.of('i8')} {numbers} to {words}"
    yield f"{t}.low = and {words} {t}.pairs, {pairs.all('i16', '15')}"
    yield f"{t}.moved = lshr {words} {t}.pairs, {pairs.all('i16', '4')}"
    yield f"{t}.high = and {words} {t}.moved, {pairs.all('i16', '240')}"
    yield f"{t}.both = or {words} {t}.low, {t}.high"
    yield f"{t}.bytes = trunc {words} {t}.both to {some}"
    yield f"store {some} {t}.bytes, ptr {t}.out, align 1"


def _address(tensor: str, at: str, name: str) -> Iterator[str]:
    yield f"%{tensor}.{name}.place = lshr i64 {at}, 1"
    yield f"%{tensor}.{name} = getelementptr i8, ptr %{tensor}.at, i64 %{tensor}.{name}.place"


def _place(tensor: str, at: str, name: str = "") -> Iterator[str]:
    """How far a number is from the lower end of its byte."""
    t = f"%{tensor}.{name}"
    yield f"{t}low = trunc i64 {at} to i32"
    yield f"{t}odd = and i32 {t}low, 1"
    yield f"{t}shift = shl i32 {t}odd, 2"
