"""The host part of a program as a Python function: what is done once a step, in float64.

It hands the numbers that the kernel needs to `pack` (a bound `struct.Struct.pack_into`) and returns
the new scalar state; nan stands for what has to be measured first.

Python's own operators do it, so that `beta**t` has the bits that the rule has when it is called as
a plain function (NumPy's power differs in the last one).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any  # what exec fills

from ..language import bits, ops
from ..language.graph import Node, in_order
from ..language.program import Program
from .names import identifier, node_names

HostFunction = Callable[..., tuple[float, ...]]  # (pack, buffer, *step inputs)

# Operators are written as such. The rest are called: `~` of a Python bool is not its negation, and
# whole numbers wrap around.
_CALLED = {"not"}
_NAMESPACE: Mapping[str, Any] = {
    "inf": math.inf,
    "nan": math.nan,
    **{f"{name}_": op.number for name, op in {**ops.OPS, **bits.OPS}.items()},
}


def emit(program: Program) -> str:
    """A function (_pack, _buffer, *step inputs) that packs `program.host`; see above."""
    measured = program.measured_scalars
    scalars = tuple(node for name, node in program.scalars.items() if name not in measured)
    nodes = in_order((*scalars, *program.host))
    names = node_names(program, nodes)

    def spelled(node: Node) -> str:
        return names.get(node) or f"({node.value!r})"  # (-1.0) ** t

    lines = [f"    {names[n]} = {_call(n, *map(spelled, n.args))}" for n in nodes if n.op]
    arguments = ", ".join(["_pack", "_buffer", *map(identifier, program.step_inputs)])
    numbers = "".join(f", {spelled(node)}" for node in program.host)
    known = {node: f"float({spelled(node)}), " for node in scalars}
    returned = "".join(known.get(node, "nan, ") for node in program.scalars.values()).rstrip()
    return "\n".join(
        [
            f"def {identifier(program.name)}_host({arguments}):",
            *lines,
            f"    _pack(_buffer, 0{numbers})",
            f"    return ({returned})",
            "",
        ]
    )


def load(source: str) -> HostFunction:
    """The function that `emit` wrote."""
    namespace = dict(_NAMESPACE)
    exec(compile(source, "<host part>", "exec"), namespace)  # noqa: S102  (our own text)
    function: HostFunction = next(v for k, v in namespace.items() if k.endswith("_host"))
    return function


def _call(node: Node, *operands: str) -> str:
    assert node.op is not None  # noqa: S101
    op = node.op
    is_operator = op.text[0] == "(" and op.name not in _CALLED and op.gives != "integer"
    if is_operator:
        return op.text.format(*operands)[1:-1]
    return f"{op.name}_({', '.join(operands)})"
