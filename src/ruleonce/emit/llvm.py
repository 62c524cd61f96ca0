"""A program as LLVM IR: one loop that reads every tensor once and writes every result once.

Two functions come out. `<rule>.range` does a run of elements of one tensor; its pointers are
`noalias`, so LLVM's vectorizer is free. `<rule>` walks a table of tensors and calls it: one call a
step, however many tensors there are. A row of the table is 64-bit integers:

    length, address of the host numbers (float64), address of each tensor

The one argument is the address of a job, 64-bit integers again, so that threads can share a table
at any element:

    address of the table, first row, first element in it, last row, end in that one

 No fast-math flag is set and nothing is contracted: the bits are those of the
operations, in the rule's order.
"""

import math
import struct
from collections.abc import Iterator, Mapping

import numpy as np

from ..formats import FLOAT32, FLOAT64, Format
from ..language import ops
from ..language.graph import Node, Number
from ..language.ops import Op
from ..language.program import Program
from .llvm_memory import FLOATS, load, store
from .names import identifier, node_names

Formats = Mapping[str, Format]

# {r} is the result, {T} the type of a number, {0} {1} {2} the operands; a line each.
SPELLING: Mapping[Op, str] = {
    ops.ADD: "{r} = fadd {T} {0}, {1}",
    ops.SUB: "{r} = fsub {T} {0}, {1}",
    ops.MUL: "{r} = fmul {T} {0}, {1}",
    ops.DIV: "{r} = fdiv {T} {0}, {1}",
    ops.NEG: "{r} = fneg {T} {0}",
    ops.ABS: "{r} = call {T} @llvm.fabs.{I}({T} {0})",
    ops.SQRT: "{r} = call {T} @llvm.sqrt.{I}({T} {0})",
    ops.SIGN: """\
{r}.above = fcmp ogt {T} {0}, 0.0
{r}.below = fcmp olt {T} {0}, 0.0
{r}.flat = fadd {T} {0}, 0.0
{r}.rest = select i1 {r}.below, {T} -1.0, {T} {r}.flat
{r} = select i1 {r}.above, {T} 1.0, {T} {r}.rest""",
    ops.MAXIMUM: """\
{r}.larger = fcmp ogt {T} {0}, {1}
{r}.nan = fcmp uno {T} {0}, 0.0
{r}.first = or i1 {r}.larger, {r}.nan
{r} = select i1 {r}.first, {T} {0}, {T} {1}""",
    ops.MINIMUM: """\
{r}.smaller = fcmp olt {T} {0}, {1}
{r}.nan = fcmp uno {T} {0}, 0.0
{r}.first = or i1 {r}.smaller, {r}.nan
{r} = select i1 {r}.first, {T} {0}, {T} {1}""",
    ops.EXP: "{r} = call double @ruleonce.exp(double {0})",
    ops.LOG: "{r} = call double @ruleonce.log(double {0})",
    ops.TANH: "{r} = call double @ruleonce.tanh(double {0})",
    ops.CBRT: "{r} = call double @ruleonce.cbrt(double {0})",
    ops.POWER: "{r} = call double @ruleonce.pow(double {0}, double {1})",
    ops.LT: "{r} = fcmp olt {T} {0}, {1}",
    ops.LE: "{r} = fcmp ole {T} {0}, {1}",
    ops.GT: "{r} = fcmp ogt {T} {0}, {1}",
    ops.GE: "{r} = fcmp oge {T} {0}, {1}",
    ops.EQ: "{r} = fcmp oeq {T} {0}, {1}",
    ops.NE: "{r} = fcmp une {T} {0}, {1}",
    ops.AND: "{r} = and i1 {0}, {1}",
    ops.OR: "{r} = or i1 {0}, {1}",
    ops.NOT: "{r} = xor i1 {0}, true",
    ops.WHERE: "{r} = select i1 {0}, {T} {1}, {T} {2}",
}

# Functions of the C library; in float32 they are computed in float64 and rounded once. The name is
# ours, so that LLVM does not take them for its own and rewrite them.
LIBRARY: Mapping[Op, tuple[str, int]] = {
    ops.EXP: ("exp", 1),
    ops.LOG: ("log", 1),
    ops.TANH: ("tanh", 1),
    ops.CBRT: ("cbrt", 1),
    ops.POWER: ("pow", 2),
}


def emit(program: Program, formats: Formats, computed: Format) -> str:
    """The IR of `program` for tensors of these formats, computed in float32 or float64."""
    name = identifier(program.name)
    number = FLOATS[computed]
    kept = ", ".join(f"{tensor} {formats[tensor].name}" for tensor in program.tensors)
    used = {node.op for node in program.body}
    lines = [
        f"; {program.name}: {kept}; computed in {computed.name}",
        "",
        *_range(program, formats, computed, name),
        "",
        *_table_walk(program, name),
        "",
        *(f"declare {number} @llvm.{f}.{_suffix(computed)}({number})" for f in ("fabs", "sqrt")),
        *_declarations(used),
        "attributes #0 = { nounwind }",
        "attributes #1 = { nobuiltin nounwind willreturn memory(none) }",
        "",
    ]
    return "\n".join(lines)


def _range(program: Program, formats: Formats, computed: Format, name: str) -> Iterator[str]:
    """The function that does the elements from %begin up to %end of one tensor."""
    number = FLOATS[computed]
    names = node_names(program, (*program.host, *program.body))
    pointers = "".join(f", ptr noalias %{identifier(x)}.at" for x in program.tensors)
    run = "i64 %range.begin, i64 %range.end, ptr %range.host"
    yield f"define internal void @{name}.range({run}{pointers}) #0 {{"
    yield "range.entry:"
    for index, node in enumerate(program.host):
        for line in _host_number(index, names[node], node, computed):
            yield f"  {line}"
    yield "  %range.some = icmp ult i64 %range.begin, %range.end"
    yield "  br i1 %range.some, label %range.loop, label %range.done"
    yield "range.loop:"
    yield "  %range.i = phi i64 [ %range.begin, %range.entry ], [ %range.next, %range.loop ]"
    for tensor in program.read:
        for line in load(identifier(tensor), formats[tensor], computed):
            yield f"  {line}"
    for node in program.body:
        for line in _operation(node, names, number, computed):
            yield f"  {line}"
    for tensor, node in program.written.items():
        value = _operand(node, names, computed)
        for line in store(identifier(tensor), value, formats[tensor], computed):
            yield f"  {line}"
    yield "  %range.next = add nuw i64 %range.i, 1"
    yield "  %range.more = icmp ult i64 %range.next, %range.end"
    yield "  br i1 %range.more, label %range.loop, label %range.done"
    yield "range.done:"
    yield "  ret void"
    yield "}"


def _host_number(index: int, name: str, node: Node, computed: Format) -> Iterator[str]:
    """Load one number of the host, float64, and round it once to the precision of the kernel."""
    kind, comment = node.kind, "" if node.op is None else f"  ; {node!r}"
    rounds = kind == "truth" or computed is not FLOAT64
    yield f"%{name}.from = getelementptr double, ptr %range.host, i64 {index}{comment}"
    yield f"%{name}{'.host' if rounds else ''} = load double, ptr %{name}.from"
    if kind == "truth":
        yield f"%{name} = fcmp une double %{name}.host, 0.0"
    elif rounds:
        yield f"%{name} = fptrunc double %{name}.host to {FLOATS[computed]}"


def _operation(
    node: Node, names: Mapping[Node, str], number: str, computed: Format
) -> Iterator[str]:
    assert node.op is not None  # noqa: S101
    result = f"%{names[node]}"
    operands = [_operand(arg, names, computed) for arg in node.args]
    if node.op in LIBRARY and computed is FLOAT32:
        for place, operand in enumerate(operands):
            yield f"{result}.wide{place} = fpext float {operand} to double"
        wide = [f"{result}.wide{place}" for place in range(len(operands))]
        yield SPELLING[node.op].format(*wide, r=f"{result}.double")
        yield f"{result} = fptrunc double {result}.double to float"
    else:
        text = SPELLING[node.op].format(*operands, r=result, T=number, I=_suffix(computed))
        yield from text.split("\n")


def _operand(node: Node, names: Mapping[Node, str], computed: Format) -> str:
    return f"%{names[node]}" if node in names else _constant(node, computed)


def _constant(node: Node, computed: Format) -> str:
    """A leaf: an argument of the loop, or a constant in the kernel's precision.

    LLVM reads the 16 digits of a float64 for a float as well, if its last bits are 0.
    """
    if node.name is not None:
        return f"%{identifier(node.name)}"
    assert node.value is not None  # noqa: S101
    if node.kind == "truth":
        return str(bool(node.value)).lower()
    bits = struct.unpack("<Q", struct.pack("<d", _rounded(node.value, computed)))[0]
    return f"0x{bits:016X}"


def _rounded(value: Number, computed: Format) -> float:
    if computed is FLOAT64 or math.isnan(value):
        return float(value)
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _table_walk(program: Program, name: str) -> Iterator[str]:
    """The function that is called: the rows of a job."""
    width = 2 + len(program.tensors)
    yield f"define void @{name}(ptr %job) #0 {{"
    yield "entry:"
    yield "  %table = load ptr, ptr %job"
    for index, field in enumerate(["row.first", "begin.first", "row.last", "end.last"], start=1):
        yield f"  %{field}.from = getelementptr i64, ptr %job, i64 {index}"
        yield f"  %{field} = load i64, ptr %{field}.from"
    yield "  br label %loop"
    yield "loop:"
    yield "  %row = phi i64 [ %row.first, %entry ], [ %row.next, %loop ]"
    yield "  %begin = phi i64 [ %begin.first, %entry ], [ 0, %loop ]"
    yield f"  %place = mul nuw i64 %row, {width}"
    yield "  %length.from = getelementptr i64, ptr %table, i64 %place"
    yield "  %length = load i64, ptr %length.from"
    columns = ["host", *(f"{identifier(tensor)}.at" for tensor in program.tensors)]
    for index, column in enumerate(columns, start=1):
        yield f"  %{column}.from = getelementptr i64, ptr %length.from, i64 {index}"
        yield f"  %{column} = load ptr, ptr %{column}.from"
    arguments = [f"ptr %{column}" for column in columns]
    yield "  %is.last = icmp eq i64 %row, %row.last"
    yield "  %end = select i1 %is.last, i64 %end.last, i64 %length"
    yield f"  call void @{name}.range(i64 %begin, i64 %end, {', '.join(arguments)})"
    yield "  %row.next = add nuw i64 %row, 1"
    yield "  br i1 %is.last, label %done, label %loop"
    yield "done:"
    yield "  ret void"
    yield "}"


def _declarations(used: set[Op | None]) -> Iterator[str]:
    for op, (function, arity) in LIBRARY.items():
        if op in used:
            yield f"declare double @ruleonce.{function}({', '.join(['double'] * arity)}) #1"


def _suffix(computed: Format) -> str:
    return "f64" if computed is FLOAT64 else "f32"
