"""The stages of a pass over blocks: what is done each time that a block is gone through.

The first stage decodes the elements and does the work of the rule. Where a number of the block is
needed that is made from all its elements, such as the largest, the next stage begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..language import bits
from ..language.graph import Node, in_order
from ..language.program import Pass


@dataclass(frozen=True, eq=False)
class Stage:
    """One time through the elements of a block.

    before    the numbers of the block that are known before it, in order
    elements  the values of an element that it computes, leaves among them, in order
    earlier   those that it takes from earlier stages
    largest   what is the largest of something that it computes
    has_loop  whether there is anything to do with elements
    """

    number: int
    before: tuple[Node, ...]
    elements: tuple[Node, ...]
    earlier: tuple[Node, ...]
    largest: tuple[Node, ...]
    has_loop: bool


def roots_of(one: Pass) -> tuple[Node, ...]:
    """What a pass is for: what it writes, and what it adds up."""
    return (*one.written.values(), *(arg for node in one.sums for arg in node.args))


def stages_of(one: Pass) -> list[Stage]:
    """The stages of a pass, each with all that it has to do."""
    roots = roots_of(one)
    nodes = [node for node in in_order(roots) if node.rate in ("block", "element")]
    largest = [node for node in nodes if node.op is bits.BLOCK_MAX]
    count = max((node.stage for node in nodes), default=0) + 1
    found: list[Stage] = []
    for number in range(count):
        wanted = [root for root in roots if root.rate == "element" and root.stage == number]
        # What fills a tensor with one number of a block is written by the stage that knows it.
        wanted += [
            root
            for tensor, root in one.written.items()
            if root.rate != "element"
            and tensor not in one.program.of_blocks
            and root.stage == number
        ]
        mine = [node for node in largest if node.stage == number + 1]
        wanted += [node.args[0] for node in mine]
        done = {node for stage in found for node in stage.elements}
        if number == 0 and wanted:  # before another value is written over it
            wanted += [
                node for node in nodes if node.name in one.written and node.rate == "element"
            ]
        computed, earlier = _needed(wanted, done)
        before = tuple(node for node in nodes if node.rate == "block" and node.stage == number)
        elements = tuple(node for node in nodes if node in computed)
        taken = tuple(node for node in nodes if node in earlier)
        found.append(Stage(number, before, elements, taken, tuple(mine), bool(wanted)))
    return found


def _needed(wanted: Sequence[Node], done: set[Node]) -> tuple[set[Node], set[Node]]:
    """What a stage computes, and what it takes from earlier ones, which have done so much. The
    truth about an element is found again, from numbers: it has no memory of its own. Its place in
    the tensor is too: to count is faster than to read.
    """
    computed: set[Node] = set()
    earlier: set[Node] = set()
    open_ = [node for node in wanted if node.rate == "element"]
    while open_:
        node = open_.pop()
        if node in computed or node in earlier:
            continue
        if node in done and node.kind != "truth" and node.name != bits.INDEX:
            earlier.add(node)
            continue
        computed.add(node)
        open_ += [arg for arg in node.args if arg.rate == "element"]
    return computed, earlier
