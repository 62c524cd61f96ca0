"""Blocks in a pipeline: the first stage of one goes along with the second of another before it.

What a stage needs of the processor, another does not: the first divides, the second packs. And
between two stages stand the numbers of a block, such as a scale: from the largest of all lanes to
the reciprocal that is spread over the lanes again they take some 80 cycles, one after the other,
which pass while the next block has begun.

They are computed for a group of blocks at once (see llvm_group), so the block that goes along lies
a group behind. With the first group goes itself, whose numbers are not known yet: what the second
stage writes then is written again later, and nobody reads it before. For what is left in the end,
the last group and, if that is short, some of the one before it, the second stage comes alone.
"""

from collections.abc import Iterator, Sequence
from copy import copy

from ..language.graph import Node
from .llvm_group import Group
from .llvm_stage_loop import Part, loop
from .llvm_stages import Stages


def fits(function: Stages) -> bool:
    """Whether the blocks of a program go through a pipeline."""
    return len(function.all) == 2 and all(stage.has_loop for stage in function.all)


def groups(group: Group) -> Iterator[str]:
    """The lines of all groups, from the label %range.group up to %range.stored."""
    length = group.room // 2
    yield "range.group:"
    yield f"  {group.begin} = phi i64 [ %range.begin, %range.ready ], [ {group.end}, %group.done ]"
    yield f"  %group.next = add nuw i64 {group.begin}, {length}"
    yield "  %group.is.cut = icmp ult i64 %range.stop, %group.next"
    yield f"  {group.end} = select i1 %group.is.cut, i64 %range.stop, i64 %group.next"
    yield f"  %group.is.first = icmp eq i64 {group.begin}, %range.begin"
    yield f"  %group.behind = select i1 %group.is.first, i64 0, i64 {length}"
    yield from group.count()
    yield from group.before(group.function.all[0])
    yield from _blocks(group)
    yield "group.done:"
    yield from group.before(group.function.all[1])
    yield f"  %group.more = icmp ult i64 {group.end}, %range.stop"
    yield "  br i1 %group.more, label %range.group, label %range.rest"
    yield from _rest(group)


def _blocks(group: Group) -> Iterator[str]:
    """The blocks of a group, each along with one of the group before."""
    function, count = group.function, group.lanes.count
    first, second = function.all
    held = group.needed(second)
    before = _renamed(function, held, "held")
    behind = f"[ {group.begin}, %range.group ], [ {function.end}, %block.done ]"
    yield "  br label %group.block"
    yield "group.block:"
    yield f"  {function.begin} = phi i64 {behind}"
    yield f"  {function.end} = add nuw i64 {function.begin}, {function.one.program.block}"
    yield from group.place(function.begin, "block")
    yield f"  %block.held = xor i64 %block.place, {count}"
    yield f"  %block.lane = and i64 %block.place, {count - 1}"
    yield from group.spread(group.needed(first), function.names, "%block.place")
    yield from group.spread(held, before.names, "%block.held")
    both = [Part(function, first), Part(before, second, "%group.behind")]
    yield from loop(both, "both", "group.block", fetches=True)
    yield from group.found(first, "%block.lane")
    yield "  br label %block.done"
    yield "block.done:"
    yield f"  %block.more = icmp ult i64 {function.end}, {group.end}"
    yield "  br i1 %block.more, label %group.block, label %group.done"


def _rest(group: Group) -> Iterator[str]:
    """The second stage of the blocks that no other went along with."""
    function, second = group.function, group.function.all[1]
    needed = group.needed(second)
    alone = _renamed(function, needed, "last")
    alone.begin, alone.end = "%rest.begin", "%rest.end"
    yield "range.rest:"
    yield f"  %rest.late = sub i64 {group.end}, %group.behind"
    yield f"  %rest.first = select i1 %group.is.first, i64 {group.begin}, i64 %rest.late"
    yield "  br label %rest.block"
    yield "rest.block:"
    yield f"  {alone.begin} = phi i64 [ %rest.first, %range.rest ], [ {alone.end}, %last.done ]"
    yield f"  {alone.end} = add nuw i64 {alone.begin}, {function.one.program.block}"
    yield from group.place(alone.begin, "rest")
    yield from group.spread(needed, alone.names, "%rest.place")
    yield from loop([Part(alone, second)], "last", "rest.block")
    yield f"  %rest.more = icmp ult i64 {alone.end}, %range.stop"
    yield "  br i1 %rest.more, label %rest.block, label %range.stored"
    yield "range.stored:"
    yield "  br label %range.done"


def _renamed(function: Stages, numbers: Sequence[Node], ending: str) -> Stages:
    """The same function for another block, whose numbers have other names."""
    other = copy(function)
    other.names = function.names | {node: f"{function.names[node]}.{ending}" for node in numbers}
    return other
