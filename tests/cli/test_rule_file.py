"""A reader's own rules, from a Python file."""

import sys

import pytest

from ruleonce.cli.rule_file import rules_of
from ruleonce.errors import RuleError, RuleFileError

MINE = '''
from ruleonce import adam, rule, sign

@rule
def my_rule(w, dw, *, learning_rate=1e-3):
    """Only the direction counts."""
    return w - learning_rate * sign(dw)
'''


@pytest.fixture
def write(tmp_path):
    def write(text, name="my_rule.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_its_own_rules_are_found_and_no_others(write):
    """It imports adam, which races anyway."""
    found = rules_of(write(MINE))

    assert list(found) == ["my_rule"]
    assert found["my_rule"].summary == "Only the direction counts."
    assert found["my_rule"](1.0, -5.0, learning_rate=0.5) == (1.5,)


def test_a_rule_goes_by_the_name_that_the_file_gives_it(write):
    text = MINE + "\nmade = rule(lambda w, dw, *, learning_rate=1: w - learning_rate * dw)\n"

    assert list(rules_of(write(text))) == ["my_rule", "made"]


def test_it_may_import_a_module_beside_it(write):
    write(MINE, "their_rules.py")
    before = list(sys.path)

    assert list(rules_of(write("from their_rules import my_rule as theirs"))) == ["theirs"]
    assert sys.path == before


def test_its_name_hides_no_module(write):
    import json

    rules_of(write(MINE, "json.py"))

    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = x / 0\n", "my_rule.py, line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n    pass\n", "my_rule.py, line 1: SyntaxError"),
        ("\nimport no_such_module\n", "my_rule.py, line 2: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(3)\n", "my_rule.py, line 2: SystemExit: 3"),
        (MINE.replace("1e-3", "'a'"), "my_rule.py, line 4: RuleError"),
        ("from ruleonce import adam\n", "there is no rule in"),
    ],
)
def test_a_file_that_does_not_work(write, text, said):
    with pytest.raises(RuleFileError) as caught:
        rules_of(write(text))

    assert said in str(caught.value)
    assert "rule_file_my_rule" not in sys.modules or "no rule" in said


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RuleFileError, match="does not exist"):
        rules_of(tmp_path / "my_rule.py")
    with pytest.raises(RuleFileError, match="is a folder"):
        rules_of(tmp_path)


def test_a_file_of_another_kind(write):
    with pytest.raises(RuleFileError, match=r"must end in \.py"):
        rules_of(write(MINE, "my_rule.txt"))


def test_a_mistake_in_a_rule_shows_before_the_race(write):
    text = MINE.replace("return", "if dw > 0:\n        return w\n    return")

    with pytest.raises(RuleError, match="where"):
        rules_of(write(text))
