"""One loop over the elements of a block, or of two: each stage in it is of one block."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..language import bits
from ..language.graph import Node
from . import llvm_sums as sums
from .llvm_lanes import ONE
from .llvm_memory import FLOATS, element_number, load
from .llvm_operations import number_type, operand
from .llvm_packing import Packed, store_packed
from .llvm_work import operations
from .names import identifier
from .stages import Stage

if TYPE_CHECKING:
    from .llvm_stages import Stages

_STREAMS = 4  # vectors that are gone through together: so many of 32 bits fill one of 8 bits


@dataclass(frozen=True)
class Part:
    """A stage in a loop.

    behind   how far the block that it is of lies behind that which is counted, if it does
    """

    function: "Stages"
    stage: Stage
    behind: str = ""

    def tag(self, prefix: str, stream: int) -> str:
        """What makes the names of one vector in a loop its own."""
        return f"{prefix}{self.stage.number}.{stream}"


def loop(parts: Sequence[Part], prefix: str, label: str, *, fetches: bool = False) -> Iterator[str]:
    """The lines of a loop, from behind `label` to <prefix>.done.

    fetches   whether it asks memory for what lies ahead. Where a loop does, LLVM does not look for
              values that one time through could hand to the next: that took it 10 ms.
    """
    function, at = parts[0].function, f"%{prefix}.i"
    lanes, adders = function.lanes, [adder for part in parts for adder in _adders(part)]
    count = 1 if lanes is ONE else min(_STREAMS, function.one.program.block // lanes.count)
    yield f"  br label %{prefix}.loop"
    yield f"{prefix}.loop:"
    yield f"  {at} = phi i64 [ {function.begin}, %{label} ], [ %{prefix}.next, %{prefix}.stored ]"
    yield from _carried(parts, prefix, label)
    if fetches:
        yield from function.ahead(at, count * lanes.count)
    for line in _vectors(parts, prefix, count):
        yield line if line.endswith(":") else f"  {line}"
    for place, node in adders:
        names = function.names_in_loop(parts[0].stage, parts[0].tag(prefix, 0))
        for line in sums.summand(place, node, names, function.computed):
            yield f"  {line}"
        kind, total = sums.added_in(node, function.computed), f"%range.sum{place}"
        yield f"  {total}.next = fadd reassoc {kind} {total}, %range.summand{place}"
    yield f"  br label %{prefix}.stored"
    yield f"{prefix}.stored:"
    yield f"  %{prefix}.next = add nuw i64 {at}, {count * lanes.count}"
    yield f"  %{prefix}.more = icmp ult i64 %{prefix}.next, {function.end}"
    yield f"  br i1 %{prefix}.more, label %{prefix}.loop, label %{prefix}.done"
    yield f"{prefix}.done:"
    for place, node in adders:
        total = f"%range.sum{place}.next"
        if sums.added_in(node, function.computed) != "double":
            yield f"  {total}.wide = fpext float {total} to double"
            total = f"{total}.wide"
        yield f"  %sum{place}.before = load double, ptr %sum{place}.at"
        yield f"  %sum{place}.after = fadd double %sum{place}.before, {total}"
        yield f"  store double %sum{place}.after, ptr %sum{place}.at"


def _carried(parts: Sequence[Part], prefix: str, label: str) -> Iterator[str]:
    """What goes from one time through to the next: the largest so far, and sums."""
    for part in parts:
        function, last = part.function, f"{prefix}.stored"
        whole, zero = function.lanes.of(function.whole), function.lanes.all(function.whole, "0")
        for node in part.stage.largest:
            name = f"%{function.names[node]}"
            yield f"  {name}.most = phi {whole} [ {zero}, %{label} ], [ {name}.more, %{last} ]"
        for place, node in _adders(part):
            kind, total = sums.added_in(node, function.computed), f"%range.sum{place}"
            yield f"  {total} = phi {kind} [ 0.0, %{label} ], [ {total}.next, %{last} ]"


def _vectors(parts: Sequence[Part], prefix: str, count: int) -> Iterator[str]:
    """The work on so many vectors, one after another; what is packed is written at the end."""
    packed: dict[str, Packed] = {}
    lanes, computed = parts[0].function.lanes, parts[0].function.computed
    for stream in range(count):
        at = f"%{prefix}.i"
        if stream:
            yield f"{at}.{stream} = add nuw i64 {at}, {stream * lanes.count}"
            at = f"{at}.{stream}"
        for part in parts:
            yield from _elements(part, prefix, stream, at, packed)
            for node in part.stage.largest:
                name = f"%{part.function.names[node]}"
                most = f"{name}.more.{stream - 1}" if stream else f"{name}.most"
                more = f"{name}.more" if stream == count - 1 else f"{name}.more.{stream}"
                yield from _larger(part, node, part.tag(prefix, stream), most, more)
    for name, one in packed.items():
        yield from store_packed(name, one, computed, lanes)


def _adders(part: Part) -> list[tuple[int, Node]]:
    """The sums that a stage makes, and their places among all."""
    return [
        (place, node)
        for place, node in enumerate(part.function.one.sums)
        if node.args[0].stage == part.stage.number
    ]


def _elements(
    part: Part, prefix: str, stream: int, at: str, packed: dict[str, Packed]
) -> Iterator[str]:
    """The work of a stage on the vector at `at`."""
    function, stage, tag = part.function, part.stage, part.tag(prefix, stream)
    lanes, computed = function.lanes, function.computed
    names = function.names_in_loop(stage, tag)
    if part.behind:
        yield f"%{tag}.at = sub nuw i64 {at}, {part.behind}"
        at = f"%{tag}.at"
    if stage.earlier or any(node in stage.elements for node in function.waiting):
        # What is gone through together lies together, also where memory is begun anew.
        first = f"%{part.tag(prefix, 0)}.place"
        if stream:
            yield f"%{tag}.place = add nuw i64 {first}, {stream * lanes.count}"
        else:
            yield f"{first} = and i64 {at}, {function.room - 1}"
    for node in stage.earlier:
        kind = number_type(node, computed)
        kept = f"%{names[node]}.kept"
        yield f"{kept} = getelementptr {kind}, ptr %{function.names[node]}.kept, i64 %{tag}.place"
        yield f"%{names[node]} = load {lanes.of(kind)}, ptr {kept}, align 4"
    for node in stage.elements:
        if node.name == bits.INDEX:
            yield from element_number(at, lanes, names[node])
        elif node.op is None:
            tensor, name = str(node.name), names[node]
            yield f"%{name}.at = getelementptr i8, ptr %{identifier(tensor)}.at, i64 0"
            yield from load(name, function.formats[tensor], computed, lanes, at)
    yield from operations(
        [node for node in stage.elements if node.op is not None],
        names,
        function.names,
        computed,
        lanes,
        f"{tag}.quotients",
        multiplies=lanes is not ONE,
        cut=function.cut,
    )
    yield from _results(part, tag, names, at, packed)


def _results(
    part: Part, tag: str, names: Mapping[Node, str], at: str, packed: dict[str, Packed]
) -> Iterator[str]:
    """What is written to tensors, or is to be with that of other vectors; and what waits for later
    stages.
    """
    function, stage = part.function, part.stage
    lanes, computed = function.lanes, function.computed
    for tensor, node in function.one.written.items():
        if not function.is_of_block(tensor) and node.stage == stage.number:
            value, name = operand(node, names, computed, lanes), f"{identifier(tensor)}.new.{tag}"
            yield f"%{name}.at = getelementptr i8, ptr %{identifier(tensor)}.at, i64 0"
            one = packed.setdefault(name.rpartition(".")[0], Packed(node, function.formats[tensor]))
            one.add(value, name, at)
    for node in function.waiting:
        if node in stage.elements:
            kind, value = number_type(node, computed), operand(node, names, computed, lanes)
            kept = f"%{names[node]}.kept"
            yield (
                f"{kept} = getelementptr {kind}, ptr %{function.names[node]}.kept, i64 %{tag}.place"
            )
            yield f"store {lanes.of(kind)} {value}, ptr {kept}, align 4"


def _larger(part: Part, node: Node, tag: str, most: str, more: str) -> Iterator[str]:
    """Magnitudes are ordered as their bits are, and nan is above all."""
    function, width = part.function, 8 * part.function.computed.itemsize
    name, lanes = f"{function.names[node]}.{tag}", function.lanes
    whole, number = lanes.of(function.whole), lanes.of(FLOATS[function.computed])
    names = function.names_in_loop(part.stage, tag)
    value = operand(node.args[0], names, function.computed, lanes)
    mask = lanes.all(function.whole, str((1 << (width - 1)) - 1))
    yield f"%{name}.bits = bitcast {number} {value} to {whole}"
    yield f"%{name}.size = and {whole} %{name}.bits, {mask}"
    largest = f"@llvm.umax.{lanes.suffix('i', width)}"
    yield f"{more} = call {whole} {largest}({whole} {most}, {whole} %{name}.size)"
