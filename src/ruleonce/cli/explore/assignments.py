"""The lines of a card that is made from a graph: `name = expression`, one a named value.

A name is given again and again, as on any card: `m = beta1 * m + ...`. So a line that gives `m` a
new value comes after those that need the old one; where that cannot be, the new one has a name of
its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from ...language import ops
from ...language.graph import Node, in_order
from ...language.rule import Rule
from .notation import FUNCTIONS, written

_PARTS = ("part", *(f"part{number}" for number in range(2, 100)))
_LONG = 3  # operations: what is needed several times, and is as long, has a line of its own


def assignments(rule: Rule) -> list[str]:
    """The body of a card for the rule, its switches at their defaults."""
    traced = rule.traced()
    program = traced.program
    updated = {**program.outputs, **program.scalars}
    results = {node: name for name, node in updated.items() if node.op is not None}
    needed = set(in_order(updated.values()))
    wanted = {
        node: f"{name}_" if name in FUNCTIONS else name
        for node, name in {**program.names, **results}.items()
        if node in needed
    }
    nodes = [node for node in traced.nodes if node in needed]
    wanted |= _names_of_shared_parts(nodes, wanted, {*program.tensors, *program.step_inputs})
    arguments = {node: node.name for node in nodes if node.name is not None}
    lines = _Lines([node for node in nodes if node in wanted], arguments, traced.returns)
    while lines.open:
        node = lines.next(wanted)
        lines.write(node, lines.free_name(node, (wanted[node], program.names.get(node, ""))))
    returned = ", ".join(written(node, lines.called) for node in traced.returns)
    return [*lines.text, f"return {returned}"]


class _Lines:
    """Lines that are written one after another.

    open     the values that have no line yet, each after those that it needs
    called   every value that can be used -> its name
    """

    def __init__(
        self, values: Iterable[Node], arguments: Mapping[Node, str], returned: Iterable[Node]
    ) -> None:
        self.open = list(values)
        self.called = dict(arguments)
        self.text: list[str] = []
        named = {*self.open, *arguments}
        self._needs = {node: _needs(node, named) for node in self.open}
        self._returned = set(returned)

    def next(self, wanted: Mapping[Node, str]) -> Node:
        """The first value that can have a line now, and leaves nobody without what he needs."""
        ready = [node for node in self.open if not self._needs[node] & set(self.open)]
        return next((node for node in ready if self._is_free(wanted[node], node)), ready[0])

    def free_name(self, node: Node, names: Iterable[str]) -> str:
        """The first of these names that the value can have; else one that nobody has."""
        names = [name for name in names if name]
        free = next((name for name in names if self._is_free(name, node)), None)
        count = 0
        while free is None:
            tried = f"new_{names[0]}{count or ''}"
            free = None if tried in self.called.values() else tried
            count += 1
        return free

    def write(self, node: Node, name: str) -> None:
        """Give the value its line; who had the name before is forgotten."""
        self.text.append(f"{name} = {written(node, self.called, top=True)}")
        self.open.remove(node)
        self.called = {other: x for other, x in self.called.items() if x != name}
        self.called[node] = name

    def _is_free(self, name: str, node: Node) -> bool:
        """Whether nobody but `node` needs what has this name now."""
        held = {other for other, x in self.called.items() if x == name}
        later = {x for other in self.open if other is not node for x in self._needs[other]}
        return not held & (later | self._returned)


def _needs(node: Node, named: set[Node]) -> set[Node]:
    """The named values that stand in the expression of a value."""
    found: set[Node] = set()
    open_ = list(node.args)
    while open_:
        one = open_.pop()
        if one in named:
            found.add(one)
        else:
            open_ += one.args
    return found


def _names_of_shared_parts(
    nodes: Iterable[Node], wanted: Mapping[Node, str], arguments: set[str]
) -> dict[Node, str]:
    """Names for what has none, is long, and stands in several places."""
    nodes = list(nodes)
    uses = Counter(arg for node in nodes for arg in node.args)
    taken = {*wanted.values(), *arguments}
    found: dict[Node, str] = {}
    lengths: dict[Node, int] = {}
    for node in nodes:
        has_name = node in wanted or node.op is None
        own = 2 if node.op is ops.WHERE else 1  # it reads as two
        lengths[node] = 0 if has_name else own + sum(lengths[arg] for arg in node.args)
        if uses[node] > 1 and lengths[node] >= _LONG:
            found[node] = next(x for x in _PARTS if x not in taken)
            taken.add(found[node])
            lengths[node] = 0
    return found
