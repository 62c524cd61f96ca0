"""Trace a rule: run its function once on symbols, and check what it returned."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any  # the function of a rule

from ..errors import RuleError
from .graph import Graph, Node
from .locals import Locals
from .program import Program
from .symbol import Symbol, as_number

if TYPE_CHECKING:
    from .rule import Rule

_current: ContextVar[Locals | None] = ContextVar("locals of the rule being traced", default=None)


@dataclass(frozen=True, eq=False)
class Traced:
    """What a run on symbols left.

    program    the rule, cut into host and device work
    returns    the values that it returned, in its own order
    nodes      every value, in the order in which it came to be
    in_place   whether it wrote `w += ...`
    """

    program: Program
    returns: tuple[Node, ...]
    nodes: tuple[Node, ...]
    in_place: bool


def note_nested(function: Callable[..., Any]) -> None:
    """A rule was called by the one that is being traced: its author's names are wanted as well."""
    if (seen := _current.get()) is not None and hasattr(function, "__code__"):
        seen.codes.add(function.__code__)


def trace(rule: "Rule", switches: Mapping[str, bool]) -> Traced:
    """Run `rule` once on symbols. Raises RuleError for what the language cannot hold."""
    schema = rule.schema
    graph = Graph()
    arguments = {name: graph.input(name, "element") for name in schema.tensors}
    arguments |= {name: graph.input(name, "step") for name in schema.step_inputs}
    symbols = {name: Symbol(graph, node) for name, node in arguments.items()}
    positional = [symbols[name] for name in schema.positional]
    keywords = {name: symbols[name] for name in schema.numbers} | dict(switches)
    with Locals() as seen:
        token = _current.set(seen)
        try:
            note_nested(rule.function)
            result = rule.function(*positional, **keywords)
        finally:
            _current.reset(token)
    returned = rule.returned(result)
    nodes = tuple(
        _returned_node(rule, graph, name, value)
        for name, value in zip(schema.returns, returned, strict=True)
    )
    outputs = dict(zip(schema.returns, nodes, strict=True))
    names = author_names(seen, set(arguments.values()))
    program = Program(
        name=schema.name,
        tensors=schema.tensors,
        step_inputs=schema.step_inputs,
        outputs={name: node for name, node in outputs.items() if name not in schema.scalars},
        scalars={name: outputs[name] for name in schema.scalars},
        names={node: names[node] for node in graph.nodes if node in names},
    )
    return Traced(program, nodes, graph.nodes, graph.in_place)


def _returned_node(rule: "Rule", graph: Graph, name: str, value: object) -> Node:
    schema = rule.schema
    at = f"{schema.place}: {schema.name}"
    if not isinstance(value, Symbol):
        return graph.constant(as_number(value, f"returned as {name}"))
    node = value.node
    if name == schema.weights and node.name == schema.gradient:
        raise RuleError(
            f"{at} returns its gradient {node.name} as the new {name}.\n"
            f"  Write: {name} = {name} - learning_rate * {node.name}, and return {name}."
        )
    if node.kind == "truth":
        raise RuleError(
            f"{at} returns `{node!r}` as {name}, which is true or false, not a number.\n"
            "  Write where(condition, x, y)."
        )
    if name in schema.scalars and node.rate != "step":
        raise RuleError(
            f"{at} returns `{node!r}` as {name}, which is one number for the whole optimizer, but "
            f"the value differs between {node.rate}s.\n"
            "  Make it from hyperparameters, t, scalar state and totals such as total(sum(x)), or "
            "do not call it Scalar."
        )
    return node


def author_names(seen: Locals, arguments: set[Node]) -> dict[Node, str]:
    """What the author called each computed value; the rule's own names before those of rules that
    it calls.
    """
    names: dict[Node, str] = {}
    for found in reversed(seen.found):
        for name, value in found.items():
            node = value.node if isinstance(value, Symbol) else None
            if node is not None and node.op is not None and node not in arguments:
                names.setdefault(node, name)
    return names
