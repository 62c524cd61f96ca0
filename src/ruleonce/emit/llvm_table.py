"""The function of a kernel that is called: it walks the rows of a job (see llvm)."""

from collections.abc import Iterator

from ..language.program import Pass, Program
from .names import identifier


def width(program: Program) -> int:
    """How many columns the table has."""
    return 2 + len(program.tensors) + bool(program.sum_count)


def parameters(one: Pass) -> str:
    """Those of the functions that do a run of one tensor: where it begins and ends, where the
    numbers of the host are, the tensors, and where sums go.
    """
    pointers = "".join(f", ptr noalias %{identifier(x)}.at" for x in one.tensors)
    sums = ", ptr noalias %range.sums" if one.program.sum_count else ""
    return f"i64 %range.begin, i64 %range.end, ptr %range.host{pointers}{sums}"


def table_walk(one: Pass, name: str, *, has_vectors: bool) -> Iterator[str]:
    """The lines of `<rule>`. What is left of a tensor after its vectors goes to `<rule>.range`."""
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
    yield f"  %place = mul nuw i64 %row, {width(one.program)}"
    yield "  %length.from = getelementptr i64, ptr %table, i64 %place"
    yield "  %length = load i64, ptr %length.from"
    columns = ["host", *(f"{identifier(tensor)}.at" for tensor in one.tensors)]
    columns += ["range.sums"] if one.program.sum_count else []
    for index, column in enumerate(columns, start=1):
        yield f"  %{column}.from = getelementptr i64, ptr %length.from, i64 {index}"
        yield f"  %{column} = load ptr, ptr %{column}.from"
    arguments = ", ".join(f"ptr %{column}" for column in columns)
    yield "  %is.last = icmp eq i64 %row, %row.last"
    yield "  %end = select i1 %is.last, i64 %end.last, i64 %length"
    if has_vectors:
        yield f"  %rest = call i64 @{name}.vectors(i64 %begin, i64 %end, {arguments})"
    rest = "%rest" if has_vectors else "%begin"
    yield f"  call void @{name}.range(i64 {rest}, i64 %end, {arguments})"
    yield "  %row.next = add nuw i64 %row, 1"
    yield "  br i1 %is.last, label %done, label %loop"
    yield "done:"
    yield "  ret void"
    yield "}"
