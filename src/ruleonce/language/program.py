"""Program: the graph of a rule, cut into host and device work.

What depends on hyperparameters, scalar state and `t` alone is *host* work: it is done once a step,
in float64 by Python itself, because in float32 `1 - beta2**t` keeps four digits (beta2 = 0.9999,
t = 1) and in bfloat16 beta2 = 0.999 is 1. What is left is *device* work, done for each element.
The cut moves work; it never rearranges it, so a kernel gives the bits of the rule read from left to
right.

A rule that uses a sum over elements needs several passes over them: the sums of the first are
*measured* numbers, which the second may use. Only the last pass writes, so each begins from the
same tensors, and nothing is rounded on the way.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from . import ops
from .bits import INDEX
from .graph import Node, in_order


@dataclass(frozen=True, eq=False)
class Program:
    """What an engine needs to know of a rule.

    name         of the rule
    tensors      the names of w, dw and each state tensor, in the order of the rule
    step_inputs  the names of what arrives once a step: hyperparameters, scalar state, t
    outputs      tensor name -> its new value; every tensor but the gradient
    scalars      name of a scalar state -> its new value
    names        node -> what the author called it, in the order in which they are computed
    reports      sums that the last pass makes beside its writes, for whoever asks
    block        how many elements a block has, where tensors are stored in blocks; 0 elsewhere
    of_blocks    those of the tensors that have one number for each block
    """

    name: str
    tensors: tuple[str, ...]
    step_inputs: tuple[str, ...]
    outputs: Mapping[str, Node]
    scalars: Mapping[str, Node]
    names: Mapping[Node, str]
    reports: tuple[Node, ...] = field(default=())
    block: int = 0
    of_blocks: frozenset[str] = frozenset()

    @cached_property
    def written(self) -> Mapping[str, Node]:
        """The tensors that change, with their new values."""
        return {
            name: node
            for name, node in self.outputs.items()
            if not (node.op is None and node.name == name)
        }

    @cached_property
    def passes(self) -> "tuple[Pass, ...]":
        """What is done with all elements, one pass after another; the last one writes.

        What is known of tensors before any pass, such as a size, makes one more too, which reads
        nothing: between passes is where numbers of tensors are made.
        """
        sums = [node for node in self.measured if node.is_reduction]
        count = max((max(1, node.level) for node in self.measured), default=0)
        reading = [
            Pass(self, number, {}, tuple(node for node in sums if node.level == number + 1))
            for number in range(count)
        ]
        return (*reading, Pass(self, count, self.written, self.reports))

    @cached_property
    def body(self) -> tuple[Node, ...]:
        """The device work: every operation that is done for each element, in order."""
        return tuple(dict.fromkeys(node for one in self.passes for node in one.body))

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The tensors that are read."""
        return tuple(x for x in self.tensors if any(x in one.read for one in self.passes))

    @cached_property
    def host(self) -> tuple[Node, ...]:
        """The numbers that are known before any element is read, and are needed there or for what
        is measured: one each a step.
        """
        used = {arg for node in self.measured for arg in node.args}
        used |= {node for one in self.passes for node in one.host}
        return tuple(
            node
            for node in self._needed
            if node in used and node.rate == "step" and not node.level and not node.is_constant
        )

    @cached_property
    def measured(self) -> tuple[Node, ...]:
        """The numbers that are made from tensors, in order: sums, and what is made of them."""
        return tuple(node for node in self._needed if node.is_measured)

    @cached_property
    def measured_scalars(self) -> tuple[str, ...]:
        """The scalar state whose new value is measured."""
        return tuple(name for name, node in self.scalars.items() if node.is_measured)

    @cached_property
    def sum_count(self) -> int:
        """How many sums all passes make."""
        return sum(len(one.sums) for one in self.passes)

    @cached_property
    def number_count(self) -> int:
        """How many numbers cross to the device, for all passes: a row of them."""
        return sum(len(one.host) for one in self.passes)

    @cached_property
    def has_totals(self) -> bool:
        """Whether it needs a sum over all tensors of the optimizer."""
        return bool(self.totals)

    @cached_property
    def totals(self) -> tuple[Node, ...]:
        """The sums over all tensors of the optimizer."""
        return tuple(node for node in self.measured if node.op is ops.TOTAL)

    @cached_property
    def has_matrices(self) -> bool:
        """Whether it takes tensors as whole matrices, which no kernel does."""
        return any(node.op is not None and node.op.whole for node in self._needed)

    @cached_property
    def _needed(self) -> tuple[Node, ...]:
        return in_order((*self.written.values(), *self.scalars.values()))

    def with_reports(self, reports: Iterable[Node]) -> "Program":
        """The program that makes these sums too, in its last pass."""
        return replace(self, reports=tuple(reports))

    def __str__(self) -> str:
        """The program as mathematics, a line an operation; what the author named has its name."""
        nodes = in_order((*self.scalars.values(), *self.outputs.values()))
        shown: dict[Node, str] = {}
        lines = [f"{self.name}({', '.join(self.tensors)}; {', '.join(self.step_inputs)})"]
        for number, node in enumerate(nodes):
            if node.op is None:
                shown[node] = repr(node)
                continue
            text = node.op.text.format(*(shown[arg] for arg in node.args))
            shown[node] = f"%{number}"
            where = "tensor" if node.is_measured else _WHERE[node.rate]
            named = f"  # {self.names[node]}" if node in self.names else ""
            bare = text[1:-1] if text.startswith("(") else text
            lines.append(f"  {where}  %{number} = {bare}{named}")
        for name, node in {**self.scalars, **self.outputs}.items():
            lines.append(f"  {name} <- {shown[node]}")
        return "\n".join(lines)


_WHERE = {"step": "host  ", "block": "block ", "element": "device"}
_DEVICE = ("block", "element")


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass of a program over all elements.

    number   of the pass: 0 for the first
    written  the tensors that change, with their new values; none but in the last pass
    sums     the reductions that it makes, one number of each for each tensor
    """

    program: Program
    number: int
    written: Mapping[str, Node]
    sums: tuple[Node, ...]

    @property
    def name(self) -> str:
        """That of the rule; before the last pass, with its number."""
        is_last = self is self.program.passes[-1]
        return self.program.name if is_last else f"{self.program.name}_pass{self.number}"

    @property
    def tensors(self) -> tuple[str, ...]:
        """Those of the program."""
        return self.program.tensors

    @cached_property
    def body(self) -> tuple[Node, ...]:
        """Every operation that is done for each element, in order."""
        return tuple(node for node in self._elements if node.op is not None)

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The tensors that are read."""
        leaves = {node.name for node in self._elements}
        return tuple(name for name in self.tensors if name in leaves)

    @cached_property
    def counts(self) -> bool:
        """Whether the place of an element in its tensor is needed."""
        return any(node.name == INDEX for node in self._elements)

    @cached_property
    def host(self) -> tuple[Node, ...]:
        """The numbers that cross from host to device: known or measured, one each for a tensor."""
        used = {arg for node in self.body for arg in node.args} | self._roots
        return tuple(
            node
            for node in in_order((*self.written.values(), *self.sums))
            if node in used and node.rate not in _DEVICE and not node.is_constant
        )

    @cached_property
    def first_number(self) -> int:
        """Where its numbers begin, in the row of those of all passes."""
        return sum(len(one.host) for one in self.program.passes[: self.number])

    @cached_property
    def first_sum(self) -> int:
        """Where its sums begin, among those of all passes."""
        return sum(len(one.sums) for one in self.program.passes[: self.number])

    @cached_property
    def has_own_numbers(self) -> bool:
        """Whether each tensor has numbers of its own."""
        return any(node.is_measured for node in self.host)

    @cached_property
    def _roots(self) -> set[Node]:
        return {*self.written.values(), *(arg for node in self.sums for arg in node.args)}

    @cached_property
    def _elements(self) -> tuple[Node, ...]:
        """Every value that an element or a block has of its own: of its tensors, and what is made
        of them.
        """
        found: set[Node] = set()
        open_ = [node for node in self._roots if node.rate in _DEVICE]
        while open_:
            node = open_.pop()
            if node not in found:
                found.add(node)
                open_ += [arg for arg in node.args if arg.rate in _DEVICE]
        return tuple(self._in_order(found))

    def _in_order(self, found: set[Node]) -> Iterator[Node]:
        return (node for node in in_order((*self.written.values(), *self.sums)) if node in found)
