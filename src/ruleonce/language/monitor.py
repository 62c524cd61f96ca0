"""What can be seen of a step while it is made: sums that its last pass makes beside its writes."""

from functools import lru_cache

from . import ops
from .graph import Graph
from .program import Program

# The columns of what is reported of each tensor: sums of squares of the gradient, of the weights
# before the step and of what the step adds to them.
GRADIENT, WEIGHTS, UPDATE = range(3)


@lru_cache(maxsize=256)
def monitored(program: Program) -> Program:
    """The program that reports these columns; made once for each program."""
    graph = Graph()
    weights, gradient = (graph.input(name, "element") for name in program.tensors[:2])
    update = graph.apply(ops.SUB, program.outputs[program.tensors[0]], weights)
    return program.with_reports(
        tuple(graph.apply(ops.DOT, x, x) for x in (gradient, weights, update))
    )
