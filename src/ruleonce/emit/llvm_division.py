"""The division of elements by a number of the step, exactly, without the divider.

The divider of a processor is slow: while the tensors of Adam are in the cache, its two divisions by
`1 - beta**t` are a third of a step (more in float64). For a divisor c that stays, a quotient takes
one product and three fused multiply-adds, once these numbers are there:

    inverse  1 / c, correctly rounded
    upper    the number below `inverse`, and so less than 1 / c
    lower    1 / c - upper, rounded; more than 0

    near = upper * x + lower * x    one of the two numbers around x / c ("faithful"): it is off by
                                    its last rounding, and by very little more
    rest = near * c - x             exact, if it is not too small: it has no more bits than a number
    near - inverse * rest           x / c, correctly rounded

That the last line is, is Markstein's theorem: P. Markstein, "Computation of elementary functions on
the IBM RISC System/6000 processor", IBM J. Res. Dev. 34 (1990); Muller et al., "Handbook of
Floating-Point Arithmetic" (2nd ed., 2018), section 4.7. It asks for a correctly rounded `inverse`,
a faithful `near` and an exact `rest`, in any precision, where nothing overflows or underflows. The
zeros are right as well, which depends on how the lines are written: if x is -0.0, so are both
products of `near`; and a `rest` of 0 is +0.0, which taken off leaves `near` as it is.

So c is to be a positive number of medium size, else the run has no vectors; and x is to be 0, or of
medium size too: one half of all exponents are. A vector with any other x in it (tiny, huge, inf,
nan) is divided as it always was: it is slower, not different.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import frexp

from ..formats import FLOAT32, FLOAT64, Format
from ..language import ops
from ..language.graph import Node
from .llvm_lanes import ONE, Lanes
from .llvm_memory import FLOATS

# c lies from 2**-this to 2**this.
_MEDIUM: Mapping[Format, int] = {FLOAT32: 24, FLOAT64: 64}

# Added to the bits of x this sets the top bit of the exponent where |x| is from 2**-95 to 2**33 (in
# float64: 2**-767 to 2**257), and nowhere else. Then x / c is far from overflow, and `rest` is
# exact: its last bit is 46 or 47 (104 or 105) places below the first of x, and so far above that of
# the least number there is, 2**-149 (2**-1074).
_SHIFT: Mapping[Format, int] = {FLOAT32: 96 << 23, FLOAT64: 768 << 52}
_TOP: Mapping[Format, int] = {FLOAT32: 1 << 30, FLOAT64: 1 << 62}

PARTS = ("inverse", "upper", "lower")  # of a divisor; `ready` leaves them in %<result>.<part>

# {r} is the result, {c} and {x} are the operands, {d} is what the PARTS are called after, {p} is a
# prefix for what belongs to no single division; {T} {N} {B} are the types of numbers, of their bits
# and of truths.
_READY = """\
%{r}.is.large = fcmp oge {T} {c}, {least}
%{r}.is.small = fcmp ole {T} {c}, {most}
%{r}.fits = and i1 %{r}.is.large, %{r}.is.small
%{r}.inverse = fdiv {T} 1.0, {c}
%{r}.inverse.bits = bitcast {T} %{r}.inverse to {N}
%{r}.upper.bits = sub {N} %{r}.inverse.bits, 1
%{r}.upper = bitcast {N} %{r}.upper.bits to {T}
%{r}.minus = fneg {T} {c}
%{r}.missing = call {T} @llvm.fma.{I}({T} %{r}.upper, {T} %{r}.minus, {T} 1.0)
%{r}.lower = fmul {T} %{r}.missing, %{r}.inverse"""

_SHIFTED = """\
%{r}.bits = bitcast {T} {x} to {N}
%{r}.shifted = add {N} %{r}.bits, {shift}"""

_CHECK = """\
%{p}.top = and {N} {shifted}, {top}
%{p}.is.far = icmp eq {N} %{p}.top, {nothing}
%{p}.any.far = call i1 @llvm.vector.reduce.or.{I1}({B} %{p}.is.far)
br i1 %{p}.any.far, label %{p}.look, label %{p}.multiply, !prof !0
{p}.look:"""

_LOOK = """\
%{r}.top = and {N} %{r}.shifted, {top}
%{r}.is.far = icmp eq {N} %{r}.top, {nothing}
%{r}.is.some = fcmp une {T} {x}, {zero}
%{r}.is.odd = and {B} %{r}.is.far, %{r}.is.some"""

_CHOOSE = """\
%{p}.any.odd = call i1 @llvm.vector.reduce.or.{I1}({B} {odd})
br i1 %{p}.any.odd, label %{p}.divide, label %{p}.multiply
{p}.divide:"""

_DIVIDE = "%{r}.divided = fdiv {T} {x}, {c}"

_MULTIPLY = """\
%{r}.little = fmul {T} %{d}.lower.all, {x}
%{r}.near = call {T} @llvm.fma.{I}({T} %{d}.upper.all, {T} {x}, {T} %{r}.little)
%{r}.x.minus = fneg {T} {x}
%{r}.rest = call {T} @llvm.fma.{I}({T} %{r}.near, {T} {c}, {T} %{r}.x.minus)
%{r}.rest.minus = fneg {T} %{r}.rest
%{r}.product = call {T} @llvm.fma.{I}({T} %{d}.inverse.all, {T} %{r}.rest.minus, {T} %{r}.near)"""

_JOIN = "%{r} = phi {T} [ %{r}.product, %{p}.multiply ], [ %{r}.divided, %{p}.divide ]"


@dataclass(frozen=True, slots=True)
class Quotient:
    """A division: what its result and its operands are called.

    ready   what the PARTS of its divisor are called after
    """

    result: str
    dividend: str
    divisor: str
    ready: str


def is_by_step_number(node: Node) -> bool:
    """Whether a node divides elements by what is one number in a step.

    A power of two that is written in the rule is not meant: LLVM makes an exact product of it.
    """
    if node.op is not ops.DIV or node.args[0].rate != "element" or node.args[1].rate != "step":
        return False
    written = node.args[1].value
    return written is None or abs(frexp(written)[0]) != 0.5


def rounds(body: Sequence[Node]) -> list[tuple[list[Node], list[Node]]]:
    """The nodes in an order in which few checks suffice: such divisions, then what can be done
    before the next ones; and so on.
    """
    depth: dict[Node, int] = {}
    found: list[tuple[list[Node], list[Node]]] = []
    for node in body:
        divides = is_by_step_number(node)
        depth[node] = max((depth.get(arg, 0) for arg in node.args), default=0) + divides
        while len(found) <= depth[node]:
            found.append(([], []))
        found[depth[node]][0 if divides else 1].append(node)
    return found


def ready(result: str, divisor: str, computed: Format) -> Iterator[str]:
    """Lines before the loop, for one number: the PARTS of a divisor, and whether it fits."""
    words, medium = _words(computed, ONE), 2.0 ** _MEDIUM[computed]
    text = _READY.format(r=result, c=divisor, least=1 / medium, most=medium, **words)
    yield from text.split("\n")


def quotients(
    together: Sequence[Quotient], prefix: str, computed: Format, lanes: Lanes
) -> Iterator[str]:
    """Lines in the loop, with one check for some divisions; they end in another block than the one
    that they begin in.
    """
    words = {"p": prefix, **_words(computed, lanes)}

    def each(text: str) -> Iterator[str]:
        for q in together:
            found = text.format(r=q.result, x=q.dividend, c=q.divisor, d=q.ready, **words)
            yield from found.split("\n")

    shifted = [f"%{q.result}.shifted" for q in together]
    all_shifted, lines = folded(f"and {words['N']}", f"%{prefix}.shifted", shifted)
    yield from (*each(_SHIFTED), *lines)
    yield from _CHECK.format(shifted=all_shifted, **words).split("\n")
    odd = [f"%{q.result}.is.odd" for q in together]
    any_odd, lines = folded(f"or {words['B']}", f"%{prefix}.is.odd", odd)
    yield from (*each(_LOOK), *lines)
    yield from _CHOOSE.format(odd=any_odd, **words).split("\n")
    yield from each(_DIVIDE)
    yield f"br label %{prefix}.join"
    yield f"{prefix}.multiply:"
    yield from each(_MULTIPLY)
    yield f"br label %{prefix}.join"
    yield f"{prefix}.join:"
    yield from each(_JOIN)


def folded(op: str, result: str, operands: Sequence[str]) -> tuple[str, list[str]]:
    """What all operands in one are called, and the lines that make it."""
    lines, last = [], operands[0]
    for number, operand in enumerate(operands[1:], start=1):
        lines.append(f"{result}.{number} = {op} {last}, {operand}")
        last = f"{result}.{number}"
    return last, lines


def declarations(computed: Format, lanes: Lanes) -> Iterator[str]:
    """What the lines call, and how seldom a vector is not of medium size."""
    for words in (_words(computed, ONE), _words(computed, lanes)):
        number = words["T"]
        yield f"declare {number} @llvm.fma.{words['I']}({number}, {number}, {number})"
    yield f"declare i1 @llvm.vector.reduce.or.{words['I1']}({words['B']})"
    yield '!0 = !{!"branch_weights", i32 1, i32 1000}'


def _words(computed: Format, lanes: Lanes) -> dict[str, str]:
    """How the templates' types and constants are written."""
    bits, number = 8 * computed.itemsize, FLOATS[computed]
    return {
        "T": lanes.of(number),
        "N": lanes.of(f"i{bits}"),
        "B": lanes.of("i1"),
        "I": lanes.suffix("f", bits),
        "I1": lanes.suffix("i", 1),
        "zero": lanes.all(number, "0.0"),
        "nothing": lanes.all(f"i{bits}", "0"),
        "shift": lanes.all(f"i{bits}", str(_SHIFT[computed])),
        "top": lanes.all(f"i{bits}", str(_TOP[computed])),
    }
