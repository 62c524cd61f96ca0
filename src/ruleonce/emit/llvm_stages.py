"""The lines of a block: its stages, and the numbers of the block between them (see llvm_blocks)."""

from collections.abc import Iterator, Mapping, Sequence

from ..formats import Format
from ..language import bits
from ..language.graph import Node, in_order
from ..language.program import Pass
from . import llvm_division as division
from . import llvm_sums as sums
from .llvm_lanes import ONE, Lanes
from .llvm_largest import largest
from .llvm_memory import FLOATS, fetch_run, host_number, load, store
from .llvm_operations import number_type, operand, operation
from .llvm_stage_loop import Part, loop
from .names import identifier, node_names
from .stages import Stage, roots_of, stages_of

Formats = Mapping[str, Format]

AHEAD = 256  # elements; 512, as in llvm_vectors, took 1.05 to 1.1 times as long on Zen 4


class Stages:
    """The lines that both functions share.

    begin, end   the first element of the block that they are of, and that behind its last
    number       of the block
    room         elements that scratch memory holds
    """

    def __init__(self, one: Pass, formats: Formats, computed: Format, lanes: Lanes) -> None:
        self.begin, self.end, self.number = "%block.begin", "%block.end", "%block.number"
        self.one, self.formats, self.computed, self.lanes = one, formats, computed, lanes
        leaves = {node for root in roots_of(one) for node in in_order([root]) if node.op is None}
        self._leaves = [node for node in leaves if node.name in (*one.tensors, bits.INDEX)]
        self.names = node_names(one, (*one.host, *one.body))
        self.names |= {node: identifier(str(node.name)) for node in self._leaves}
        self.all = stages_of(one)
        waiting = {node for stage in self.all for node in stage.earlier}
        used = {arg for stage in self.all for node in stage.elements for arg in node.args}
        narrow = [x for tensor, x in one.written.items() if formats[tensor].itemsize <= 2]
        self.cut = {node for node in narrow if node not in used and node not in waiting}
        self.waiting = [node for node in self.names if node in waiting]
        self.room = one.program.block

    def scratch(self) -> Iterator[str]:
        """Memory for what waits for a later stage, and for sums."""
        for node in self.waiting:
            kept = f"[{self.room} x {number_type(node, self.computed)}]"
            yield f"  %{self.names[node]}.kept = alloca {kept}, align 64"
        for place in range(len(self.one.sums)):
            yield f"  %sum{place}.at = alloca double"
            yield f"  store double 0.0, ptr %sum{place}.at"

    def ready(self, divisions: Sequence[Node]) -> Iterator[str]:
        """The numbers of the host, and what divisions need, in each lane."""
        number = FLOATS[self.computed]
        for index, node in enumerate(self.one.host, start=self.one.first_number):
            for line in host_number(index, self.names[node], node, self.computed):
                yield f"  {line}"
            yield from self.spread(node)
        for node in divisions:
            name = self.names[node]
            divisor = operand(node.args[1], self.names, self.computed, ONE)
            for line in division.ready(name, divisor, self.computed):
                yield f"  {line}"
            for part in division.PARTS:
                for line in self.lanes.spread(f"{name}.{part}", number):
                    yield f"  {line}"

    def stages(self) -> Iterator[str]:
        """The work on a block, from %range.block to %range.stored."""
        yield from self.count()
        label = "range.block"
        for stage in self.all:
            yield from self.before(stage)
            if stage.has_loop:
                yield from loop([Part(self, stage)], f"stage{stage.number}", label)
                label = f"stage{stage.number}.done"
        yield f"  br label %{'block.sums' if self.one.sums else 'range.stored'}"

    def ahead(self, at: str, count: int) -> Iterator[str]:
        """Lines that ask memory for what lies ahead of so many elements."""
        yield f"  %ahead.i = add nuw i64 {at}, {AHEAD}"
        for tensor in self.one.read:
            if not self.is_of_block(tensor):
                lines = fetch_run(identifier(tensor), self.formats[tensor], count, "%ahead.i")
                yield from (f"  {line}" for line in lines)

    def count(self) -> Iterator[str]:
        """The number of the block."""
        shift = self.one.program.block.bit_length() - 1
        yield f"  {self.number} = lshr i64 {self.begin}, {shift}"

    def before(self, stage: Stage) -> Iterator[str]:
        """The numbers of the block that are known before a stage."""
        for node in stage.before:
            if node.op is None:
                tensor = str(node.name)
                lines = load(
                    identifier(tensor), self.formats[tensor], self.computed, ONE, self.number
                )
            elif node.op is bits.BLOCK_MAX:
                lines = self._largest(node)
            else:
                lines = operation(node, self.names, self.computed, ONE)
            for line in lines:
                yield f"  {line}"
            yield from self.spread(node)
        for tensor, node in self.one.written.items():
            if self.is_of_block(tensor) and stage.number == node.stage:
                value = operand(node, self.names, self.computed, ONE)
                form = self.formats[tensor]
                for line in store(identifier(tensor), value, form, self.computed, ONE, self.number):
                    yield f"  {line}"

    def _largest(self, node: Node) -> Iterator[str]:
        name, number = self.names[node], FLOATS[self.computed]
        most = f"%{name}.more"
        if self.lanes is not ONE:
            yield from largest(name, [most], self.whole, self.lanes)
            most = f"%{name}.largest"
        yield f"%{name} = bitcast {self.whole} {most} to {number}"

    @property
    def whole(self) -> str:
        """The type of the bits of a number."""
        return f"i{8 * self.computed.itemsize}"

    def spread(self, node: Node) -> Iterator[str]:
        """Lines that put a number of the block into each lane, where there are several."""
        if self.lanes is not ONE:
            kind = number_type(node, self.computed)
            for line in self.lanes.spread(self.names[node], kind):
                yield f"  {line}"

    def names_in_loop(self, stage: Stage, tag: str) -> dict[Node, str]:
        """What values are called in a loop that does a stage; `tag` makes the names of this time
        through an element its own.
        """
        own = {node: f"{self.names[node]}.{tag}" for node in (*stage.earlier, *stage.elements)}
        if self.lanes is ONE:
            return {**self.names, **own}
        slow = {n: f"{name}.all" for n, name in self.names.items() if n.rate != "element"}
        return {**self.names, **slow, **own}

    def is_of_block(self, tensor: str) -> bool:
        """Whether a tensor has one number for each block."""
        return tensor in self.one.program.of_blocks

    def store_sums(self) -> Iterator[str]:
        """At the end of what is added up together, and of the run, sums go to where the host looks
        for them.
        """
        if not self.one.sums:
            return
        yield "block.sums:"
        yield f"  %chunk.rest = and i64 %block.end, {sums.BLOCK - 1}"
        yield "  %chunk.is.full = icmp eq i64 %chunk.rest, 0"
        yield "  %chunk.is.last = icmp eq i64 %block.end, %range.end"
        yield "  %chunk.is.done = or i1 %chunk.is.full, %chunk.is.last"
        yield "  br i1 %chunk.is.done, label %chunk.store, label %range.stored"
        yield "chunk.store:"
        yield f"  %chunk.number = lshr i64 %block.begin, {sums.BLOCK.bit_length() - 1}"
        yield f"  %chunk.first = mul nuw i64 %chunk.number, {self.one.program.sum_count}"
        for place in range(len(self.one.sums)):
            yield f"  %chunk.sum{place} = add nuw i64 %chunk.first, {self.one.first_sum + place}"
            at = f"%chunk.sum{place}"
            yield f"  {at}.at = getelementptr double, ptr %range.sums, i64 {at}"
            yield f"  {at}.total = load double, ptr %sum{place}.at"
            yield f"  store double {at}.total, ptr {at}.at"
            yield f"  store double 0.0, ptr %sum{place}.at"
        yield "  br label %range.stored"
