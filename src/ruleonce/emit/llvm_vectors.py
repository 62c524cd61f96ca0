"""The loop over vectors, for programs that divide by a number of the step (see llvm_division).

LLVM's vectorizer keeps no branch in its loops, and a division of this kind has one; so the vectors
are written out here. `<rule>.vectors` does as many elements of a run as fill vectors, and returns
where it stopped. What is left is for `<rule>.range`, and that is all where a divisor does not fit.
"""

from collections.abc import Iterator, Mapping

from ..formats import FLOAT64, Format
from ..language.graph import Node
from ..language.program import Pass
from . import llvm_division as division
from .llvm_division import Quotient
from .llvm_lanes import ONE, Lanes
from .llvm_memory import FLOATS, host_number, load, store
from .llvm_operations import LIBRARY, operand, operation
from .llvm_table import parameters
from .names import identifier, node_names

Formats = Mapping[str, Format]

_WORTH = 8  # vectors: to get ready for the loop takes the time that the first of them gain


def lanes_of(one: Pass, formats: Formats, computed: Format, fused: int) -> Lanes | None:
    """How many elements a vector has; None where vectors do not pay.

    Measured on Zen 4, once as it is and once compiled for AVX2: float32 gains nothing with the 16
    registers of AVX2, and nothing where results are rounded to 16 bits, which is then most of the
    work. A function of the C library takes one element at a time. Sums are left to LLVM.
    """
    divides = any(division.is_by_step_number(node) for node in one.body)
    calls = any(node.op in LIBRARY for node in one.body)
    rounds = any(formats[tensor].itemsize == 2 for tensor in one.written)
    wide = fused >= (256 if computed is FLOAT64 else 512)
    pays = divides and wide and not calls and not rounds and not one.sums
    return Lanes(fused // (8 * computed.itemsize)) if pays else None


def function(
    one: Pass, formats: Formats, computed: Format, lanes: Lanes, name: str
) -> Iterator[str]:
    """The lines of `<rule>.vectors`."""
    names = node_names(one, (*one.host, *one.body))
    divisions = [node for node in one.body if division.is_by_step_number(node)]
    fits = [f"%{names[node]}.fits" for node in divisions]
    all_fit, lines_of_fit = division.folded("and i1", "%range.fits", fits)
    yield f"define internal i64 @{name}.vectors({parameters(one)}) #2 {{"
    yield "range.entry:"
    yield "  %range.length = sub i64 %range.end, %range.begin"
    yield f"  %range.whole = and i64 %range.length, -{lanes.count}"
    yield "  %range.stop = add i64 %range.begin, %range.whole"
    yield f"  %range.many = icmp sge i64 %range.whole, {_WORTH * lanes.count}"
    yield "  br i1 %range.many, label %range.ready, label %range.done"
    yield "range.ready:"
    for line in (*_ready(one, divisions, names, computed, lanes), *lines_of_fit):
        yield f"  {line}"
    yield f"  br i1 {all_fit}, label %range.loop, label %range.done"
    yield "range.loop:"
    yield "  %range.i = phi i64 [ %range.begin, %range.ready ], [ %range.next, %range.stored ]"
    for line in _vector(one, names, formats, computed, lanes):
        yield line if line.endswith(":") else f"  {line}"
    yield "  br label %range.stored"
    yield "range.stored:"
    yield f"  %range.next = add nuw i64 %range.i, {lanes.count}"
    yield "  %range.more = icmp ult i64 %range.next, %range.stop"
    yield "  br i1 %range.more, label %range.loop, label %range.done"
    yield "range.done:"
    yield (
        "  %range.reached = phi i64 [ %range.begin, %range.entry ], [ %range.begin, %range.ready ],"
        " [ %range.stop, %range.stored ]"
    )
    yield "  ret i64 %range.reached"
    yield "}"
    yield ""


def declarations(computed: Format, lanes: Lanes) -> Iterator[str]:
    """What the function calls that `<rule>.range` does not, and its attributes: if it were inlined,
    LLVM would optimize it twice, which takes 5 ms.
    """
    number, suffix = lanes.of(FLOATS[computed]), lanes.suffix("f", 8 * computed.itemsize)
    for intrinsic in ("fabs", "sqrt"):
        yield f"declare {number} @llvm.{intrinsic}.{suffix}({number})"
    yield from division.declarations(computed, lanes)
    yield "attributes #2 = { noinline nounwind }"


def _ready(
    one: Pass,
    divisions: list[Node],
    names: Mapping[Node, str],
    computed: Format,
    lanes: Lanes,
) -> Iterator[str]:
    """Lines before the loop: the numbers of the host, and what the divisions need, in each lane."""
    number = FLOATS[computed]
    for index, node in enumerate(one.host, start=one.first_number):
        yield from host_number(index, names[node], node, computed)
        yield from lanes.spread(names[node], "i1" if node.kind == "truth" else number)
    for node in divisions:
        yield from division.ready(
            names[node], operand(node.args[1], names, computed, ONE), computed
        )
        for part in division.PARTS:
            yield from lanes.spread(f"{names[node]}.{part}", number)


def _vector(
    one: Pass,
    names: Mapping[Node, str],
    formats: Formats,
    computed: Format,
    lanes: Lanes,
) -> Iterator[str]:
    """The work on the vector at %range.i."""
    names = {**names, **{node: f"{names[node]}.all" for node in one.host}}
    for tensor in one.read:
        yield from load(identifier(tensor), formats[tensor], computed, lanes)
    for number, (divisions, others) in enumerate(division.rounds(one.body)):
        quotients = [
            Quotient(names[node], *(operand(arg, names, computed, lanes) for arg in node.args))
            for node in divisions
        ]
        if quotients:
            yield from division.quotients(quotients, f"quotients.{number}", computed, lanes)
        for node in others:
            yield from operation(node, names, computed, lanes)
    for tensor, node in one.written.items():
        value = operand(node, names, computed, lanes)
        yield from store(identifier(tensor), value, formats[tensor], computed, lanes)
