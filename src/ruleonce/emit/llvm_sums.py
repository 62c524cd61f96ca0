"""The loop of a pass that adds up: what each block of a tensor comes to, in float64 (counts of
elements, which are exact there too, in float32).

A tensor is cut into blocks of BLOCK elements, from its first element on, whoever does them; each
block leaves its sums in memory, and the host adds up the blocks. So a sum does not depend on how
many threads share the work. Whole blocks are for the loop over vectors, where there is one (see
llvm_vector_sums). Within another block the order of the additions is left to LLVM, which takes as
many at a time as the processor can: it is the same at each run, and may differ between kinds of
processors. That is the one place where an addition may be rearranged (`reassoc`).

The sums of a block lie at

    address in the last column of the table + 8 * (block * Program.sum_count + Pass.first_sum)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..formats import FLOAT64, Format
from ..language import ops
from ..language.graph import Node
from ..language.program import Pass
from .llvm_lanes import ONE
from .llvm_operations import operand

# Elements: few enough to stay in the first cache, and many against what a block costs.
_BITS = 12
BLOCK = 1 << _BITS


def blocks(
    one: Pass, element: Iterable[str], names: Mapping[Node, str], computed: Format
) -> Iterator[str]:
    """The lines between %range.some and range.done.

    element   the lines of the work on element %range.i
    """
    places = range(len(one.sums))
    yield "  br i1 %range.some, label %range.block, label %range.done"
    yield "range.block:"
    yield ("  %block.begin = phi i64 [ %range.begin, %range.entry ], [ %block.end, %range.stored ]")
    yield f"  %block.number = lshr i64 %block.begin, {_BITS}"
    yield "  %block.next = add nuw i64 %block.number, 1"
    yield f"  %block.limit = shl i64 %block.next, {_BITS}"
    yield "  %block.is.cut = icmp ult i64 %range.end, %block.limit"
    yield "  %block.end = select i1 %block.is.cut, i64 %range.end, i64 %block.limit"
    yield "  br label %range.loop"
    yield "range.loop:"
    yield "  %range.i = phi i64 [ %block.begin, %range.block ], [ %range.next, %range.loop ]"
    kinds = [added_in(node, computed) for node in one.sums]
    for place in places:
        yield (
            f"  %range.sum{place} = phi {kinds[place]} [ 0.0, %range.block ], "
            f"[ %range.sum{place}.next, %range.loop ]"
        )
    for line in element:
        yield f"  {line}"
    for place, node in enumerate(one.sums):
        for line in summand(place, node, names, computed):
            yield f"  {line}"
        yield (
            f"  %range.sum{place}.next = fadd reassoc {kinds[place]} %range.sum{place}, "
            f"%range.summand{place}"
        )
    yield "  %range.next = add nuw i64 %range.i, 1"
    yield "  %range.more = icmp ult i64 %range.next, %block.end"
    yield "  br i1 %range.more, label %range.loop, label %range.stored"
    yield "range.stored:"
    totals = []
    for place in places:
        total = f"%range.sum{place}.next"
        if kinds[place] != "double":
            yield f"  {total}.wide = fpext float {total} to double"
            total = f"{total}.wide"
        totals.append(total)
    yield from (f"  {line}" for line in stored(one, totals))
    yield "  %block.more = icmp ult i64 %block.end, %range.end"
    yield "  br i1 %block.more, label %range.block, label %range.done"


def stored(one: Pass, totals: Sequence[str]) -> Iterator[str]:
    """Lines that leave the sums of block %block.number where the host looks for them."""
    yield f"%block.place = mul nuw i64 %block.number, {one.program.sum_count}"
    for place, total in enumerate(totals):
        at = f"%block.sum{place}"
        yield f"{at} = add nuw i64 %block.place, {one.first_sum + place}"
        yield f"{at}.at = getelementptr double, ptr %range.sums, i64 {at}"
        yield f"store double {total}, ptr {at}.at"


def added_in(node: Node, computed: Format) -> str:
    """The type that a block is added up in. What is 0 or 1 has exact sums in float32 too, as long
    as a block has fewer elements than float32 has whole numbers: a count is not widened.
    """
    what = node.args[0]
    is_count = node.op is ops.SUM and what.op is ops.WHERE
    is_count = is_count and all(arg.value in (0.0, 1.0) for arg in what.args[1:])
    return "float" if is_count and computed is not FLOAT64 else "double"


def summand(place: int, node: Node, names: Mapping[Node, str], computed: Format) -> Iterator[str]:
    """Lines that leave what an element adds to a sum in %range.summand<place>."""
    result = f"%range.summand{place}"
    if added_in(node, computed) == "float":
        value = operand(node.args[0], names, computed, ONE)
        yield f"{result} = fadd float {value}, -0.0"  # a name for what is there
        return
    values = []
    for number, arg in enumerate(node.args):
        value = operand(arg, names, computed, ONE)
        if computed is not FLOAT64:
            yield f"{result}.wide{number} = fpext float {value} to double"
            value = f"{result}.wide{number}"
        values.append(value)
    if node.op is ops.DOT:
        yield f"{result} = fmul double {values[0]}, {values[1]}"
    else:
        yield f"{result} = fadd double {values[0]}, -0.0"  # a name for what is there
