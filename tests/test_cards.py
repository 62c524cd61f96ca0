"""A rule stays a card: few lines, written once, and named nowhere else twice."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import ruleonce as ro

SOURCE = Path(ro.__file__).parent
LONGEST = 12  # lines of a rule's body
FAMILY = 900  # lines of all files of rules


def body_lines(rule):
    """The lines of a rule between its docstring and its end."""
    tree = ast.parse(inspect.getsource(rule.function).lstrip())
    (function,) = tree.body
    first, *rest = function.body
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = rest if has_docstring else function.body
    return body[-1].end_lineno - body[0].lineno + 1


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_the_body_of_a_rule_fits_on_a_card(rule):
    assert body_lines(rule) <= LONGEST


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_a_rule_says_in_one_line_what_it_is_and_where_it_is_from(rule):
    text = inspect.getdoc(rule.function)

    assert 10 < len(rule.summary) <= 100
    assert re.search(r"^Source: ", text, re.MULTILINE)


def test_all_rules_together_are_short():
    files = sorted((SOURCE / "rules").rglob("*.py"))

    assert sum(len(file.read_text().splitlines()) for file in files) < FAMILY


def test_no_two_rules_have_one_name_and_no_two_one_formula():
    names = [rule.name for rule in ro.rules.ALL]
    formulas = {}
    for rule in ro.rules.ALL:
        text = re.sub(r"^.*?\(", "(", str(rule.program()), count=1)
        formulas.setdefault(text, []).append(rule.name)

    assert len(set(names)) == len(names)
    assert [rules for rules in formulas.values() if len(rules) > 1] == []
