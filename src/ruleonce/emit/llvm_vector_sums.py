"""The loop over vectors of a pass that adds up: whole blocks of elements (see llvm_sums).

A pass that only reads, and reads little, goes through a block in several streams at once, each a
part of the block: one stream of 4 bytes an element does not keep enough of memory at work. Two
processors of an Emerald Rapids read the 80 MB of 20 M gradients in 5.1 ms in one stream, and in 2.2
in four with the next block asked for.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from ..formats import FLOAT64, Format
from ..language import ops
from ..language.graph import Node
from ..language.program import Pass
from . import llvm_sums as sums
from .llvm_lanes import Lanes
from .llvm_memory import FLOATS
from .llvm_operations import operand
from .llvm_packing import Packed, store_packed
from .llvm_vectors import AHEAD, Vectors, begin_of_stream
from .llvm_work import closing, opening

Formats = Mapping[str, Format]

_STREAMS = 4  # of tensors that are read at once


def function(
    one: Pass, formats: Formats, computed: Format, lanes: Lanes, name: str
) -> Iterator[str]:
    """The lines of `<rule>.vectors`, which stops where the last whole block ends."""
    block = sums.BLOCK
    vectors = Vectors.of(one, formats, computed, lanes)
    streams = _streams(one)
    yield from opening(one, name, block, block)
    for place, stream in enumerate(streams):
        yield from begin_of_stream(one, formats, stream, place * block // len(streams))
    yield from (f"  {line}" for line in vectors.ready())
    yield f"  br i1 {vectors.fit[0]}, label %range.block, label %range.done"
    yield "range.block:"
    yield "  %block.begin = phi i64 [ %range.begin, %range.ready ], [ %block.end, %range.stored ]"
    yield f"  %block.end = add nuw i64 %block.begin, {block}"
    yield f"  %stream.end = add nuw i64 %block.begin, {block // len(streams)}"
    yield "  br label %range.loop"
    yield "range.loop:"
    yield "  %range.i = phi i64 [ %block.begin, %range.block ], [ %range.next, %range.last ]"
    adders = [_Adder(place, node, computed, lanes) for place, node in enumerate(one.sums)]
    for stream in streams:
        for adder in adders:
            yield from (f"  {line}" for line in adder.begin(stream))
    packed: dict[str, Packed] = {}
    for stream in streams:
        for line in vectors.work(packed, stream=stream, ahead=block if streams[1:] else AHEAD):
            yield line if line.endswith(":") else f"  {line}"
        names = vectors.names_in(stream)
        for adder in adders:
            yield from (f"  {line}" for line in adder.add(stream, names))
    for prefix, written in packed.items():
        yield from (f"  {line}" for line in store_packed(prefix, written, computed, lanes))
    yield "  br label %range.last"
    yield "range.last:"
    yield f"  %range.next = add nuw i64 %range.i, {lanes.count}"
    yield "  %range.more = icmp ult i64 %range.next, %stream.end"
    yield "  br i1 %range.more, label %range.loop, label %range.stored"
    yield "range.stored:"
    yield f"  %block.number = lshr i64 %block.begin, {block.bit_length() - 1}"
    for adder in adders:
        yield from (f"  {line}" for line in adder.end(streams))
    totals = [adder.total for adder in adders]
    yield from (f"  {line}" for line in sums.stored(one, totals))
    yield "  %block.more = icmp ult i64 %block.end, %range.stop"
    yield "  br i1 %block.more, label %range.block, label %range.done"
    yield from closing()


def _streams(one: Pass) -> list[str]:
    """What the names in each stream end in."""
    count = 1 if one.written else max(1, _STREAMS // max(1, len(one.read)))
    count = 1 << (count.bit_length() - 1)
    return [""] if count == 1 else [f".s{place}" for place in range(count)]


class _Adder:
    """One sum: what it has come to, in one vector or in two halves of one.

    total   the name of the sum of a block, float64, after `end`
    """

    def __init__(self, place: int, node: Node, computed: Format, lanes: Lanes) -> None:
        self._name, self._node = f"%range.sum{place}", node
        self._computed, self._lanes = computed, lanes
        self._kind = sums.added_in(node, computed)
        self._is_wide = self._kind == "double" and computed is not FLOAT64
        self._halves = [0, 1] if self._is_wide else [0]
        self._own = Lanes(lanes.count // len(self._halves))
        self.total = f"{self._name}.total"

    def begin(self, stream: str) -> Iterator[str]:
        kind = self._own.of(self._kind)
        for half in self._halves:
            name = f"{self._name}{stream}.{half}"
            yield (
                f"{name} = phi {kind} [ zeroinitializer, %range.block ], "
                f"[ {name}.next, %range.last ]"
            )

    def add(self, stream: str, names: Mapping[Node, str]) -> Iterator[str]:
        """What the elements of a vector add. A product of two float32 is exact in float64, so there
        it is the same whether it is rounded before it is added or not.
        """
        values = [
            operand(arg, names, self._computed, self._lanes)
            for arg in (self._node.args if self._kind == "double" else self._node.args[:1])
        ]
        kind = self._own.of(self._kind)
        for half in self._halves:
            name = f"{self._name}{stream}.{half}"
            parts = []
            for place, value in enumerate(values):
                part = value
                if self._is_wide:
                    part = f"{name}.wide{place}"
                    yield from self._widened(value, half, part)
                parts.append(part)
            if self._node.op is not ops.DOT:
                yield f"{name}.next = fadd {kind} {name}, {parts[0]}"
            elif self._is_wide:
                fma = f"@llvm.fma.{self._own.suffix('f', 64)}"
                terms = ", ".join(f"{kind} {x}" for x in (*parts, name))
                yield f"{name}.next = call {kind} {fma}({terms})"
            else:
                yield f"{name}.product = fmul {kind} {parts[0]}, {parts[1]}"
                yield f"{name}.next = fadd {kind} {name}, {name}.product"

    def _widened(self, value: str, half: int, name: str) -> Iterator[str]:
        """One half of a vector of float32, in float64."""
        whole, part = self._lanes.of("float"), self._own.of("float")
        first = half * self._own.count
        places = ", ".join(f"i32 {place}" for place in range(first, first + self._own.count))
        mask = f"{self._own.of('i32')} <{places}>"
        yield f"{name}.half = shufflevector {whole} {value}, {whole} poison, {mask}"
        yield f"{name} = fpext {part} {name}.half to {self._own.of('double')}"

    def end(self, streams: list[str]) -> Iterator[str]:
        """Add up the vectors, then their lanes in a tree."""
        kind = self._own.of(self._kind)
        found = [f"{self._name}{stream}.{half}.next" for stream in streams for half in self._halves]
        last = found[0]
        for number, (_, other) in enumerate(pairwise(found)):
            yield f"{self._name}.all{number} = fadd {kind} {last}, {other}"
            last = f"{self._name}.all{number}"
        count = self._own.count
        while count > 1:
            lanes, half = Lanes(count), Lanes(count // 2)
            whole, part = lanes.of(self._kind), half.of(self._kind)
            for side, first in (("low", 0), ("high", half.count)):
                places = [f"i32 {place}" for place in range(first, first + half.count)]
                where = f"{self._name}.{side}{half.count}"
                if half.count == 1:
                    yield f"{where} = extractelement {whole} {last}, {places[0]}"
                else:
                    mask = f"{half.of('i32')} <{', '.join(places)}>"
                    yield f"{where} = shufflevector {whole} {last}, {whole} poison, {mask}"
            added = f"{self._name}.of{half.count}"
            low, high = f"{self._name}.low{half.count}", f"{self._name}.high{half.count}"
            yield f"{added} = fadd {part} {low}, {high}"
            last, count = added, half.count
        if self._kind == "double":
            yield f"{self.total} = fadd double {last}, -0.0"  # a name for what is there
        else:
            yield f"{self.total} = fpext float {last} to double"


def declarations(computed: Format, lanes: Lanes) -> Iterator[str]:
    """What the function calls beside what that without sums does."""
    if computed is not FLOAT64:
        half = Lanes(lanes.count // 2)
        kind = half.of(FLOATS[FLOAT64])
        yield f"declare {kind} @llvm.fma.{half.suffix('f', 64)}({kind}, {kind}, {kind})"
