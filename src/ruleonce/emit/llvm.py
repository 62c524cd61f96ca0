"""A program as LLVM IR: one loop that reads every tensor once and writes every result once.

Two functions come out. `<rule>.range` does a run of elements of one tensor; its pointers are
`noalias`, so LLVM's vectorizer is free. `<rule>` walks a table of tensors and calls it: one call a
step, however many tensors there are. A row of the table is 64-bit integers:

    length, address of the host numbers (float64), address of each tensor

The one argument is the address of a job, 64-bit integers again, so that threads can share a table
at any element:

    address of the table, first row, first element in it, last row, end in that one

Where it pays, a third function, `<rule>.vectors`, does all of a run but the last few elements; see
llvm_vectors. A rule of several passes has these functions for each; see llvm_sums for what a pass
adds up. No fast-math flag is set and nothing is contracted: the bits are those of the operations,
in the rule's order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..formats import FLOAT64, Format
from ..language.bits import is_bfloat16
from ..language.graph import Node
from ..language.ops import Op
from ..language.program import Pass, Program
from . import llvm_blocks as blocks
from . import llvm_measured as measured
from . import llvm_sums as sums
from . import llvm_vector_sums as vector_sums
from . import llvm_vectors as vectors
from .llvm_lanes import ONE, Lanes
from .llvm_memory import FLOATS, element_number, host_number, load, store
from .llvm_operations import (
    LIBRARY,
    SPELLING,
    SPELLING_OF_BITS,
    declarations_of_bits,
    operand,
    operation,
)
from .llvm_table import parameters, table_walk
from .names import identifier, node_names

__all__ = ["LIBRARY", "SPELLING", "emit"]

Formats = Mapping[str, Format]

# What is measured is computed in float64, whatever the elements are.
_WIDE = ("declare double @llvm.fabs.f64(double)", "declare double @llvm.sqrt.f64(double)")


def emit(
    program: Program, formats: Formats, computed: Format, fused: int = 0, *, vbmi: bool = False
) -> str:
    """The IR of `program` for tensors of these formats, computed in float32 or float64.

    fused   the bits of a vector that the processor multiplies and adds in one instruction; 0 where
            there is no such instruction
    vbmi    whether it is an x86 with AVX-512 VBMI
    """
    number = FLOATS[computed]
    kept = ", ".join(f"{tensor} {formats[tensor].name}" for tensor in program.tensors)
    used = {node.op for node in (*program.body, *program.measured)}
    passes = [(one, _lanes_of(one, computed, fused, vbmi)) for one in program.passes]
    lanes = next((lanes for _, lanes in passes if lanes), None)
    called = [
        *(f"declare {number} @llvm.{f}.{_suffix(computed)}({number})" for f in ("fabs", "sqrt")),
        *(_WIDE if computed is not FLOAT64 and program.measured else ()),
        *_declarations(used),
        "attributes #0 = { nounwind }",
        "attributes #1 = { nobuiltin nounwind willreturn memory(none) }",
        *(vectors.declarations(computed, lanes) if lanes else ()),
        *(vector_sums.declarations(computed, lanes) if lanes and program.sum_count else ()),
        *_declarations_of_storage(program, formats, computed, lanes),
    ]
    lines = [
        f"; {program.name}: {kept}; computed in {computed.name}",
        "",
        *(line for one, lanes in passes for line in _pass(one, formats, computed, lanes)),
        *measured.functions(program),
        *dict.fromkeys(called),  # several parts call fma
        "",
    ]
    return "\n".join(lines)


def _pass(one: Pass, formats: Formats, computed: Format, lanes: Lanes | None) -> Iterator[str]:
    """The functions of one pass."""
    name = identifier(one.name)
    if one.program.block:
        if lanes:
            yield from blocks.whole_blocks(one, formats, computed, lanes, name)
        yield from blocks.all_blocks(one, formats, computed, name)
    else:
        if lanes:
            loop = vector_sums.function if one.sums else vectors.function
            yield from loop(one, formats, computed, lanes, name)
        yield from _range(one, formats, computed, name)
    yield ""
    yield from table_walk(one, name, has_vectors=lanes is not None)
    yield ""


def _lanes_of(one: Pass, computed: Format, fused: int, vbmi: bool) -> Lanes | None:
    if one.program.block:
        lanes = blocks.lanes_of(one, computed, fused)
    else:
        lanes = None if one.counts else vectors.lanes_of(one, computed, fused)
    return replace(lanes, vbmi=vbmi) if lanes else None


def _is_stored(program: Program) -> bool:
    return program.block > 0 or any(node.op in SPELLING_OF_BITS for node in program.body)


def _declarations_of_storage(
    program: Program, formats: Formats, computed: Format, lanes: Lanes | None
) -> Iterator[str]:
    if _is_stored(program):
        for many in (ONE, lanes) if lanes else (ONE,):
            yield from declarations_of_bits(computed, many)
    if program.block:
        yield from blocks.declarations(program, formats, computed, lanes)


def _range(one: Pass, formats: Formats, computed: Format, name: str) -> Iterator[str]:
    """The function that does the elements from %begin up to %end of one tensor."""
    names = node_names(one, (*one.host, *one.body))
    yield f"define internal void @{name}.range({parameters(one)}) #0 {{"
    yield "range.entry:"
    for index, node in enumerate(one.host, start=one.first_number):
        for line in host_number(index, names[node], node, computed):
            yield f"  {line}"
    yield "  %range.some = icmp ult i64 %range.begin, %range.end"
    if one.sums:
        yield from sums.blocks(one, _element(one, formats, computed, names), names, computed)
    else:
        yield "  br i1 %range.some, label %range.loop, label %range.done"
        yield "range.loop:"
        yield "  %range.i = phi i64 [ %range.begin, %range.entry ], [ %range.next, %range.loop ]"
        for line in _element(one, formats, computed, names):
            yield f"  {line}"
        yield "  %range.next = add nuw i64 %range.i, 1"
        yield "  %range.more = icmp ult i64 %range.next, %range.end"
        yield "  br i1 %range.more, label %range.loop, label %range.done"
    yield "range.done:"
    yield "  ret void"
    yield "}"


def _element(
    one: Pass, formats: Formats, computed: Format, names: Mapping[Node, str]
) -> Iterator[str]:
    """The work on element %range.i."""
    for tensor in one.read:
        yield from load(identifier(tensor), formats[tensor], computed)
    if one.counts:
        yield from element_number("%range.i")
    for node in one.body:
        yield from operation(node, names, computed, ONE)
    for tensor, node in one.written.items():
        value = operand(node, names, computed, ONE)
        is_exact = is_bfloat16(node)
        yield from store(identifier(tensor), value, formats[tensor], computed, is_exact=is_exact)


def _declarations(used: set[Op | None]) -> Iterator[str]:
    for op, (function, arity) in LIBRARY.items():
        if op in used:
            yield f"declare double @ruleonce.{function}({', '.join(['double'] * arity)}) #1"


def _suffix(computed: Format) -> str:
    return "f64" if computed is FLOAT64 else "f32"
