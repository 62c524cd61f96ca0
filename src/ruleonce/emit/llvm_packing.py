"""Numbers of 8 or 16 bits from several vectors of 32 bits, written together.

To narrow one vector takes x86 two instructions, and leaves a quarter or a half of one to store. One
instruction makes a vector of 16 bits from two, by picking elements, and one of 8 bits from two of
those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..formats import BFLOAT16, FLOAT32, Format
from ..language.bits import is_bfloat16
from ..language.graph import Node
from .llvm_lanes import Lanes
from .llvm_memory import STORED_AS, in_upper_half, store


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
    """How many vectors of 32 bits fill one of a format; 1 where they are not packed."""
    fits = form is BFLOAT16 and computed is FLOAT32
    return 4 // form.itemsize if fits or (form.is_integer and form.per_item == 1) else 1


def store_packed(prefix: str, one: Packed, computed: Format, lanes: Lanes) -> Iterator[str]:
    """Lines that write all vectors, which follow one another in memory."""
    form, is_exact, many = one.form, is_bfloat16(one.node), together(one.form, computed)
    if many == 1 or len(one.values) % many:
        for value, name, at in one.values:
            yield from store(name, value, form, computed, lanes, at, is_exact=is_exact)
        return
    is_upper, count = form is BFLOAT16, many * lanes.count
    kind = lanes.of("float" if is_upper and is_exact else "i32")
    for first in range(0, len(one.values), many):
        group = one.values[first : first + many]
        found = [value for value, _, _ in group]
        if is_upper and not is_exact:
            for value, name, _ in group:
                yield from in_upper_half(name, value, lanes)
            found = [f"%{name}.chosen" for _, name, _ in group]
        yield from _halved(found, kind, f"{prefix}.{first}.words", 2 * lanes.count, 16, is_upper)
        found = [f"%{prefix}.{first}.words.{place}" for place in range(many // 2)]
        if form.itemsize == 1:
            words = Lanes(2 * lanes.count).of("i16")
            yield from _halved(found, words, f"{prefix}.{first}.bytes", count, 8)
            found = [f"%{prefix}.{first}.bytes.0"]
        _, name, at = group[0]
        kept = STORED_AS[form]
        yield f"%{name}.out = getelementptr {kept}, ptr %{name}.at, i64 {at}"
        yield f"store <{count} x {kept}> {found[0]}, ptr %{name}.out, align {form.itemsize}"


def _halved(
    vectors: Sequence[str], kind: str, result: str, count: int, bits: int, upper: bool = False
) -> Iterator[str]:
    """Each two vectors as one, %<result>.0 and so on: of every element the lower half, or the upper
    one; it has so many bits.
    """
    some = Lanes(count).of(f"i{bits}")
    mask = ", ".join(f"i32 {2 * place + upper}" for place in range(count))
    for place, vector in enumerate(vectors):
        yield f"%{result}.{place}.halves = bitcast {kind} {vector} to {some}"
    for place in range(len(vectors) // 2):
        one, other = (f"%{result}.{2 * place + half}.halves" for half in range(2))
        yield (
            f"%{result}.{place} = shufflevector {some} {one}, {some} {other}, "
            f"<{count} x i32> <{mask}>"
        )
