"""`ruleonce show`, `cards` and `doctor`."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import ruleonce as ro
from ruleonce.cli import doctor, show
from ruleonce.cli.app import app


def run(*arguments, code=0):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("card", ["adam\n====", "vt = v / (1 - beta2**t)", "arXiv:1412.6980"]),
        ("latex", [r"\begin{aligned}", r"\frac{m_t}{1 - \beta_{1}^{t}}"]),
        ("program", ["host", "device", "w <- "]),
        ("host", ["def adam_host(", "beta1 ** t"]),
        ("ir", ["define void @adam(ptr %job)", "%m_new = fadd float"]),
        ("asm", ["adam:", "sqrt"]),
        ("javascript", ["function element(w, dw, m, v, ", "export { element, host, named };"]),
        ("triton", ["def adam(table, blocks, numbers", "tl.div_rn"]),
    ],
)
def test_show_prints_a_rule_in_every_form(form, words):
    out = run("show", "adam", "--as", form)

    for word in words:
        assert word in out


def test_the_card_is_what_is_shown_first():
    assert run("show", "adam").rstrip("\n") == str(ro.adam).rstrip("\n")


def test_the_code_is_shown_for_another_dtype():
    assert "fadd double" in run("show", "adam", "--as", "ir", "--dtype", "float64")
    assert "load i16" in run("show", "adam", "--as", "ir", "--dtype", "bfloat16")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "adm"), ["there is no rule 'adm'; did you mean 'adam'?"]),
        (("show", "adam", "--as", "latx"), ["--as latx", "did you mean 'latex'?"]),
        (("show", "adam", "--as", "ir", "--dtype", "int8"), ["--dtype has dtype int8"]),
        (("show", "lamb", "--as", "javascript"), ["lamb uses dot", "whole tensors"]),
        (("show", "adam", "--rule-file", "no.py"), ["no.py"]),
    ],
)
def test_a_mistake_is_answered_with_what_there_is(arguments, words):
    out = run(*arguments, code=1)

    for word in words:
        assert word in out


def test_a_rule_of_the_readers_own_is_shown(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from ruleonce import rule\n@rule\ndef mine(w, dw):\n    return w - dw\n")

    assert "return w - dw" in run("show", "mine", "--rule-file", str(file))


def test_cards_lists_every_rule_with_its_defaults():
    out = run("cards")

    for rule in ro.rules.ALL:
        assert f"{rule.name} " in out
        assert rule.summary in out
    assert "learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-08" in out


def test_the_doctor_finds_every_engine_in_order():
    out = run("doctor")

    assert "cpu           equal bits" in out
    assert "reference     equal bits" in out
    assert "numpy " in out
    assert "threads " in out


def test_the_doctor_says_so_when_an_engine_is_wrong(monkeypatch):
    class Wrong:
        def __init__(self, _, w, **__):
            self.step = lambda dw: w.fill(7)

    monkeypatch.setattr(doctor, "Optimizer", Wrong)

    assert "WRONG BITS for sgd" in run("doctor", code=1)


def test_the_command_says_how_to_install_what_it_needs():
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "from ruleonce.cli import main\nmain()"
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "pip install 'ruleonce[cli]'" in done.stderr


def test_every_form_is_named_in_the_help():
    out = run("show", "--help")

    for form in show.FORMS:
        assert form in out
