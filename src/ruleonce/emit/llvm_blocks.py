"""The loop of a pass over tensors that are stored in blocks, each with numbers of its own.

A block is gone through in stages. The first decodes its elements, does the work of the rule and
finds what a block is to know of them, such as the largest; then come the numbers of the block, such
as its scales; the next stage encodes by them. What a later stage needs of an element waits in
scratch memory, which stays in the first cache. Tensors are read and written once.

Two functions are made of the same lines: `<rule>.vectors` with the vectors written out, for whole
blocks, and `<rule>.range` for one element at a time, which also does a last, short block.
"""

from collections.abc import Iterator, Mapping

from ..formats import Format
from ..language.program import Pass, Program
from . import llvm_division as division
from . import llvm_group as numbers
from . import llvm_pipeline as pipeline
from .llvm_group import Group
from .llvm_lanes import ONE, Lanes
from .llvm_operations import LIBRARY
from .llvm_stages import Stages
from .llvm_table import parameters
from .llvm_work import closing, opening

Formats = Mapping[str, Format]


def lanes_of(one: Pass, computed: Format, fused: int) -> Lanes | None:
    """How many elements a vector has; None where the lines are left to LLVM's vectorizer.

    A function of the C library takes one element at a time, and sums have a loop of their own.
    """
    calls = any(node.op in LIBRARY for node in one.body)
    lanes = fused // (8 * computed.itemsize)
    fits = 0 < lanes <= one.program.block
    return Lanes(lanes) if fits and not calls and not one.sums else None


def whole_blocks(
    one: Pass, formats: Formats, computed: Format, lanes: Lanes, name: str
) -> Iterator[str]:
    """The lines of `<rule>.vectors`, which returns where it stopped: at the last whole block, or at
    once where a number of the step does not fit (see llvm_division).
    """
    block = one.program.block
    function = Stages(one, formats, computed, lanes)
    group = Group(function) if pipeline.fits(function) else None
    divisions = [node for node in one.body if division.is_by_step_number(node)]
    fits = [f"%{function.names[node]}.fits" for node in divisions]
    if group:
        function.room = group.room
    memory = [*function.scratch(), *(group.scratch() if group else ())]
    yield from opening(one, name, block, block, memory)
    yield from function.ready(divisions)
    yield from group.ready() if group else ()
    all_fit = "true"
    if divisions:
        all_fit, lines = division.folded("and i1", "%range.fits", fits)
        yield from (f"  {line}" for line in lines)
    begin = "group" if group else "block"
    yield f"  br i1 {all_fit}, label %range.{begin}, label %range.done"
    if group:
        yield from pipeline.groups(group)
    else:
        behind = "[ %range.begin, %range.ready ], [ %block.end, %range.stored ]"
        yield "range.block:"
        yield f"  %block.begin = phi i64 {behind}"
        yield f"  %block.end = add nuw i64 %block.begin, {block}"
        yield from function.ahead(function.begin, block)
        yield from function.stages()
        yield "range.stored:"
        yield "  %block.more = icmp ult i64 %block.end, %range.stop"
        yield "  br i1 %block.more, label %range.block, label %range.done"
    yield from closing()


def all_blocks(one: Pass, formats: Formats, computed: Format, name: str) -> Iterator[str]:
    """The lines of `<rule>.range`."""
    block = one.program.block
    function = Stages(one, formats, computed, ONE)
    yield f"define internal void @{name}.range({parameters(one)}) #0 {{"
    yield "range.entry:"
    yield from function.scratch()
    yield from function.ready([])
    yield "  %range.some = icmp ult i64 %range.begin, %range.end"
    yield "  br i1 %range.some, label %range.block, label %range.done"
    yield "range.block:"
    yield "  %block.begin = phi i64 [ %range.begin, %range.entry ], [ %block.end, %range.stored ]"
    yield f"  %block.next = add nuw i64 %block.begin, {block}"
    yield "  %block.is.cut = icmp ult i64 %range.end, %block.next"
    yield "  %block.end = select i1 %block.is.cut, i64 %range.end, i64 %block.next"
    yield from function.stages()
    yield from function.store_sums()
    yield "range.stored:"
    yield "  %block.more = icmp ult i64 %block.end, %range.end"
    yield "  br i1 %block.more, label %range.block, label %range.done"
    yield "range.done:"
    yield "  ret void"
    yield "}"


def declarations(
    program: Program, formats: Formats, computed: Format, lanes: Lanes | None
) -> Iterator[str]:
    """What the lines call, beside what operations do."""
    width = 8 * computed.itemsize
    for many in (ONE, lanes) if lanes else (ONE,):
        whole = many.of(f"i{width}")
        yield f"declare {whole} @llvm.umax.{many.suffix('i', width)}({whole}, {whole})"
    if lanes:
        yield from numbers.declarations(program, formats, computed, lanes)
