"""Numbers of 8 or 16 bits from several vectors of 32 bits, written together.

To narrow one vector takes x86 two instructions, and leaves a quarter or a half of one to store. So
several are made one: each two by one instruction, and each two of those, or with AVX-512 VBMI all,
one after another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..formats import BFLOAT16, FLOAT32, Format
from ..language.bits import is_bfloat16
from ..language.graph import Node
from .llvm_lanes import Lanes
from .llvm_memory import STORED_AS, in_upper_half, store
from .llvm_nibbles import store_pairs
from .llvm_picking import picked


@dataclass
class Packed:
    """What is to be written to one tensor: its value and name in each vector, and where it goes."""

    node: Node
    form: Format
    values: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, value: str, name: str, at: str) -> None:
        """One more vector."""
        self.values.append((value, name, at))


def together(form: Format, computed: Format) -> int:
    """How many vectors of 32 bits fill one of a format, or half of one where two numbers share a
    byte; 1 where they are not packed.
    """
    fits = form is BFLOAT16 and computed is FLOAT32
    return 4 // form.itemsize if fits or form.is_integer else 1


def store_packed(prefix: str, one: Packed, computed: Format, lanes: Lanes) -> Iterator[str]:
    """Lines that write all vectors, which follow one another in memory."""
    form, is_exact, many = one.form, is_bfloat16(one.node), together(one.form, computed)
    if many == 1 or len(one.values) % many:
        for value, name, at in one.values:
            yield from store(name, value, form, computed, lanes, at, is_exact=is_exact)
        return
    is_upper, kept = form is BFLOAT16, Lanes(many * lanes.count).of(STORED_AS[form])
    kind = lanes.of("float" if is_upper and is_exact else "i32")
    narrowed = _joined if lanes.vbmi else _halved
    for first in range(0, len(one.values), many):
        group, result = one.values[first : first + many], f"{prefix}.{first}"
        found = [value for value, _, _ in group]
        if is_upper and not is_exact:
            for value, name, _ in group:
                yield from in_upper_half(name, value, lanes)
            found = [f"%{name}.chosen" for _, name, _ in group]
        yield from narrowed(result, found, kind, lanes, upper=is_upper)
        _, name, at = group[0]
        if form.per_item > 1:
            yield from store_pairs(name, f"%{result}", Lanes(many * lanes.count), at)
            continue
        yield f"%{name}.out = getelementptr {STORED_AS[form]}, ptr %{name}.at, i64 {at}"
        yield f"store {kept} %{result}, ptr %{name}.out, align {form.itemsize}"


def _halved(
    result: str, vectors: Sequence[str], kind: str, lanes: Lanes, *, upper: bool
) -> Iterator[str]:
    """Lines that leave the numbers of all vectors in %<result>, of each the lower bits or the upper
    ones: two vectors become one of 16 bits, and two of those one of 8.
    """
    count, bits, side = 2 * lanes.count, 16, int(upper)
    while len(vectors) > 1:
        some, found = Lanes(count).of(f"i{bits}"), f"{result}.of{bits}"
        mask = ", ".join(f"i32 {2 * place + side}" for place in range(count))
        for place, vector in enumerate(vectors):
            yield f"%{found}.{place}.from = bitcast {kind} {vector} to {some}"
        halves = [f"%{found}.{place}" for place in range(len(vectors) // 2)]
        for place, half in enumerate(halves):
            one, other = f"%{found}.{2 * place}.from", f"%{found}.{2 * place + 1}.from"
            yield f"{half} = shufflevector {some} {one}, {some} {other}, <{count} x i32> <{mask}>"
        vectors, kind, count, bits, side = halves, some, 2 * count, bits // 2, 0
    yield f"%{result} = bitcast {kind} {vectors[0]} to {kind}"


def _joined(
    result: str, vectors: Sequence[str], kind: str, lanes: Lanes, *, upper: bool
) -> Iterator[str]:
    """The same, with AVX-512 VBMI: each vector brings its bytes to their places."""
    count, size = 4 * lanes.count, 4 // len(vectors)  # bytes: of a vector, of a number
    some, part = Lanes(count).of("i8"), size * lanes.count
    places = [4 * (byte % part // size) + byte % size + 2 * upper for byte in range(count)]
    before = "poison"
    for number, vector in enumerate(vectors):
        name, begin = f"{result}.{number}", number * part
        # The last to come keeps its bytes, so masks go to the end: 8 bits share one with 16.
        own = (1 << count) - (1 << begin) if number else (1 << part) - 1
        yield f"%{name}.bytes = bitcast {kind} {vector} to {some}"
        yield from picked(name, f"{some} %{name}.bytes", places, own, before)
        before = f"%{name}"
    yield f"%{result} = bitcast {some} {before} to {Lanes(count // size).of(f'i{8 * size}')}"
