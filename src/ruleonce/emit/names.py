"""Names for the values of a program, so that emitted code reads like the rule it came from."""

import re
from collections.abc import Iterable, Mapping

from ..language.graph import Node
from ..language.program import Pass, Program


def identifier(name: str) -> str:
    """A name that every language takes: ASCII letters, digits and underscores."""
    name = name.strip("<>").replace(".", "__")  # the part of a tensor
    plain = re.sub(r"\W", lambda m: f"u{ord(m[0]):04x}", name, flags=re.ASCII)
    return plain if plain[:1].isalpha() else f"x{plain}"


def node_names(source: Program | Pass, nodes: tuple[Node, ...]) -> dict[Node, str]:
    """A name for each of `nodes`: the argument's, the author's (`m_new` where `m` is an argument),
    or else the operation's with a number.
    """
    program = source.program if isinstance(source, Pass) else source
    return names_of(nodes, wanted_names(program), (*program.tensors, *program.step_inputs))


def wanted_names(program: Program) -> dict[Node, str]:
    """What the author called the values of a program; the new `m` is `m_new`."""
    updated = {**program.scalars, **program.outputs}
    results = {node: f"{name}_new" for name, node in updated.items()}
    return {**program.names, **results}


def names_of(
    nodes: Iterable[Node], wanted: Mapping[Node, str], arguments: Iterable[str]
) -> dict[Node, str]:
    """A name for each of `nodes`, no two the same: the argument's, the wanted one, with a number if
    it is taken, or else the operation's with a number.
    """
    taken = {identifier(name) for name in arguments}
    names: dict[Node, str] = {}
    for node in nodes:
        if node.name is not None:
            names[node] = identifier(node.name)
        elif node.op is not None:
            name = identifier(wanted.get(node) or node.op.name)
            names[node] = _free(name, taken, numbered=name == node.op.name)
            taken.add(names[node])
    return names


def _free(wanted: str, taken: set[str], *, numbered: bool) -> str:
    name, count = (f"{wanted}_1", 1) if numbered else (wanted, 0)
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name
