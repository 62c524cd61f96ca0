"""The lines of a block: its stages, and the numbers of the block between them (see llvm_blocks)."""

from collections.abc import Iterator, Mapping, Sequence

from ..formats import Format
from ..language import bits
from ..language.graph import Node, in_order
from ..language.program import Pass
from . import llvm_division as division
from . import llvm_sums as sums
from .llvm_lanes import ONE, Lanes
from .llvm_memory import FLOATS, element_number, host_number, load, store
from .llvm_operations import number_type, operand, operation
from .llvm_work import operations
from .names import identifier, node_names
from .stages import Stage, roots_of, stages_of

Formats = Mapping[str, Format]


class Stages:
    """The lines that both functions share.

    begin, end   the first element of the block that they are of, and that behind its last
    number       of the block
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
        self._cut = {node for node in narrow if node not in used and node not in waiting}
        self._waiting = [node for node in self.names if node in waiting]

    def scratch(self) -> Iterator[str]:
        """Memory for what waits for a later stage, of two blocks, and for sums."""
        for node in self._waiting:
            kept = f"[{2 * self.one.program.block} x {number_type(node, self.computed)}]"
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
        yield from self.run(self.all, "range.block")
        yield f"  br label %{'block.sums' if self.one.sums else 'range.stored'}"

    def count(self) -> Iterator[str]:
        """The number of the block."""
        shift = self.one.program.block.bit_length() - 1
        yield f"  {self.number} = lshr i64 {self.begin}, {shift}"

    def run(self, stages: Sequence[Stage], label: str, known: Stage | None = None) -> Iterator[str]:
        """Some stages, behind `label`; the numbers of one may be known already."""
        for stage in stages:
            if stage is not known:
                yield from self.before(stage)
            if stage.has_loop:
                yield from self._loop(stage, label)
                label = f"stage{stage.number}.done"

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
            if self._is_of_block(tensor) and stage.number == node.stage:
                value = operand(node, self.names, self.computed, ONE)
                form = self.formats[tensor]
                for line in store(identifier(tensor), value, form, self.computed, ONE, self.number):
                    yield f"  {line}"

    def _loop(self, stage: Stage, label: str) -> Iterator[str]:
        """One time through the elements."""
        prefix, last = f"stage{stage.number}", f"stage{stage.number}.stored"
        names = self._names_in_loop()
        yield f"  br label %{prefix}.loop"
        yield f"{prefix}.loop:"
        at = f"%{prefix}.i"
        yield f"  {at} = phi i64 [ {self.begin}, %{label} ], [ %{prefix}.next, %{last} ]"
        whole = self.lanes.of(self._whole)
        for node in stage.largest:
            name, zero = self.names[node], self.lanes.all(self._whole, "0")
            yield f"  %{name}.most = phi {whole} [ {zero}, %{label} ], [ %{name}.more, %{last} ]"
        mine = [
            (place, node)
            for place, node in enumerate(self.one.sums)
            if node.args[0].stage == stage.number
        ]
        for place, node in mine:
            kind = sums.added_in(node, self.computed)
            total = f"%range.sum{place}"
            yield f"  {total} = phi {kind} [ 0.0, %{label} ], [ {total}.next, %{last} ]"
        yield f"  %{prefix}.place = and i64 {at}, {2 * self.one.program.block - 1}"
        for line in self._elements(stage, names, at):
            yield line if line.endswith(":") else f"  {line}"
        for place, node in mine:
            for line in sums.summand(place, node, names, self.computed):
                yield f"  {line}"
            kind = sums.added_in(node, self.computed)
            total = f"%range.sum{place}"
            yield f"  {total}.next = fadd reassoc {kind} {total}, %range.summand{place}"
        yield f"  br label %{last}"
        yield f"{last}:"
        yield f"  %{prefix}.next = add nuw i64 {at}, {self.lanes.count}"
        yield f"  %{prefix}.more = icmp ult i64 %{prefix}.next, {self.end}"
        yield f"  br i1 %{prefix}.more, label %{prefix}.loop, label %{prefix}.done"
        yield f"{prefix}.done:"
        for place, node in mine:
            total = f"%range.sum{place}.next"
            if sums.added_in(node, self.computed) != "double":
                yield f"  {total}.wide = fpext float {total} to double"
                total = f"{total}.wide"
            yield f"  %sum{place}.before = load double, ptr %sum{place}.at"
            yield f"  %sum{place}.after = fadd double %sum{place}.before, {total}"
            yield f"  store double %sum{place}.after, ptr %sum{place}.at"

    def _elements(self, stage: Stage, names: Mapping[Node, str], at: str) -> Iterator[str]:
        """The work on the elements at %stage.i."""
        for node in stage.earlier:
            kind = self.lanes.of(number_type(node, self.computed))
            yield from self._kept_at(node, stage)
            value = f"%{self.names[node]}.{stage.number}"
            yield f"{value} = load {kind}, ptr {_kept(self, node, stage)}, align 4"
        # What is there already has a name of its own in each stage.
        again = [node for node in stage.elements if node.stage < stage.number]
        own = {node: f"{self.names[node]}.{stage.number}" for node in (*stage.earlier, *again)}
        names = {**names, **own}
        for node in stage.elements:
            if node.name == bits.INDEX:
                yield from element_number(at, self.lanes, names[node])
            elif node.op is None:
                tensor = str(node.name)
                form = self.formats[tensor]
                yield from load(identifier(tensor), form, self.computed, self.lanes, at)
        yield from operations(
            [node for node in stage.elements if node.op is not None],
            names,
            self.names,
            self.computed,
            self.lanes,
            f"stage{stage.number}.quotients",
            multiplies=self.lanes is not ONE,
            cut=self._cut,
        )
        for node in stage.largest:
            yield from self._larger(node, names)
        yield from self._results(stage, names, at)

    def _results(self, stage: Stage, names: Mapping[Node, str], at: str) -> Iterator[str]:
        """What is written to tensors, and what waits for later stages."""
        for tensor, node in self.one.written.items():
            if not self._is_of_block(tensor) and node.stage == stage.number:
                value = operand(node, names, self.computed, self.lanes)
                yield from store(
                    identifier(tensor),
                    value,
                    self.formats[tensor],
                    self.computed,
                    self.lanes,
                    at,
                    is_exact=bits.is_bfloat16(node),
                )
        for node in self._waiting:
            if node in stage.elements:
                kind = self.lanes.of(number_type(node, self.computed))
                yield from self._kept_at(node, stage)
                value = operand(node, names, self.computed, self.lanes)
                yield f"store {kind} {value}, ptr {_kept(self, node, stage)}, align 4"

    def _kept_at(self, node: Node, stage: Stage) -> Iterator[str]:
        kind = number_type(node, self.computed)
        yield (
            f"{_kept(self, node, stage)} = getelementptr {kind}, ptr %{self.names[node]}.kept, "
            f"i64 %stage{stage.number}.place"
        )

    @property
    def _whole(self) -> str:
        return f"i{8 * self.computed.itemsize}"

    def _larger(self, node: Node, names: Mapping[Node, str]) -> Iterator[str]:
        """Magnitudes are ordered as their bits are, and nan is above all."""
        name, lanes = self.names[node], self.lanes
        whole, number = lanes.of(self._whole), lanes.of(FLOATS[self.computed])
        value = operand(node.args[0], names, self.computed, lanes)
        mask = lanes.all(self._whole, str((1 << (8 * self.computed.itemsize - 1)) - 1))
        largest = f"@llvm.umax.{lanes.suffix('i', 8 * self.computed.itemsize)}"
        yield f"%{name}.bits = bitcast {number} {value} to {whole}"
        yield f"%{name}.size = and {whole} %{name}.bits, {mask}"
        yield f"%{name}.more = call {whole} {largest}({whole} %{name}.most, {whole} %{name}.size)"

    def _largest(self, node: Node) -> Iterator[str]:
        name, most = self.names[node], f"%{self.names[node]}.more"
        if self.lanes is not ONE:
            suffix = self.lanes.suffix("i", 8 * self.computed.itemsize)
            yield (
                f"%{name}.reduced = call {self._whole} @llvm.vector.reduce.umax.{suffix}("
                f"{self.lanes.of(self._whole)} {most})"
            )
            most = f"%{name}.reduced"
        yield f"%{name} = bitcast {self._whole} {most} to {FLOATS[self.computed]}"

    def spread(self, node: Node) -> Iterator[str]:
        """Lines that put a number of the block into each lane, where there are several."""
        if self.lanes is not ONE:
            kind = number_type(node, self.computed)
            for line in self.lanes.spread(self.names[node], kind):
                yield f"  {line}"

    def _names_in_loop(self) -> dict[Node, str]:
        if self.lanes is ONE:
            return dict(self.names)
        return {
            node: name if node.rate == "element" else f"{name}.all"
            for node, name in self.names.items()
        }

    def _is_of_block(self, tensor: str) -> bool:
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


def _kept(function: Stages, node: Node, stage: Stage) -> str:
    return f"%{function.names[node]}.kept.{stage.number}"
