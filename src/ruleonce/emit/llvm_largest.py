"""The largest of all lanes, of one vector or of several at once."""

from collections.abc import Iterator, Sequence

from .llvm_lanes import Lanes

_PIECE = 4  # lanes: within so many of 32 bits, x86 interleaves two vectors in one instruction


def largest(name: str, vectors: Sequence[str], whole: str, lanes: Lanes) -> Iterator[str]:
    """Lines that leave in %<name>.largest the largest whole number of each vector: one lane for
    each. There is a power of two of them, and no more than there are lanes.

    Two vectors become one, with half of the lanes for each; when one is left, its halves are
    compared, and the halves of that. Four vectors of 16 take 13 instructions; each alone, 8.
    """
    kind, most = lanes.of(whole), f"@llvm.umax.{lanes.suffix('i', int(whole[1:]))}"
    found, step = list(vectors), 1
    while len(found) > 1:
        pairs = list(zip(found[::2], found[1::2], strict=True))
        found = [f"%{name}.{step}.{number}" for number in range(len(pairs))]
        for result, (one, other) in zip(found, pairs, strict=True):
            for half in range(2):
                places = _interleaved(step, half, lanes)
                yield f"{result}.half.{half} = {_picked(kind, one, other, places)}"
            yield f"{result} = call {kind} {most}({kind} {result}.half.0, {kind} {result}.half.1)"
        step *= 2
    (last,), count = found, lanes.count
    while count > step:
        count //= 2
        upper = [place + count if place < count else None for place in lanes.places]
        result = f"%{name}.of.{count}"
        yield f"{result}.upper = {_picked(kind, last, 'poison', upper)}"
        yield f"{result} = call {kind} {most}({kind} {last}, {kind} {result}.upper)"
        last = result
    if step == 1:
        yield f"%{name}.largest = extractelement {kind} {last}, i64 0"
    else:
        yield f"%{name}.largest = {_picked(kind, last, 'poison', range(step))}"


def _interleaved(step: int, half: int, lanes: Lanes) -> list[int]:
    """So many lanes of one vector, as many of another, and so on: of one half of each piece."""
    size = min(lanes.count, max(_PIECE, 2 * step))
    return [
        place + source
        for begin in range(half * size // 2, lanes.count, size)
        for first in range(begin, begin + size // 2, step)
        for source in (0, lanes.count)
        for place in range(first, first + step)
    ]


def _picked(kind: str, one: str, other: str, places: Sequence[int | None]) -> str:
    """Lanes of two vectors that follow one another; any for None."""
    mask = ", ".join(f"i32 {'poison' if place is None else place}" for place in places)
    return f"shufflevector {kind} {one}, {kind} {other}, <{len(places)} x i32> <{mask}>"
