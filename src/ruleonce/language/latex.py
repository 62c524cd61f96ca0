"""The formulas of a program in LaTeX, from its graph, under the author's own names."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from . import ops
from .graph import Node, in_order
from .ops import Op
from .program import Program

GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "lambda", "mu", "nu", "rho", "sigma", "tau")
NAMES: Mapping[str, str] = {
    "learning_rate": r"\eta",
    "eps": r"\epsilon",
    "weight_decay": r"\lambda",
    "momentum": r"\mu",
    "dw": r"\mathrm{d}w",
}

# How tightly each operation holds its operands together: a looser one inside needs brackets.
_ATOM, _POWER, _PRODUCT, _MINUS, _SUM, _COMPARE, _LOGIC = range(7)

_LONG = 12  # operations and what they are of, without a name

_Speller = Callable[..., str]
# name: (how tight the result is, how tight each operand must be, how it is written)
SPELLING: Mapping[Op, tuple[int, tuple[int, ...], str]] = {
    ops.ADD: (_SUM, (_SUM, _SUM), "{} + {}"),
    ops.SUB: (_SUM, (_SUM, _PRODUCT), "{} - {}"),
    ops.MUL: (_PRODUCT, (_PRODUCT, _PRODUCT), r"{} \, {}"),
    ops.DIV: (_PRODUCT, (_LOGIC, _LOGIC), r"\frac{{{}}}{{{}}}"),
    ops.NEG: (_MINUS, (_PRODUCT,), "-{}"),
    ops.MOD: (_PRODUCT, (_PRODUCT, _POWER), r"{} \bmod {}"),
    ops.FLOORDIV: (_ATOM, (_LOGIC, _LOGIC), r"\left\lfloor\frac{{{}}}{{{}}}\right\rfloor"),
    ops.POWER: (_POWER, (_ATOM, _LOGIC), "{}^{{{}}}"),
    ops.ABS: (_ATOM, (_LOGIC,), r"\left|{}\right|"),
    ops.SQRT: (_ATOM, (_LOGIC,), r"\sqrt{{{}}}"),
    ops.SIGN: (_ATOM, (_LOGIC,), r"\operatorname{{sign}}\left({}\right)"),
    ops.MAXIMUM: (_ATOM, (_LOGIC, _LOGIC), r"\max\left({}, {}\right)"),
    ops.MINIMUM: (_ATOM, (_LOGIC, _LOGIC), r"\min\left({}, {}\right)"),
    ops.EXP: (_ATOM, (_LOGIC,), r"\exp\left({}\right)"),
    ops.LOG: (_ATOM, (_LOGIC,), r"\log\left({}\right)"),
    ops.TANH: (_ATOM, (_LOGIC,), r"\tanh\left({}\right)"),
    ops.ARCTAN2: (_ATOM, (_LOGIC, _LOGIC), r"\operatorname{{arctan2}}\left({}, {}\right)"),
    ops.CBRT: (_ATOM, (_LOGIC,), r"\sqrt[3]{{{}}}"),
    ops.LT: (_COMPARE, (_SUM, _SUM), "{} < {}"),
    ops.LE: (_COMPARE, (_SUM, _SUM), r"{} \le {}"),
    ops.GT: (_COMPARE, (_SUM, _SUM), "{} > {}"),
    ops.GE: (_COMPARE, (_SUM, _SUM), r"{} \ge {}"),
    ops.EQ: (_COMPARE, (_SUM, _SUM), "{} = {}"),
    ops.NE: (_COMPARE, (_SUM, _SUM), r"{} \ne {}"),
    ops.AND: (_LOGIC, (_COMPARE, _COMPARE), r"{} \land {}"),
    ops.OR: (_LOGIC, (_COMPARE, _COMPARE), r"{} \lor {}"),
    ops.NOT: (_ATOM, (_ATOM,), r"\lnot {}"),
    ops.WHERE: (
        _ATOM,
        (_LOGIC, _LOGIC, _LOGIC),
        r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
    ),
    ops.SUM: (_ATOM, (_LOGIC,), r"\operatorname{{sum}}\left({}\right)"),
    ops.DOT: (_ATOM, (_LOGIC, _LOGIC), r"\left\langle {}, {} \right\rangle"),
    ops.SIZE: (_ATOM, (_LOGIC,), r"\operatorname{{size}}\left({}\right)"),
    ops.TOTAL: (_ATOM, (_LOGIC,), r"\operatorname{{total}}\left({}\right)"),
    ops.MATMUL: (_PRODUCT, (_PRODUCT, _PRODUCT), r"{} \, {}"),
    ops.TRANSPOSE: (_POWER, (_ATOM,), r"{}^{{\top}}"),
    ops.ROWS: (_ATOM, (_LOGIC,), r"\operatorname{{rows}}\left({}\right)"),
    ops.COLUMNS: (_ATOM, (_LOGIC,), r"\operatorname{{columns}}\left({}\right)"),
}


def latex(program: Program) -> str:
    """One line for each value that the author gave a name, and one for each output.

    What is updated carries its step: `m_t` is made from `m_{t-1}`.
    """
    updated = {**program.outputs, **program.scalars}
    names: dict[Node, str] = {
        node: symbol(name) + ("'" if name in updated else "")  # w', on the way to w_t
        for node, name in program.names.items()
        if node not in updated.values()
    }
    names |= {node: f"{symbol(name)}_t" for name, node in updated.items() if node.op is not None}
    nodes = in_order(updated.values())
    for node in nodes:
        if node.name is not None:
            names[node] = symbol(node.name) + ("_{t-1}" if node.name in updated else "")
    names |= _names_of_long_parts(nodes, names)
    lines = [
        f"{names[node]} &= {_spelled(node, names, top=True)[0]}"
        for node in nodes
        if node in names and node.op is not None
    ]
    unchanged = [name for name, node in updated.items() if node.op is None]
    lines += [f"{symbol(n)}_t &= {_spelled(updated[n], names)[0]}" for n in unchanged]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _names_of_long_parts(nodes: Sequence[Node], names: Mapping[Node, str]) -> dict[Node, str]:
    """Names for what has none, is long, and would stand in several places: spelled out in each, the
    rounds of a loop would grow beyond all bounds.
    """
    uses = Counter(arg for node in nodes for arg in node.args)
    found: dict[Node, str] = {}
    lengths: dict[Node, int] = {}
    for node in nodes:
        lengths[node] = 1 if node in names else 1 + sum(lengths[arg] for arg in node.args)
        if uses[node] > 1 and lengths[node] > _LONG:
            found[node] = rf"\chi_{{{len(found) + 1}}}"
            lengths[node] = 1
    return found


def symbol(name: str) -> str:
    r"""A Python name as a mathematical symbol: beta1 is \beta_1, m_hat is \hat{m}."""
    if name in NAMES:
        return NAMES[name]
    base = name.rstrip("0123456789")
    index = name[len(base) :]
    if base.endswith("_hat"):
        return rf"\hat{{{symbol(base[:-4] + index)}}}"
    if base in GREEK:
        letter = rf"\{base}"
    elif len(base) == 1:
        letter = base
    else:
        letter = r"\mathit{" + base.rstrip("_").replace("_", r"\_") + "}"
    return f"{letter}_{{{index}}}" if index else letter


def _spelled(node: Node, names: Mapping[Node, str], *, top: bool = False) -> tuple[str, int]:
    """A node as LaTeX, and how tightly it holds together; a named node is its name."""
    if node in names and not top:
        return names[node], _ATOM
    if node.op is None:
        return _constant(node)
    tightness, needs, text = SPELLING[node.op]
    operands = []
    for arg, need in zip(node.args, needs, strict=True):
        operand, found = _spelled(arg, names)
        brackets = found > need or (need == _ATOM and operand.endswith("_{t-1}"))
        operands.append(rf"\left({operand}\right)" if brackets else operand)
    if node.op is ops.MUL and node.args[0] is node.args[1]:
        base, found = _spelled(node.args[0], names)
        return (
            f"{base}^2" if found == _ATOM and "_" not in base else rf"\left({base}\right)^2"
        ), _POWER
    return text.format(*operands), tightness


def _constant(node: Node) -> tuple[str, int]:
    value = node.value
    if isinstance(value, bool):
        return rf"\text{{{value}}}".lower(), _ATOM
    text = (
        f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else repr(value)
    )
    mantissa, e, exponent = text.partition("e")
    if e:
        power = f"10^{{{int(exponent)}}}"
        text = power if mantissa == "1" else rf"{mantissa} \cdot {power}"
    text = text.replace("inf", r"\infty").replace("nan", r"\text{nan}")
    return text, _MINUS if text.startswith("-") else _ATOM
