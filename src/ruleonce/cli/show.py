"""`ruleonce show adam` and `ruleonce cards`: a rule as a card, as formulas, as the code it becomes."""

from collections.abc import Callable, Mapping

from ..emit import llvm, python
from ..formats import computed_in, format_of
from ..language.hyperparameters import nearest
from ..language.rule import Rule

Writer = Callable[[Rule, str], str]


def _ir(rule: Rule, dtype: str) -> str:
    form = format_of(dtype, "--dtype")
    program = rule.program()
    return llvm.emit(program, dict.fromkeys(program.tensors, form), computed_in([form]))


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
}


def shown(rule: Rule, form: str, dtype: str) -> str:
    """A rule as one of FORMS. Raises ValueError for another form, TensorTypeError for the dtype."""
    if form not in FORMS:
        raise ValueError(f"there is no form {form!r}{nearest(form, FORMS)}")
    return FORMS[form](rule, dtype).rstrip("\n")


def listed(rules: tuple[Rule, ...]) -> str:
    """A line a rule: its name, what it is, its hyperparameters."""
    width = max(len(rule.name) for rule in rules)
    lines = []
    for rule in rules:
        values = ", ".join(f"{name}={value:g}" for name, value in rule.hyperparameters.items())
        lines += [f"{rule.name:<{width}}  {rule.summary}", f"{'':<{width}}  {values}"]
    return "\n".join(lines)
