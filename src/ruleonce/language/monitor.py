"""What can be seen of a step while it is made: sums that its last pass makes beside its writes."""

from functools import lru_cache

from . import ops
from .graph import Graph, Node
from .program import Program

# The columns of what is reported of each tensor: sums of squares of the gradient, of the weights
# before the step and of what the step adds to them, and how many elements of the gradient are
# infinite or nan.
GRADIENT, WEIGHTS, UPDATE, NONFINITE = range(4)


@lru_cache(maxsize=256)
def monitored(program: Program) -> Program:
    """The program that reports these columns; made once for each program."""
    graph = Graph()
    weights, gradient = (graph.input(name, "element") for name in program.tensors[:2])
    update = graph.apply(ops.SUB, program.outputs[program.tensors[0]], weights)
    return program.with_reports(
        (
            *(graph.apply(ops.DOT, x, x) for x in (gradient, weights, update)),
            nonfinite(graph, gradient),
        )
    )


def nonfinite(graph: Graph, x: Node) -> Node:
    """How many elements are infinite or nan: for those alone x - x is not 0."""
    nothing = graph.apply(ops.SUB, x, x)
    is_odd = graph.apply(ops.NE, nothing, graph.constant(0.0))
    return graph.apply(
        ops.SUM, graph.apply(ops.WHERE, is_odd, graph.constant(1.0), graph.constant(0.0))
    )
