"""Bytes of one vector, picked in any order: vpermb, an instruction of x86 with AVX-512 VBMI.

It can leave some bytes of its result as they were, or make them 0, so it widens numbers, and joins
vectors as well. Instructions that pick from two vectors are three micro-operations on Intel, that
which picks words is two, and this is one (measured on an Emerald Rapids); on Zen 4 each is one.
LLVM takes those where it sees that they would do, so that is hidden from it.
"""

from collections.abc import Iterator, Sequence

from .llvm_lanes import Lanes


def picked(
    result: str, vector: str, places: Sequence[int], own: int, before: str = "zeroinitializer"
) -> Iterator[str]:
    """Lines that leave bytes of a vector in %<result>.

    vector  its type, which is of bytes, and its name
    places  of the bytes in it, in order
    own     a bit for each byte of the result, the lowest for the first; others are from `before`
    """
    lanes, source = Lanes(len(places)), vector.rpartition(" ")[0]
    of, truths, whole = lanes.of("i8"), lanes.of("i1"), f"i{lanes.count}"
    if all(other == one + 1 for one, other in zip(places[::2], places[1::2], strict=True)):
        # These are words: turn round those that are not kept.
        places = [at if own >> byte & 1 else at ^ 1 for byte, at in enumerate(places)]
    mask = f"{lanes.of('i32')} <{', '.join(f'i32 {place}' for place in places)}>"
    unknown = f'call {whole} asm "", "=r,0"({whole} u0x{own:X}) memory(none) nounwind willreturn'
    yield f"%{result}.all = shufflevector {vector}, {source} poison, {mask}"
    yield f"%{result}.own = {unknown}  ; no instruction"
    yield f"%{result}.is.own = bitcast {whole} %{result}.own to {truths}"
    yield f"%{result} = select {truths} %{result}.is.own, {of} %{result}.all, {of} {before}"
