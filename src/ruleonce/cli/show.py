"""`ruleonce show` and `ruleonce cards`: a rule as a card, as formulas, as the code it becomes."""

from collections.abc import Callable, Mapping
from pathlib import Path

from .. import rules
from ..emit import javascript, llvm, python, triton
from ..errors import CommandError
from ..formats import computed_in, format_of
from ..language.hyperparameters import nearest
from ..language.rule import Rule
from .rule_file import rules_of

Writer = Callable[[Rule, str], str]


def _ir(rule: Rule, dtype: str) -> str:
    from ..engines.native import fused, vbmi

    form = format_of(dtype, "--dtype")
    program = rule.program()
    formats = dict.fromkeys(program.tensors, form)
    return llvm.emit(program, formats, computed_in([form]), fused(), vbmi=vbmi())


def _triton(rule: Rule, dtype: str) -> str:
    form = format_of(dtype, "--dtype")
    program = rule.program()
    return triton.emit(program, dict.fromkeys(program.tensors, form), computed_in([form]))


def _assembly(rule: Rule, dtype: str) -> str:
    from ..engines.native import assembly

    return assembly(_ir(rule, dtype))


# What a rule can be shown as; each takes the rule and the dtype of its tensors.
FORMS: Mapping[str, Writer] = {
    "card": lambda rule, _: str(rule),
    "latex": lambda rule, _: rule.latex(),
    "program": lambda rule, _: str(rule.program()),
    "host": lambda rule, _: python.emit(rule.program()),
    "ir": _ir,
    "asm": _assembly,
    "triton": _triton,
    "javascript": lambda rule, _: javascript.module(rule.program()),
}


def found(name: str, rule_file: Path | None) -> Rule:
    """The rule of that name: the reader's own, or one of ruleonce's.

    Raises CommandError, with the nearest name, if there is none; RuleFileError for the file.
    """
    known = {rule.name: rule for rule in rules.ALL} | (rules_of(rule_file) if rule_file else {})
    if name not in known:
        raise CommandError(f"there is no rule {name!r}{nearest(name, known)}")
    return known[name]


def shown(rule: Rule, form: str, dtype: str) -> str:
    """A rule as one of FORMS. Raises CommandError for another, TensorTypeError for the dtype."""
    if form not in FORMS:
        raise CommandError(f"--as {form}: there is no such form{nearest(form, FORMS)}")
    return FORMS[form](rule, dtype).rstrip("\n")


def listed(all_: tuple[Rule, ...]) -> str:
    """Two lines a rule: its name and what it is, then its hyperparameters."""
    width = max(len(rule.name) for rule in all_)
    lines = []
    for rule in all_:
        values = ", ".join(f"{name}={value:g}" for name, value in rule.hyperparameters.items())
        lines += [f"{rule.name:<{width}}  {rule.summary}", f"{'':<{width}}  {values}"]
    return "\n".join(lines)
