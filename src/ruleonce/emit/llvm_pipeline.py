"""Blocks in a pipeline: the first stage of one block goes along with the second of that before it.

What a stage needs of the processor, another does not: the first divides, the second packs. And
between two stages stand the numbers of a block, such as a scale: from the largest of all lanes to
the reciprocal that is spread over the lanes again they take some 80 cycles, one after the other,
which pass while the next block has begun.

With the first block of a run goes itself, whose numbers are not known yet: what the second stage
writes then is written again with the next block, and nobody reads it before.
"""

from collections.abc import Iterator
from copy import copy

from ..language.graph import Node
from .llvm_operations import number_type
from .llvm_stage_loop import Part, loop
from .llvm_stages import Stages


def fits(function: Stages) -> bool:
    """Whether the blocks of a program go through a pipeline."""
    return len(function.all) == 2 and all(stage.has_loop for stage in function.all)


def blocks(function: Stages) -> Iterator[str]:
    """The lines from %range.block, behind %block.end, up to %range.stored."""
    held = _held(function)
    first, second = function.all
    before = copy(function)
    before.names = function.names | {node: f"{function.names[node]}.held" for node in held}
    yield "  %block.is.first = icmp eq i64 %block.begin, %range.begin"
    yield f"  %block.behind = select i1 %block.is.first, i64 0, i64 {function.one.program.block}"
    for node in held:
        yield from before.spread(node)
    yield from function.count()
    yield from function.before(first)
    yield from loop(
        [Part(function, first), Part(before, second, "%block.behind")], "both", "range.block"
    )
    yield from function.before(second)
    yield "  br label %block.done"
    yield "block.done:"
    yield "  %block.more = icmp ult i64 %block.end, %range.stop"
    yield "  br i1 %block.more, label %range.block, label %block.last"
    yield "block.last:"
    yield from loop([Part(function, second)], "last", "block.last")
    yield "  br label %range.stored"
    yield "range.stored:"
    yield "  br label %range.done"


def carried(function: Stages) -> Iterator[str]:
    """Lines at the begin of %range.block: what is kept of the block before."""
    for node in _held(function):
        name, kind = function.names[node], number_type(node, function.computed)
        nothing = "0.0" if kind in ("float", "double") else "0"
        yield (f"  %{name}.held = phi {kind} [ {nothing}, %range.ready ], [ %{name}, %block.done ]")


def _held(function: Stages) -> list[Node]:
    """The numbers of a block that are known after its first stage and needed in the second."""
    first, second = function.all
    used = {arg for node in second.elements for arg in node.args}
    used |= set(function.one.written.values())
    return [node for node in (*first.before, *second.before) if node in used]
