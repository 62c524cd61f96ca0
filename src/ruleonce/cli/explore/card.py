"""The card of a rule in the page's own language: one signature, assignments, one `return`.

Expressions of names and numbers, operators, and calls of the functions of the language that work on
each element; no docstring, no decorator, no `if`, no loop, no call of another rule. A rule that is
written so is its own card, with its comments. What is written otherwise (a combinator, a rule that
calls rules, a switch) has its card made from its graph.
"""

import ast
import builtins
import textwrap

from ...language import functions
from ...language.card import formula_lines
from ...language.rule import Rule
from .assignments import assignments
from .notation import FUNCTIONS, number

_WIDTH = 80

_STATEMENTS = (ast.Module, ast.Assign, ast.AugAssign, ast.Return, ast.Tuple, ast.Store)
_EXPRESSIONS = (
    ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Add,
    ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.FloorDiv, ast.USub, ast.UAdd, ast.Invert,
    ast.BitAnd, ast.BitOr, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip


def card(rule: Rule, name: str) -> str:
    """The card of a rule under this name, its switches at their defaults; see above.

    As a function under @rule, with the rule's own `initial` and `ranges`, it is the same rule.
    """
    lines = formula_lines(rule)
    if rule.made_by is not None or not _is_card(lines, rule):
        lines = "\n".join(assignments(rule))
    return f"{signature(rule, name)}\n{textwrap.indent(lines, '    ')}"


def signature(rule: Rule, name: str) -> str:
    """`def adam(w, dw, m, v, t, *, learning_rate=0.001, ...):`, on four lines if it is long."""
    schema = rule.schema
    positional = [f"{x}: Scalar" if x in schema.scalars else x for x in schema.positional]
    keywords = [f"{x}={number(schema.hyperparameters[x])}" for x in schema.numbers]
    if keywords:
        positional.append("*")
    text = f"def {name}({', '.join([*positional, *keywords])}):"
    if len(text) <= _WIDTH:
        return text
    rows = [
        textwrap.fill(f"{', '.join(row)},", _WIDTH - 4) for row in (positional, keywords) if row
    ]
    inner = textwrap.indent("\n".join(rows), "    ")
    return f"def {name}(\n{inner}\n):"


def _is_card(lines: str, rule: Rule) -> bool:
    """Whether the lines of a rule, which computes, are in the language of cards."""
    try:
        tree = ast.parse(lines)
    except SyntaxError:  # a lambda, or a rule that has no lines on disk
        return False
    names = {*rule.schema.positional, *rule.schema.numbers}
    names |= {x.id for x in ast.walk(tree) if isinstance(x, ast.Name) and _is_target(x)}
    called = {id(x.func) for x in ast.walk(tree) if isinstance(x, ast.Call)}
    *body, last = tree.body or [ast.Pass()]
    return (
        isinstance(last, ast.Return)
        and all(isinstance(x, ast.Assign | ast.AugAssign) and _is_plain(x) for x in body)
        and all(
            _is_known(node, rule) and (not isinstance(node, ast.Name) or node.id in names)
            for node in ast.walk(tree)
            if id(node) not in called
        )
    )


def _is_target(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _is_plain(statement: ast.Assign | ast.AugAssign) -> bool:
    """Whether it gives each of its names a value that stands there."""
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.target, ast.Name) and not isinstance(
            statement.op, ast.BitAnd | ast.BitOr
        )
    target, *others = statement.targets
    if isinstance(target, ast.Tuple):
        value = statement.value
        return not others and isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
    return not others and not isinstance(statement.value, ast.Tuple)


def _is_known(node: ast.AST, rule: Rule) -> bool:
    """Whether the language of cards has this part of a line."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and not node.keywords and _is_ours(node.func, rule)
    return isinstance(node, _STATEMENTS + _EXPRESSIONS)


def _is_ours(called: ast.Name, rule: Rule) -> bool:
    """Whether this name, where the rule is written, is the language's function of that name."""
    written = getattr(rule.function, "__globals__", {})
    found = written.get(called.id, getattr(builtins, called.id, None))
    meant = (getattr(functions, called.id, None), getattr(builtins, called.id, None))
    return called.id in FUNCTIONS and found is not None and found in meant
