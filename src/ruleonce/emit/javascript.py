"""A program as JavaScript, in float64: what is done once a step, and what for one element.

One value a line, under the author's names, so it can be read beside the rule. `+ - * /`, sqrt and
the other exact operations give the bits of the plain rule; what ops.py decides is decided so here.
Rules that look at whole tensors (sum, dot, size, total, matrices) are refused.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import EmitError
from ..language import ops
from ..language.graph import Node, in_order
from ..language.ops import Op
from ..language.program import Program
from .javascript_functions import FUNCTIONS, NAMES
from .names import identifier, names_of, wanted_names

Result = Node | Sequence["Result"] | Mapping[str, "Result"]

# {0} {1} {2} are the operands: names, or constants of which the negative ones have brackets.
SPELLING: Mapping[Op, str] = {
    ops.ADD: "{0} + {1}",
    ops.SUB: "{0} - {1}",
    ops.MUL: "{0} * {1}",
    ops.DIV: "{0} / {1}",
    ops.NEG: "-{0}",
    ops.MOD: "modulo({0}, {1})",
    ops.FLOORDIV: "floordiv({0}, {1})",
    ops.POWER: "power({0}, {1})",
    ops.ABS: "Math.abs({0})",
    ops.SQRT: "Math.sqrt({0})",
    ops.SIGN: "sign({0})",
    ops.MAXIMUM: "maximum({0}, {1})",
    ops.MINIMUM: "minimum({0}, {1})",
    ops.EXP: "Math.exp({0})",
    ops.LOG: "Math.log({0})",
    ops.TANH: "Math.tanh({0})",
    ops.ARCTAN2: "Math.atan2({0}, {1})",
    ops.CBRT: "Math.cbrt({0})",
    ops.LT: "{0} < {1}",
    ops.LE: "{0} <= {1}",
    ops.GT: "{0} > {1}",
    ops.GE: "{0} >= {1}",
    ops.EQ: "{0} === {1}",
    ops.NE: "{0} !== {1}",
    ops.AND: "{0} && {1}",
    ops.OR: "{0} || {1}",
    ops.NOT: "!{0}",
    ops.WHERE: "{0} ? {1} : {2}",
}

# What JavaScript or the functions here have uses for.
_TAKEN = {
    *NAMES, "Math", "Number", "Infinity", "NaN", "undefined", "arguments", "eval", "await", "break",
    "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do", "else",
    "enum", "export", "extends", "false", "finally", "for", "function", "if", "implements",
    "import", "in", "instanceof", "interface", "let", "new", "null", "package", "private",
    "protected", "public", "return", "static", "super", "switch", "this", "throw", "true", "try",
    "typeof", "var", "void", "while", "with", "yield",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Function:
    """A JavaScript function of numbers.

    arguments   in order: an input of the graph by its name, or a value of the graph that the caller
                has computed
    result      what it returns: a number, an array (a sequence), or an object (a mapping)
    """

    name: str
    arguments: Sequence[str | Node]
    result: Result


def emit(program: Program) -> str:
    """The functions of a rule; the order of everything is that of the program.

    host(...step_inputs)            {numbers, scalars}: what `element` needs, and the new scalars
    element(...tensors, ...numbers) the new value of each tensor but the gradient
    named(...tensors, ...numbers)   the value of each of `named_values(program)`

    Raises EmitError for a rule that looks at whole tensors.
    """
    given: tuple[str | Node, ...] = (*program.tensors, *program.host)
    host = {"numbers": program.host, "scalars": tuple(program.scalars.values())}
    return functions(
        [
            Function("host", program.step_inputs, host),
            Function("element", given, tuple(program.outputs.values())),
            Function("named", given, tuple(named_values(program).values())),
        ],
        wanted_names(program),
        of=program.name,
    )


def module(program: Program) -> str:
    """The same as an ES module."""
    return f"{emit(program)}\nexport {{ element, host, named }};\n"


def named_values(program: Program) -> dict[str, Node]:
    """What has a name and differs between elements, in the order in which it is computed.

    A name stands for what it held last: the new `w`, not one on the way to it.
    """
    outputs = {node: name for name, node in program.outputs.items() if node.op is not None}
    needed = set(in_order(outputs))
    found: dict[str, Node] = {}
    for node, name in {**program.names, **outputs}.items():
        is_shown = node in needed and node.rate == "element" and node.kind == "number"
        if is_shown and found.get(name) not in outputs:
            found.pop(name, None)  # so that it stands where it was last given
            found[name] = node
    return found


def functions(
    wanted: Iterable[Function],
    names: Mapping[Node, str] | None = None,
    spelling: Mapping[Op, str] = SPELLING,
    *,
    of: str = "this expression",
) -> str:
    """JavaScript that defines these functions, and what they call.

    names      what values are to be called; an operation's own name and a number where there is
               none
    spelling   of each operation; more than SPELLING for who has operations beside those of rules
    of         what the functions are of, for the message

    Raises EmitError for an operation that is not in `spelling`.
    """
    wanted = tuple(wanted)
    nodes = in_order(node for one in wanted for node in _leaves(one.result))
    missing = {node.op.name for node in nodes if node.op and node.op not in spelling}
    if missing:
        raise EmitError(
            f"{of} uses {', '.join(sorted(missing))}, which JavaScript does not have here: it "
            "computes one element at a time, and these look at whole tensors."
        )
    inputs = {name for one in wanted for name in one.arguments if isinstance(name, str)}
    called = names_of(nodes, names or {}, inputs)
    spelled = {node: _safe(called[node]) if node in called else constant(node) for node in nodes}
    used = {node.op for node in nodes}
    parts = [
        *(text for op, text in FUNCTIONS.items() if op in used),
        *("\n".join([*_lines(one, nodes, spelled, spelling), ""]) for one in wanted),
    ]
    return "\n".join(parts)


def _lines(
    one: Function, nodes: Sequence[Node], spelled: Mapping[Node, str], spelling: Mapping[Op, str]
) -> Iterator[str]:
    arguments = (_safe(identifier(x)) if isinstance(x, str) else spelled[x] for x in one.arguments)
    yield f"function {one.name}({', '.join(arguments)}) {{"
    for node, op in _computed(one, nodes):
        operands = (spelled[arg] for arg in node.args)
        yield f"  const {spelled[node]} = {spelling[op].format(*operands)};"
    yield f"  return {_returned(one.result, spelled)};"
    yield "}"


def _computed(one: Function, nodes: Sequence[Node]) -> list[tuple[Node, Op]]:
    """The operations between the arguments of a function and its result, in the order of `nodes`,
    in which each stands after its operands.
    """
    needed = set(_leaves(one.result))
    found = []
    for node in reversed(nodes):
        if node in needed and node.op is not None and node not in one.arguments:
            found.append((node, node.op))
            needed.update(node.args)
    return found[::-1]


def _leaves(result: Result) -> Iterator[Node]:
    if isinstance(result, Node):
        yield result
    else:
        for part in result.values() if isinstance(result, Mapping) else result:
            yield from _leaves(part)


def _returned(result: Result, spelled: Mapping[Node, str]) -> str:
    if isinstance(result, Node):
        return f"Number({spelled[result]})" if result.kind == "truth" else spelled[result]
    if isinstance(result, Mapping):
        parts = (f"{name}: {_returned(part, spelled)}" for name, part in result.items())
        return f"{{{', '.join(parts)}}}"
    return f"[{', '.join(_returned(part, spelled) for part in result)}]"


def _safe(name: str) -> str:
    """A name that JavaScript takes; another for another name."""
    return f"{name}_" if name.rstrip("_") in _TAKEN else name


def constant(node: Node) -> str:
    """A number of the rule as JavaScript writes it; in brackets if it is negative."""
    value = node.value
    if isinstance(value, bool):
        return str(value).lower()
    assert value is not None  # noqa: S101
    text = "NaN" if math.isnan(value) else repr(value).replace("inf", "Infinity")
    return f"({text})" if math.copysign(1, value) < 0 else text
