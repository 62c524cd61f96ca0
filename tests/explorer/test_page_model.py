"""The page's own language, walkers, heat map and address: their types and their tests."""

import re


def test_types_are_right(npm):
    worked, said = npm("check")
    assert worked, said


def test_its_tests_pass(npm):
    worked, said = npm("test")
    assert worked, said
    passed = re.search(r"^\S pass (\d+)$", said, re.MULTILINE)
    assert int(passed[1]) > 80, said  # they were found
