"""What is done between two passes, as LLVM IR: sums of blocks to sums of tensors, and from them the
numbers of the next pass. It is in float64, and NumPy would take longer for it than a small step.

Each function takes the address of a job, 64-bit integers; JOB names them. What is said of tensors
stands row after row, a row for each tensor:

    <rule>_sums<k>      adds up the blocks of the sums that pass k has made
    <rule>_shares<k>    what the tensors add to each total that is known after pass k
    <rule>_learn<k>     the numbers of pass k, from the sums and the totals before it; after the
                        last of them all of the measured scalar state is known
"""

from collections.abc import Iterable, Iterator, Mapping

from ..formats import FLOAT64
from ..language import ops
from ..language.graph import Node
from ..language.program import Pass, Program
from .llvm_lanes import ONE
from .llvm_memory import host_number
from .llvm_operations import operand, operation
from .names import identifier, node_names

# count   of tensors
# rows    int64: which row of `known` belongs to a tensor
# known   the numbers of Program.host; `sizes`, `starts`, `counts` (int64 but for the sizes): how
#         many elements a tensor has, where its blocks begin in `partial`, and how many they are
# sums    [tensors, Program.sum_count]; `totals` are one number each, in the order of totals_of,
#         after each other for all levels, and `shares` likewise
# numbers [tensors, Program.number_count]; `scalars` [tensors, len(Program.measured_scalars)]
JOB = (
    "count", "rows", "known", "sizes", "starts", "counts", "partial", "sums", "totals", "shares",
    "numbers", "scalars",
)  # fmt: skip


def totals_of(program: Program) -> tuple[Node, ...]:
    """The totals of a program, those of the first level first."""
    found = [node for node in program.measured if node.op is ops.TOTAL]
    return tuple(sorted(found, key=lambda node: node.level))


def functions(program: Program) -> Iterator[str]:
    """The lines of all of them."""
    for one in program.passes:
        if one.sums:
            yield from _sums(one)
            yield ""
        if len(program.passes) > 1:
            yield from _learn(one)
            yield ""
        if any(node.level == one.number + 1 for node in totals_of(program)):
            yield from _shares(one)
            yield ""


def used(program: Program) -> set[object]:
    """The operations in them."""
    return {node.op for node in program.measured}


def _sums(one: Pass) -> Iterator[str]:
    width = one.program.sum_count
    yield from _begin(f"{identifier(one.program.name)}_sums{one.number}")
    yield from _at("starts", "i64", "%tensor")
    yield "  %first = load i64, ptr %starts.at"
    yield from _at("counts", "i64", "%tensor")
    yield "  %blocks = load i64, ptr %counts.at"
    yield "  %some = icmp sgt i64 %blocks, 0"
    yield "  br i1 %some, label %block, label %added"
    yield "block:"
    yield "  %number = phi i64 [ 0, %tensor.loop ], [ %number.next, %block ]"
    for place in range(len(one.sums)):
        yield f"  %sum{place} = phi double [ 0.0, %tensor.loop ], [ %sum{place}.next, %block ]"
    yield "  %row = add i64 %first, %number"
    yield f"  %row.from = mul i64 %row, {width}"
    for place in range(len(one.sums)):
        yield f"  %at{place} = add i64 %row.from, {one.first_sum + place}"
        yield f"  %part{place}.at = getelementptr double, ptr %partial, i64 %at{place}"
        yield f"  %part{place} = load double, ptr %part{place}.at"
        yield f"  %sum{place}.next = fadd double %sum{place}, %part{place}"
    yield "  %number.next = add i64 %number, 1"
    yield "  %more = icmp slt i64 %number.next, %blocks"
    yield "  br i1 %more, label %block, label %added"
    yield "added:"
    for place in range(len(one.sums)):
        yield (
            f"  %sum{place}.all = phi double [ 0.0, %tensor.loop ], [ %sum{place}.next, %block ]"
        )
    yield f"  %to = mul i64 %tensor, {width}"
    for place in range(len(one.sums)):
        yield f"  %to{place} = add i64 %to, {one.first_sum + place}"
        yield f"  %to{place}.at = getelementptr double, ptr %sums, i64 %to{place}"
        yield f"  store double %sum{place}.all, ptr %to{place}.at"
    yield from _END
    yield "  ret void"
    yield "}"


def _shares(one: Pass) -> Iterator[str]:
    program = one.program
    known = totals_of(program)
    mine = [node for node in known if node.level == one.number + 1]
    yield from _begin(f"{identifier(program.name)}_shares{one.number}", sums=len(mine))
    names, lines = _values(program, [node.args[0] for node in mine])
    yield from lines
    for place, node in enumerate(mine):
        value = operand(node.args[0], names, FLOAT64, ONE)
        yield f"  %carried{place}.next = fadd double %carried{place}, {value}"
    yield from _END
    for place in range(len(mine)):
        yield f"  %share{place} = phi double [ 0.0, %entry ], [ %carried{place}.next, %tensor.end ]"
    for place, node in enumerate(mine):
        at = f"%share{place}.at"
        yield f"  {at} = getelementptr double, ptr %shares, i64 {known.index(node)}"
        yield f"  store double %share{place}, ptr {at}"
    yield "  ret void"
    yield "}"


def _learn(one: Pass) -> Iterator[str]:
    program = one.program
    is_last = one is program.passes[-1]
    scalars = [program.scalars[name] for name in program.measured_scalars] if is_last else []
    yield from _begin(f"{identifier(program.name)}_learn{one.number}")
    names, lines = _values(program, [*one.host, *scalars])
    yield from lines
    for place, node in enumerate(one.host, start=one.first_number):
        yield from _stored("numbers", program.number_count, place, node, names)
    for place, node in enumerate(scalars):
        yield from _stored("scalars", len(scalars), place, node, names)
    yield from _END
    yield "  ret void"
    yield "}"


def _stored(
    where: str, width: int, place: int, node: Node, names: Mapping[Node, str]
) -> Iterator[str]:
    value, to = operand(node, names, FLOAT64, ONE), f"%{where}.to{place}"
    if node.kind == "truth":
        yield f"  {to}.truth = uitofp i1 {value} to double"
        value = f"{to}.truth"
    elif node.kind == "integer":
        yield f"  {to}.whole = sitofp i32 {value} to double"
        value = f"{to}.whole"
    yield f"  {to}.row = mul i64 %tensor, {width}"
    yield f"  {to}.place = add i64 {to}.row, {place}"
    yield f"  {to}.at = getelementptr double, ptr %{where}, i64 {to}.place"
    yield f"  store double {value}, ptr {to}.at"


def _values(program: Program, wanted: Iterable[Node]) -> tuple[dict[Node, str], list[str]]:
    """The names of the numbers that are wanted, and the lines that compute them for %tensor."""
    nodes = _down_from(program, wanted)
    # An author's own name may be that of a part of the job.
    names = {node: f"value.{name}" for node, name in node_names(program, nodes).items()}
    sums = {
        node: one.first_sum + place for one in program.passes for place, node in enumerate(one.sums)
    }
    totals = {node: place for place, node in enumerate(totals_of(program))}
    lines = [
        *_at("rows", "i64", "%tensor"),
        "  %known.row = load i64, ptr %rows.at",
        f"  %known.place = mul i64 %known.row, {max(1, len(program.host))}",
        "  %range.host = getelementptr double, ptr %known, i64 %known.place",
        f"  %sums.row = mul i64 %tensor, {program.sum_count}",
    ]
    for node in nodes:
        name = names[node]
        if node in program.host:
            index = program.host.index(node)
            lines += [f"  {line}" for line in host_number(index, name, node, FLOAT64)]
        elif node in sums:
            lines += [
                f"  %{name}.place = add i64 %sums.row, {sums[node]}",
                f"  %{name}.at = getelementptr double, ptr %sums, i64 %{name}.place",
                f"  %{name} = load double, ptr %{name}.at",
            ]
        elif node in totals:
            lines += [
                f"  %{name}.at = getelementptr double, ptr %totals, i64 {totals[node]}",
                f"  %{name} = load double, ptr %{name}.at",
            ]
        elif node.op is ops.SIZE:
            lines += [
                f"  %{name}.at = getelementptr double, ptr %sizes, i64 %tensor",
                f"  %{name} = load double, ptr %{name}.at",
            ]
        else:
            lines += [f"  {line}" for line in operation(node, names, FLOAT64, ONE)]
    return names, lines


def _down_from(program: Program, wanted: Iterable[Node]) -> tuple[Node, ...]:
    """The numbers that these are made of, and themselves, each after its operands."""
    found: set[Node] = set()
    open_ = [node for node in wanted if not node.is_constant]
    ends = {ops.SUM, ops.DOT, ops.SIZE, ops.TOTAL}
    while open_:
        node = open_.pop()
        if node not in found:
            found.add(node)
            if node not in program.host and node.op not in ends:
                open_ += [arg for arg in node.args if not arg.is_constant]
    return tuple(node for node in (*program.host, *program.measured) if node in found)


def _begin(name: str, sums: int = 0) -> Iterator[str]:
    """The head of a function, and of its loop over the tensors; it carries so many sums."""
    yield f"define void @{name}(ptr %job) #0 {{"
    yield "entry:"
    for place, field in enumerate(JOB):
        kind = "i64" if field == "count" else "ptr"
        yield f"  %{field}.from = getelementptr i64, ptr %job, i64 {place}"
        yield f"  %{field} = load {kind}, ptr %{field}.from"
    yield "  %any = icmp sgt i64 %count, 0"
    yield "  br i1 %any, label %tensor.loop, label %done"
    yield "tensor.loop:"
    yield "  %tensor = phi i64 [ 0, %entry ], [ %tensor.next, %tensor.end ]"
    for place in range(sums):
        yield (
            f"  %carried{place} = phi double [ 0.0, %entry ], [ %carried{place}.next, %tensor.end ]"
        )


_END = (
    "  br label %tensor.end",
    "tensor.end:",
    "  %tensor.next = add nuw i64 %tensor, 1",
    "  %tensor.more = icmp slt i64 %tensor.next, %count",
    "  br i1 %tensor.more, label %tensor.loop, label %done",
    "done:",
)


def _at(field: str, kind: str, index: str) -> list[str]:
    return [f"  %{field}.at = getelementptr {kind}, ptr %{field}, i64 {index}"]
