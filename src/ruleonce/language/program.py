"""Program: the graph of a rule, cut in two.

What depends on hyperparameters, scalar state and `t` alone is *host* work: it is done once a step,
in float64 by Python itself, because in float32 `1 - beta2**t` keeps four digits (beta2 = 0.9999,
t = 1) and in bfloat16 beta2 = 0.999 is 1. What is left is *device* work, done for each element.
The cut moves work; it never rearranges it, so a kernel gives the bits of the rule read from left to
right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .graph import Node, in_order


@dataclass(frozen=True, eq=False)
class Program:
    """What an engine needs to know of a rule.

    name         of the rule
    tensors      the names of w, dw and each state tensor, in the order of the rule
    step_inputs  the names of what arrives once a step: hyperparameters, scalar state, t
    outputs      tensor name -> its new value; every tensor but the gradient
    scalars      name of a scalar state -> its new value
    names        node -> what the author called it
    """

    name: str
    tensors: tuple[str, ...]
    step_inputs: tuple[str, ...]
    outputs: Mapping[str, Node]
    scalars: Mapping[str, Node]
    names: Mapping[Node, str]

    @cached_property
    def written(self) -> Mapping[str, Node]:
        """The tensors that change, with their new values."""
        return {
            name: node
            for name, node in self.outputs.items()
            if not (node.op is None and node.name == name)
        }

    @cached_property
    def body(self) -> tuple[Node, ...]:
        """The device work: every operation that is done for each element, in order."""
        return tuple(
            node
            for node in in_order(self.written.values())
            if node.rate == "element" and node.op is not None
        )

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The tensors that are read."""
        leaves = {n.name for n in in_order(self.written.values()) if n.rate == "element"}
        return tuple(name for name in self.tensors if name in leaves)

    @cached_property
    def host(self) -> tuple[Node, ...]:
        """The numbers that cross from host to device: one each a step."""
        used = {arg for node in self.body for arg in node.args} | set(self.written.values())
        return tuple(node for node in in_order(self.written.values()) if _crosses(node, used))

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
            where = "host  " if node.rate == "step" else "device"
            named = f"  # {self.names[node]}" if node in self.names else ""
            bare = text[1:-1] if text.startswith("(") else text
            lines.append(f"  {where}  %{number} = {bare}{named}")
        for name, node in {**self.scalars, **self.outputs}.items():
            lines.append(f"  {name} <- {shown[node]}")
        return "\n".join(lines)


def _crosses(node: Node, used: set[Node]) -> bool:
    return node.rate == "step" and not node.is_constant and node in used
