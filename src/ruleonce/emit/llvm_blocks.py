"""The loop of a pass over tensors that are stored in blocks, each with numbers of its own.

A block is gone through in stages. The first decodes its elements, does the work of the rule and
finds what a block is to know of them, such as the largest; then come the numbers of the block, such
as its scales; the next stage encodes by them. What a later stage needs of an element waits in
scratch memory of the size of a block, which stays in the first cache. Tensors are read and written
once.

Two functions are made of the same lines: `<rule>.vectors` with the vectors written out, for whole
blocks, and `<rule>.range` for one element at a time, which also does a last, short block.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..formats import Format
from ..language import bits
from ..language.graph import Node, in_order
from ..language.program import Pass
from . import llvm_division as division
from . import llvm_sums as sums
from .llvm_division import Quotient
from .llvm_lanes import ONE, Lanes
from .llvm_memory import FLOATS, host_number, load, store
from .llvm_operations import LIBRARY, number_type, operand, operation
from .llvm_table import parameters
from .names import identifier, node_names

Formats = Mapping[str, Format]


def lanes_of(one: Pass, computed: Format, fused: int) -> Lanes | None:
    """How many elements a vector has; None where the lines are left to LLVM's vectorizer.

    A function of the C library takes one element at a time, and sums have a loop of their own.
    """
    calls = any(node.op in LIBRARY for node in one.body)
    lanes = fused // (8 * computed.itemsize)
    return Lanes(lanes) if lanes and not calls and not one.sums else None


def whole_blocks(
    one: Pass, formats: Formats, computed: Format, lanes: Lanes, name: str
) -> Iterator[str]:
    """The lines of `<rule>.vectors`, which returns where it stopped: at the last whole block, or at
    once where a number of the step does not fit (see llvm_division).
    """
    block = one.program.block
    function = _Function(one, formats, computed, lanes)
    divisions = [node for node in one.body if division.is_by_step_number(node)]
    fits = [f"%{function.names[node]}.fits" for node in divisions]
    yield f"define internal i64 @{name}.vectors({parameters(one)}) #2 {{"
    yield "range.entry:"
    yield from function.scratch()
    yield "  %range.length = sub i64 %range.end, %range.begin"
    yield f"  %range.whole = and i64 %range.length, -{block}"
    yield "  %range.stop = add i64 %range.begin, %range.whole"
    yield "  %range.many = icmp ne i64 %range.whole, 0"
    yield "  br i1 %range.many, label %range.ready, label %range.done"
    yield "range.ready:"
    yield from function.ready(divisions)
    all_fit = "true"
    if divisions:
        all_fit, lines = division.folded("and i1", "%range.fits", fits)
        yield from (f"  {line}" for line in lines)
    yield f"  br i1 {all_fit}, label %range.block, label %range.done"
    yield "range.block:"
    yield "  %block.begin = phi i64 [ %range.begin, %range.ready ], [ %block.end, %range.stored ]"
    yield f"  %block.end = add nuw i64 %block.begin, {block}"
    yield from function.stages()
    yield "range.stored:"
    yield "  %block.more = icmp ult i64 %block.end, %range.stop"
    yield "  br i1 %block.more, label %range.block, label %range.done"
    yield "range.done:"
    yield (
        "  %range.reached = phi i64 [ %range.begin, %range.entry ], [ %range.begin, %range.ready ],"
        " [ %range.stop, %range.stored ]"
    )
    yield "  ret i64 %range.reached"
    yield "}"
    yield ""


def all_blocks(one: Pass, formats: Formats, computed: Format, name: str) -> Iterator[str]:
    """The lines of `<rule>.range`."""
    block = one.program.block
    function = _Function(one, formats, computed, ONE)
    yield f"define internal void @{name}.range({parameters(one)}) #0 {{"
    yield "range.entry:"
    yield from function.scratch()
    yield from function.ready([])
    yield "  %range.some = icmp ult i64 %range.begin, %range.end"
    yield "  br i1 %range.some, label %range.block, label %range.done"
    yield "range.block:"
    yield "  %block.begin = phi i64 [ %range.begin, %range.entry ], [ %block.end, %range.stored ]"
    yield f"  %block.next = add nuw i64 %block.begin, {block}"
    yield "  %block.is.cut = icmp ult i64 %range.end, %block.next"
    yield "  %block.end = select i1 %block.is.cut, i64 %range.end, i64 %block.next"
    yield from function.stages()
    yield from function.store_sums()
    yield "range.stored:"
    yield "  %block.more = icmp ult i64 %block.end, %range.end"
    yield "  br i1 %block.more, label %range.block, label %range.done"
    yield "range.done:"
    yield "  ret void"
    yield "}"


def declarations(computed: Format, lanes: Lanes | None) -> Iterator[str]:
    """What the lines call, beside what operations do."""
    width = 8 * computed.itemsize
    for many in (ONE, lanes) if lanes else (ONE,):
        whole = many.of(f"i{width}")
        yield f"declare {whole} @llvm.umax.{many.suffix('i', width)}({whole}, {whole})"
    if lanes:
        reduced = lanes.suffix("i", width)
        yield f"declare i{width} @llvm.vector.reduce.umax.{reduced}({lanes.of(f'i{width}')})"


@dataclass(frozen=True, eq=False)
class _Stage:
    """One time through the elements of a block.

    before    the numbers of the block that are known before it, in order
    elements  the values of an element that it computes, leaves among them, in order
    earlier   those that it takes from earlier stages
    largest   what is the largest of something that it computes
    """

    number: int
    before: tuple[Node, ...]
    elements: tuple[Node, ...]
    earlier: tuple[Node, ...]
    largest: tuple[Node, ...]


class _Function:
    """The lines that both functions share."""

    def __init__(self, one: Pass, formats: Formats, computed: Format, lanes: Lanes) -> None:
        self.one, self.formats, self.computed, self.lanes = one, formats, computed, lanes
        leaves = {node for root in _roots(one) for node in in_order([root]) if node.op is None}
        self._leaves = [node for node in leaves if node.name in one.tensors]
        self.names = node_names(one, (*one.host, *one.body))
        self.names |= {node: identifier(str(node.name)) for node in self._leaves}
        self._stages = _stages(one)
        waiting = {node for stage in self._stages for node in stage.earlier}
        self._waiting = [node for node in self.names if node in waiting]

    def scratch(self) -> Iterator[str]:
        """Memory for what waits for a later stage, and for sums."""
        for node in self._waiting:
            kept = f"[{self.one.program.block} x {number_type(node, self.computed)}]"
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
            yield from self._spread(node)
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
        shift = self.one.program.block.bit_length() - 1
        yield f"  %block.number = lshr i64 %block.begin, {shift}"
        label = "range.block"
        for stage in self._stages:
            yield from self._before(stage)
            if stage.elements:
                yield from self._loop(stage, label)
                label = f"stage{stage.number}.done"
        yield f"  br label %{'block.sums' if self.one.sums else 'range.stored'}"

    def _before(self, stage: _Stage) -> Iterator[str]:
        """The numbers of the block."""
        for node in stage.before:
            if node.op is None:
                tensor = str(node.name)
                lines = load(identifier(tensor), self.formats[tensor], self.computed, ONE, _BLOCK)
            elif node.op is bits.BLOCK_MAX:
                lines = self._largest(node)
            else:
                lines = operation(node, self.names, self.computed, ONE)
            for line in lines:
                yield f"  {line}"
            yield from self._spread(node)
        for tensor, node in self.one.written.items():
            if (
                node.rate != "element"
                and self._is_of_block(tensor)
                and (stage.number == node.stage)
            ):
                value = operand(node, self.names, self.computed, ONE)
                form = self.formats[tensor]
                for line in store(identifier(tensor), value, form, self.computed, ONE, _BLOCK):
                    yield f"  {line}"

    def _loop(self, stage: _Stage, label: str) -> Iterator[str]:
        """One time through the elements."""
        prefix, last = f"stage{stage.number}", f"stage{stage.number}.stored"
        names = self._names_in_loop()
        yield f"  br label %{prefix}.loop"
        yield f"{prefix}.loop:"
        at = f"%{prefix}.i"
        yield f"  {at} = phi i64 [ %block.begin, %{label} ], [ %{prefix}.next, %{last} ]"
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
        yield f"  %{prefix}.place = sub nuw i64 {at}, %block.begin"
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
        yield f"  %{prefix}.more = icmp ult i64 %{prefix}.next, %block.end"
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

    def _elements(self, stage: _Stage, names: Mapping[Node, str], at: str) -> Iterator[str]:
        """The work on the elements at %stage.i."""
        for node in stage.earlier:
            kind = self.lanes.of(number_type(node, self.computed))
            yield from self._kept_at(node, stage)
            value = f"%{self.names[node]}.{stage.number}"
            yield f"{value} = load {kind}, ptr {_kept(self, node, stage)}, align 4"
        names = {
            **names,
            **{node: f"{self.names[node]}.{stage.number}" for node in stage.earlier},
        }
        truths = [node for node in stage.elements if node.stage < stage.number]
        names = {**names, **{node: f"{self.names[node]}.{stage.number}" for node in truths}}
        for node in stage.elements:
            if node.op is None:
                tensor = str(node.name)
                form = self.formats[tensor]
                yield from load(identifier(tensor), form, self.computed, self.lanes, at)
        body = [node for node in stage.elements if node.op is not None]
        is_vector = self.lanes is not ONE
        rounds = division.rounds(body) if is_vector else [([], body)]
        for number, (divisions, others) in enumerate(rounds):
            quotients = [
                Quotient(
                    names[node],
                    *(operand(arg, names, self.computed, self.lanes) for arg in node.args),
                )
                for node in divisions
            ]
            if quotients:
                prefix = f"stage{stage.number}.quotients.{number}"
                yield from division.quotients(quotients, prefix, self.computed, self.lanes)
            for node in others:
                yield from operation(node, names, self.computed, self.lanes)
        for node in stage.largest:
            yield from self._larger(node, names)
        for tensor, node in self.one.written.items():
            if not self._is_of_block(tensor) and node.stage == stage.number:
                value = operand(node, names, self.computed, self.lanes)
                form = self.formats[tensor]
                yield from store(identifier(tensor), value, form, self.computed, self.lanes, at)
        for node in self._waiting:
            if node in stage.elements:
                kind = self.lanes.of(number_type(node, self.computed))
                yield from self._kept_at(node, stage)
                value = operand(node, names, self.computed, self.lanes)
                yield f"store {kind} {value}, ptr {_kept(self, node, stage)}, align 4"

    def _kept_at(self, node: Node, stage: _Stage) -> Iterator[str]:
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

    def _spread(self, node: Node) -> Iterator[str]:
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
        return tensor in self.one.program.block_tensors

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


_BLOCK = "%block.number"


def _kept(function: _Function, node: Node, stage: _Stage) -> str:
    return f"%{function.names[node]}.kept.{stage.number}"


def _roots(one: Pass) -> tuple[Node, ...]:
    return (*one.written.values(), *(arg for node in one.sums for arg in node.args))


def _stages(one: Pass) -> list[_Stage]:
    """The stages of a pass, each with all that it has to do."""
    roots = _roots(one)
    nodes = [node for node in in_order(roots) if node.rate in ("block", "element")]
    largest = [node for node in nodes if node.op is bits.BLOCK_MAX]
    count = max((node.stage for node in nodes), default=0) + 1
    found: list[_Stage] = []
    for number in range(count):
        wanted = [root for root in roots if root.rate == "element" and root.stage == number]
        # What fills a tensor with one number of a block is written by the stage that knows it.
        wanted += [
            root
            for tensor, root in one.written.items()
            if root.rate != "element"
            and tensor not in one.program.block_tensors
            and root.stage == number
        ]
        mine = [node for node in largest if node.stage == number + 1]
        wanted += [node.args[0] for node in mine]
        done = {node for stage in found for node in stage.elements}
        computed, earlier = _needed(wanted, done)
        before = tuple(node for node in nodes if node.rate == "block" and node.stage == number)
        order = [node for node in nodes if node in computed]
        has_loop = bool(wanted)
        elements = tuple(order) if has_loop else ()
        taken = tuple(node for node in nodes if node in earlier)
        found.append(_Stage(number, before, elements, taken, tuple(mine)))
    return found


def _needed(wanted: Sequence[Node], done: set[Node]) -> tuple[set[Node], set[Node]]:
    """What a stage computes, and what it takes from earlier ones, which have done so much. The
    truth about an element is found again, from numbers: it has no memory of its own.
    """
    computed: set[Node] = set()
    earlier: set[Node] = set()
    open_ = [node for node in wanted if node.rate == "element"]
    while open_:
        node = open_.pop()
        if node in computed or node in earlier:
            continue
        if node in done and node.kind != "truth":
            earlier.add(node)
            continue
        computed.add(node)
        open_ += [arg for arg in node.args if arg.rate == "element"]
    return computed, earlier
