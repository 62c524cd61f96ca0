"""What loops over vectors have in common: how a function begins and ends, and its operations."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ..formats import Format
from ..language.graph import Node
from ..language.program import Pass
from . import llvm_division as division
from .llvm_division import Quotient
from .llvm_lanes import Lanes
from .llvm_operations import operand, operation
from .llvm_table import parameters


def opening(
    one: Pass, name: str, unit: int, least: int, memory: Iterable[str] = ()
) -> Iterator[str]:
    """The lines of `<rule>.vectors` up to %range.ready. It does as many elements as fill units,
    from %range.begin up to %range.stop; none where these are fewer than `least`.

    memory   lines that come first
    """
    yield f"define internal i64 @{name}.vectors({parameters(one)}) #2 {{"
    yield "range.entry:"
    yield from memory
    yield "  %range.length = sub i64 %range.end, %range.begin"
    yield f"  %range.whole = and i64 %range.length, -{unit}"
    yield "  %range.stop = add i64 %range.begin, %range.whole"
    yield f"  %range.many = icmp sge i64 %range.whole, {least}"
    yield "  br i1 %range.many, label %range.ready, label %range.done"
    yield "range.ready:"


def closing() -> Iterator[str]:
    """The lines from %range.done on: the function returns where it stopped."""
    yield "range.done:"
    yield (
        "  %range.reached = phi i64 [ %range.begin, %range.entry ], [ %range.begin, %range.ready ],"
        " [ %range.stop, %range.stored ]"
    )
    yield "  ret i64 %range.reached"
    yield "}"
    yield ""


def operations(
    body: Sequence[Node],
    names: Mapping[Node, str],
    ready: Mapping[Node, str],
    computed: Format,
    lanes: Lanes,
    prefix: str,
    *,
    multiplies: bool,
    cut: Collection[Node] = (),
) -> Iterator[str]:
    """The lines of the operations on elements.

    names       what values are called here
    ready       what the divisors were called when they were made ready, see llvm_division
    prefix      of the names that belong to no single value
    multiplies  whether divisions by a number of the step are products
    cut         whole numbers of which only the lower bits are looked at
    """
    rounds = division.rounds(body) if multiplies else [([], list(body))]
    for number, (divisions, others) in enumerate(rounds):
        quotients = [
            Quotient(
                names[node],
                operand(node.args[0], names, computed, lanes),
                operand(node.args[1], names, computed, lanes),
                ready[node],
            )
            for node in divisions
        ]
        if quotients:
            yield from division.quotients(quotients, f"{prefix}.{number}", computed, lanes)
        for node in others:
            yield from operation(node, names, computed, lanes, is_cut=node in cut)
