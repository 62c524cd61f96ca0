"""The loop over vectors: what LLVM's vectorizer does not do by itself.

It keeps no branch in its loops, and an exact division by a number of the step has one (see
llvm_division). And it asks for nothing ahead: processors wait for memory as long as only their own
prefetchers fetch, which stop at the end of each page. With what lies AHEAD asked for, a step of
Adam on 20 M elements took 10 ms instead of 12 (two processors of an Emerald Rapids, medians).

`<rule>.vectors` does as many elements of a run as fill vectors, and returns where it stopped. What
is left is for `<rule>.range`, and that is all where a divisor does not fit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..formats import FLOAT64, Format
from ..language.graph import Node, in_order
from ..language.program import Pass
from . import llvm_division as division
from .llvm_lanes import ONE, Lanes
from .llvm_memory import CACHE_LINE, FLOATS, STORED_AS, fetch, host_number, load
from .llvm_operations import LIBRARY, operand
from .llvm_packing import Packed, store_packed, together
from .llvm_work import closing, opening, operations
from .names import identifier, node_names
from .stages import roots_of

Formats = Mapping[str, Format]

_WORTH = 8  # vectors: to get ready for the loop takes the time that the first of them gain
AHEAD = 512  # elements


def lanes_of(one: Pass, computed: Format, fused: int) -> Lanes | None:
    """How many elements a vector has; None where there are none: a function of the C library takes
    one element at a time, and a pass may have nothing to do.
    """
    lanes = fused // (8 * computed.itemsize)
    calls = any(node.op in LIBRARY for node in one.body)
    return Lanes(lanes) if lanes and not calls and (one.written or one.sums) else None


@dataclass(frozen=True)
class Vectors:
    """What the lines of a loop over vectors are made from.

    names      of the values of the pass
    divisions  those that are done by multiplication
    """

    one: Pass
    formats: Formats
    computed: Format
    lanes: Lanes
    names: Mapping[Node, str]
    divisions: Sequence[Node]

    @classmethod
    def of(cls, one: Pass, formats: Formats, computed: Format, lanes: Lanes) -> "Vectors":
        """Those of a pass.

        Measured on Zen 4, once as it is and once compiled for AVX2: to multiply gains nothing with
        the 16 registers of AVX2 in float32.
        """
        names = node_names(one, (*one.host, *one.body))
        wide = lanes.count * computed.itemsize >= (32 if computed is FLOAT64 else 64)
        divisions = [node for node in one.body if division.is_by_step_number(node)]
        return cls(one, formats, computed, lanes, names, divisions if wide else ())

    @property
    def fit(self) -> tuple[str, list[str]]:
        """Whether the loop can be used, and the lines that find out."""
        if not self.divisions:
            return "true", []
        fits = [f"%{self.names[node]}.fits" for node in self.divisions]
        return division.folded("and i1", "%range.fits", fits)

    def ready(self) -> Iterator[str]:
        """Lines before the loop: the numbers of the host, and what divisions need, in each lane."""
        number = FLOATS[self.computed]
        for index, node in enumerate(self.one.host, start=self.one.first_number):
            name = self.names[node]
            yield from host_number(index, name, node, self.computed)
            yield from self.lanes.spread(name, "i1" if node.kind == "truth" else number)
        for node in self.divisions:
            name = self.names[node]
            divisor = operand(node.args[1], self.names, self.computed, ONE)
            yield from division.ready(name, divisor, self.computed)
            for part in division.PARTS:
                yield from self.lanes.spread(f"{name}.{part}", number)
        yield from self.fit[1]

    def names_in(self, stream: str) -> dict[Node, str]:
        """What values are called in the loop; `stream` tells apart what is done several times."""
        host = set(self.one.host)
        return {
            node: f"{name}.all" if node in host else f"{name}{stream}"
            for node, name in ({**self.names, **self._leaves}).items()
        }

    def work(
        self, packed: dict[str, Packed], *, stream: str = "", ahead: int = AHEAD, first: int = 0
    ) -> Iterator[str]:
        """The work on the vector at %range.i, counted from %<tensor><stream>.at; what is to be
        written goes to `packed`.

        first   the place of its first element among those that are gone through together
        """
        names = self.names_in(stream)
        for tensor in self.one.read:
            name, form = f"{identifier(tensor)}{stream}", self.formats[tensor]
            yield from load(name, form, self.computed, self.lanes)
            if first * form.itemsize % CACHE_LINE == 0:
                yield from fetch(name, form, ahead)
        yield from operations(
            self.one.body,
            names,
            self.names,
            self.computed,
            self.lanes,
            f"quotients{stream}",
            multiplies=bool(self.divisions),
        )
        for tensor, node in self.one.written.items():
            value, name = operand(node, names, self.computed, self.lanes), identifier(tensor)
            one = packed.setdefault(f"{name}.packed", Packed(node, self.formats[tensor]))
            one.add(value, f"{name}{stream}", "%range.i")

    @property
    def _leaves(self) -> dict[Node, str]:
        return {
            node: identifier(node.name)
            for node in in_order(roots_of(self.one))
            if node.name in self.one.read and node.name is not None
        }


def function(
    one: Pass, formats: Formats, computed: Format, lanes: Lanes, name: str
) -> Iterator[str]:
    """The lines of `<rule>.vectors`."""
    vectors = Vectors.of(one, formats, computed, lanes)
    count = max((together(formats[tensor], computed) for tensor in one.written), default=1)
    streams = [f".{place}" if count > 1 else "" for place in range(count)]
    yield from opening(one, name, count * lanes.count, _WORTH * lanes.count)
    yield from (f"  {line}" for line in vectors.ready())
    for place, stream in enumerate(streams):
        yield from begin_of_stream(one, formats, stream, place * lanes.count)
    yield f"  br i1 {vectors.fit[0]}, label %range.loop, label %range.done"
    yield "range.loop:"
    yield "  %range.i = phi i64 [ %range.begin, %range.ready ], [ %range.next, %range.stored ]"
    packed: dict[str, Packed] = {}
    for place, stream in enumerate(streams):
        for line in vectors.work(packed, stream=stream, first=place * lanes.count):
            yield line if line.endswith(":") else f"  {line}"
    for prefix, written in packed.items():
        yield from (f"  {line}" for line in store_packed(prefix, written, computed, lanes))
    yield "  br label %range.stored"
    yield "range.stored:"
    yield f"  %range.next = add nuw i64 %range.i, {count * lanes.count}"
    yield "  %range.more = icmp ult i64 %range.next, %range.stop"
    yield "  br i1 %range.more, label %range.loop, label %range.done"
    yield from closing()


def begin_of_stream(one: Pass, formats: Formats, stream: str, begin: int) -> Iterator[str]:
    """Where a stream with a name begins in each tensor: so many elements behind the first."""
    for tensor in {**dict.fromkeys(one.read), **one.written} if stream else ():
        name, kept = identifier(tensor), STORED_AS[formats[tensor]]
        yield f"  %{name}{stream}.at = getelementptr {kept}, ptr %{name}.at, i64 {begin}"


def declarations(computed: Format, lanes: Lanes) -> Iterator[str]:
    """What the function calls that `<rule>.range` does not, and its attributes: if it were inlined,
    LLVM would optimize it twice, which takes 5 ms.
    """
    number, suffix = lanes.of(FLOATS[computed]), lanes.suffix("f", 8 * computed.itemsize)
    for intrinsic in ("fabs", "sqrt"):
        yield f"declare {number} @llvm.{intrinsic}.{suffix}({number})"
    yield "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"
    yield from division.declarations(computed, lanes)
    yield "attributes #2 = { noinline nounwind }"
