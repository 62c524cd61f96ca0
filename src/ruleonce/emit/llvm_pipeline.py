"""Blocks in a pipeline: the first stage of one block, then the later stages of the block before it.

Between two stages stand the numbers of a block, such as a scale: from the largest of all lanes to
the reciprocal that is spread over the lanes again they take some 80 cycles, one after the other,
about a quarter of the time of a block of 128. In a pipeline the processor makes them while it goes
through the next block.
"""

from collections.abc import Iterator
from copy import copy

from ..language.graph import Node
from .llvm_operations import number_type
from .llvm_stages import Stages


def blocks(function: Stages) -> Iterator[str]:
    """The lines from behind %block.end up to %range.stored, with the branch from there. The last
    time through, there is no new block any more, only that before it.
    """
    one, held = function.one, _held(function)
    kinds = {node: number_type(node, function.computed) for node in held}
    first, second, *_ = function.all
    later = copy(function)
    later.names = function.names | {node: f"{function.names[node]}.held" for node in held}
    later.begin, later.end, later.number = "%later.begin", "%block.begin", "%later.number"
    yield "  %block.is.new = icmp ult i64 %block.begin, %range.stop"
    yield "  br i1 %block.is.new, label %block.first, label %block.made"
    yield "block.first:"
    yield from function.count()
    yield from function.run([first], "block.first")
    yield from function.before(second)
    yield "  br label %block.made"
    end = f"stage{first.number}.done" if first.has_loop else "block.first"
    yield "block.made:"
    for node, name in function.names.items():
        if node in held:
            yield (
                f"  %{name}.made = phi {kinds[node]} [ %{name}, %{end} ], "
                f"[ %{name}.held, %range.block ]"
            )
    yield "  %block.is.second = icmp ugt i64 %block.begin, %range.begin"
    yield "  br i1 %block.is.second, label %block.later, label %range.stored"
    yield "block.later:"
    yield f"  %later.begin = sub nuw i64 %block.begin, {one.program.block}"
    yield from later.count()
    for node in held:
        yield from later.spread(node)
    yield from later.run(later.all[1:], "block.later", known=second)
    yield "  br label %range.stored"
    yield "range.stored:"
    yield "  br i1 %block.is.new, label %range.block, label %range.done"


def carried(function: Stages) -> Iterator[str]:
    """Lines at the begin of %range.block: what is kept of the block before."""
    for node in _held(function):
        name, kind = function.names[node], number_type(node, function.computed)
        nothing = "0.0" if kind in ("float", "double") else "0"
        yield (
            f"  %{name}.held = phi {kind} [ {nothing}, %range.ready ], "
            f"[ %{name}.made, %range.stored ]"
        )


def _held(function: Stages) -> list[Node]:
    """The numbers of a block that are known after its first stage and needed in a later one."""
    first, second, *others = function.all
    known = [*first.before, *second.before]
    users = [*second.elements, *second.largest]
    for stage in others:
        users += [*stage.before, *stage.elements]
    used = {arg for node in users for arg in node.args} | set(function.one.written.values())
    return [node for node in known if node in used]
