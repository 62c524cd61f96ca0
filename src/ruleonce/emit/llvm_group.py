"""The numbers of several blocks at once, one block in each lane.

Between the stages of a block stand its largest element and what is made of that, such as a scale
and its reciprocal: some 40 operations (AdamW with two states in 8 bits), most of them on a single
number, where each of the 8 vectors of the block takes 45 to 55. So the largest of four blocks are
found together, and each number is computed once for the four.

What a loop over elements needs of a number stands in memory, one for each block, and is spread over
the lanes as it is loaded: a processor has other units for that than those of its vectors.

A step that stays in the caches took 0.96 to 0.98 of the time on an Emerald Rapids, with vectors of
256 bits 0.82 to 0.95, and for less than 20 blocks up to 1.05, for the pipeline fills later. Eight
blocks are no faster than four. Two are slower than one: a masked store of half a vector keeps the
load behind it waiting.
"""

from collections.abc import Iterable, Iterator, Mapping

from ..formats import Format
from ..language import bits
from ..language.graph import Node
from ..language.program import Program
from . import llvm_masked as masked
from .llvm_lanes import Lanes
from .llvm_largest import largest
from .llvm_memory import FLOATS
from .llvm_operations import declarations_of_bits, number_type, operand, operation
from .llvm_stages import Stages
from .names import identifier
from .stages import Stage

_BLOCKS = 4
_ELEMENTS = 1024  # a group of longer blocks has two, for what waits is to stay in the first cache


def lanes_of(block: int, lanes: Lanes) -> Lanes:
    """How many blocks of so many elements make a group, given the lanes of their elements."""
    return Lanes(min(_BLOCKS, lanes.count, max(2, _ELEMENTS // block)))


class Group:
    """The lines for the numbers of a group of blocks.

    lanes       one for each block; the last group of a run may have fewer blocks
    begin, end  its first element, and that behind its last
    room        elements of two groups
    """

    begin, end = "%group.begin", "%group.end"

    def __init__(self, function: Stages) -> None:
        self.function, block = function, function.one.program.block
        self.lanes = lanes_of(block, function.lanes)
        self.room = 2 * self.lanes.count * block
        self._names = {
            node: name if node.rate == "element" else f"{name}.each"
            for node, name in function.names.items()
        }
        self._numbers = [node for stage in function.all for node in stage.before]
        needed = {node for stage in function.all for node in self.needed(stage)}
        self._kept = [node for node in self._numbers if node in needed]

    def needed(self, stage: Stage) -> list[Node]:
        """The numbers of a block that the loop of a stage uses."""
        function = self.function
        used = {arg for node in (*stage.elements, *stage.largest) for arg in node.args}
        used |= {x for name, x in function.one.written.items() if not function.is_of_block(name)}
        known = [node for one in function.all[: stage.number + 1] for node in one.before]
        return [node for node in known if node in used]

    def scratch(self) -> Iterator[str]:
        """Memory for what is the largest in each lane, block by block, and for numbers of two
        groups.
        """
        function, count = self.function, self.lanes.count
        for node in self._numbers:
            if node.op is bits.BLOCK_MAX:
                kind = f"[{count} x {function.lanes.of(function.whole)}]"
                yield f"  %{function.names[node]}.found = alloca {kind}, align 64"
            if node.op is None:
                form = function.formats[str(node.name)]
                yield f"  {masked.scratch(self._names[node], form, self.lanes)}"
        for node in self._kept:
            kind = f"[{2 * count} x {self._in_memory(node)}]"
            yield f"  %{function.names[node]}.numbers = alloca {kind}, align 64"
            yield f"  store {kind} zeroinitializer, ptr %{function.names[node]}.numbers, align 64"
        for tensor in function.one.written:
            if function.is_of_block(tensor):
                name = f"{identifier(tensor)}.new"
                yield f"  {masked.scratch(name, function.formats[tensor], self.lanes)}"

    def ready(self) -> Iterator[str]:
        """The numbers of the host, in each lane."""
        function, places = self.function, self.lanes.of("i32")
        for node in function.one.host:
            name, wide = function.names[node], function.lanes.of(self._kind(node))
            yield (
                f"  %{name}.each = shufflevector {wide} %{name}.all, {wide} poison, "
                f"{places} zeroinitializer"
            )

    def count(self) -> Iterator[str]:
        """The number of the first block, the place of its numbers, and which lanes have a block."""
        shift, whole = self.function.one.program.block.bit_length() - 1, self.lanes.of("i64")
        yield f"  %group.number = lshr i64 {self.begin}, {shift}"
        yield f"  %group.length = sub nuw i64 {self.end}, {self.begin}"
        yield f"  %group.count = lshr i64 %group.length, {shift}"
        yield from (f"  {line}" for line in self.lanes.spread("group.count", "i64"))
        places = ", ".join(f"i64 {place}" for place in self.lanes.places)
        yield f"  %group.mask = icmp ult {whole} <{places}>, %group.count.all"
        yield from self.place(self.begin, "group")

    def place(self, begin: str, prefix: str) -> Iterator[str]:
        """Lines that leave in %<prefix>.place where the numbers of a block stand."""
        shift = self.function.one.program.block.bit_length() - 1
        yield f"  %{prefix}.offset = sub nuw i64 {begin}, %range.begin"
        yield f"  %{prefix}.blocks = lshr i64 %{prefix}.offset, {shift}"
        yield f"  %{prefix}.place = and i64 %{prefix}.blocks, {2 * self.lanes.count - 1}"

    def before(self, stage: Stage) -> Iterator[str]:
        """The numbers that are known before a stage."""
        function, computed = self.function, self.function.computed
        where = {"at": "%group.number", "mask": "%group.mask"}
        for node in stage.before:
            name = self._names[node]
            if node.op is None:
                tensor = str(node.name)
                form = function.formats[tensor]
                lines = masked.load_some(
                    name, identifier(tensor), form, computed, self.lanes, **where
                )
            elif node.op is bits.BLOCK_MAX:
                lines = self._largest(node)
            else:
                lines = operation(node, self._names, computed, self.lanes)
            yield from (f"  {line}" for line in lines)
            if node in self._kept:
                yield from (f"  {line}" for line in self._keep(node))
        for tensor, node in function.one.written.items():
            if function.is_of_block(tensor) and stage.number == node.stage:
                value, name = operand(node, self._names, computed, self.lanes), identifier(tensor)
                form = function.formats[tensor]
                for line in masked.store_some(
                    f"{name}.new", name, value, form, computed, self.lanes, **where
                ):
                    yield f"  {line}"

    def found(self, stage: Stage, place: str) -> Iterator[str]:
        """Lines behind the loop of a stage: what is the largest in each lane of a block."""
        whole = self.function.lanes.of(self.function.whole)
        for node in stage.largest:
            name = f"%{self.function.names[node]}"
            yield f"  {name}.to = getelementptr {whole}, ptr {name}.found, i64 {place}"
            yield f"  store {whole} {name}.more, ptr {name}.to, align 64"

    def spread(self, nodes: Iterable[Node], names: Mapping[Node, str], place: str) -> Iterator[str]:
        """Lines that load numbers of the block at a place, each into all lanes of its elements."""
        function = self.function
        for node in nodes:
            kind, kept, name = self._kind(node), self._in_memory(node), f"%{names[node]}"
            memory = f"%{function.names[node]}.numbers"
            yield f"  {name}.from = getelementptr {kept}, ptr {memory}, i64 {place}"
            if kind == kept:
                yield f"  {name} = load {kept}, ptr {name}.from"
            else:
                yield f"  {name}.byte = load {kept}, ptr {name}.from"
                yield f"  {name} = trunc {kept} {name}.byte to {kind}"
            yield from (f"  {line}" for line in function.lanes.spread(names[node], kind))

    def _largest(self, node: Node) -> Iterator[str]:
        function, name = self.function, self._names[node]
        vector, found = function.lanes.of(function.whole), f"%{function.names[node]}.found"
        vectors = [f"%{name}.{place}" for place in self.lanes.places]
        for place, one in enumerate(vectors):
            yield f"{one}.from = getelementptr {vector}, ptr {found}, i64 {place}"
            yield f"{one} = load {vector}, ptr {one}.from, align 64"
        yield from largest(name, vectors, function.whole, function.lanes)
        whole, number = self.lanes.of(function.whole), self.lanes.of(FLOATS[function.computed])
        yield f"%{name} = bitcast {whole} %{name}.largest to {number}"

    def _keep(self, node: Node) -> Iterator[str]:
        kind, kept, value = self._kind(node), self._in_memory(node), f"%{self._names[node]}"
        if kind != kept:
            yield f"{value}.byte = zext {self.lanes.of(kind)} {value} to {self.lanes.of(kept)}"
            value = f"{value}.byte"
        numbers = f"%{self.function.names[node]}.numbers"
        yield f"{numbers}.to = getelementptr {kept}, ptr {numbers}, i64 %group.place"
        yield f"store {self.lanes.of(kept)} {value}, ptr {numbers}.to, align 1"

    def _kind(self, node: Node) -> str:
        return number_type(node, self.function.computed)

    def _in_memory(self, node: Node) -> str:
        """The type of a number in memory: a truth is a byte there."""
        kind = self._kind(node)
        return "i8" if kind == "i1" else kind


def declarations(
    program: Program, formats: Mapping[str, Format], computed: Format, lanes: Lanes
) -> Iterator[str]:
    """What the lines call, beside what they have in common with those of elements."""
    lanes = lanes_of(program.block, lanes)
    number, suffix = lanes.of(FLOATS[computed]), lanes.suffix("f", 8 * computed.itemsize)
    yield from masked.declarations((formats[tensor] for tensor in program.of_blocks), lanes)
    yield f"declare {number} @llvm.fabs.{suffix}({number})"
    yield f"declare {number} @llvm.sqrt.{suffix}({number})"
    yield from declarations_of_bits(computed, lanes)
