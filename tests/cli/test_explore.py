"""`ruleonce explore`: one HTML file with everything in it, and the reader's own rules first."""

import json
import subprocess
import sys
import webbrowser
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from element_wise import is_element_wise
from typer.testing import CliRunner

import ruleonce as ro
from ruleonce.cli.app import app
from ruleonce.cli.explore import assembly
from ruleonce.cli.explore.data import corrects_bias, rule_data
from ruleonce.surfaces import SURFACES

ROOT = Path(__file__).parents[2]
LARGEST = 400_000  # bytes: it is mailed, and opened on phones


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["explore", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def made(tmp_path, *arguments):
    """The text of a page, and its data."""
    out = tmp_path / "page.html"
    run("--no-open", "--out", out, *arguments)
    text = out.read_text(encoding="utf-8")
    return text, json.loads(Elements.of(text).inside["data"])


class Elements(HTMLParser):
    """What a browser reads: the attributes of every element, and what stands inside those that have
    an id and hold no elements.
    """

    def __init__(self):
        super().__init__()
        self.attributes, self.inside, self._id = [], {}, None

    @classmethod
    def of(cls, text):
        found = cls()
        found.feed(text)
        found.close()
        return found

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        self._id = dict(attrs).get("id", tag)

    def handle_endtag(self, _):
        self._id = None

    def handle_data(self, data):
        self.inside[self._id] = self.inside.get(self._id, "") + data


OWN = """
from ruleonce import rule, norm

@rule
def mine(w, dw, m, *, learning_rate=0.1):
    m = m + dw
    w = w - learning_rate * m
    return w, m

@rule
def adam(w, dw, *, learning_rate=0.2):
    return w - learning_rate * dw
"""
SUMS = """
from ruleonce import rule, norm

@rule
def unit(w, dw, *, learning_rate=0.1):
    return w - learning_rate * dw / norm(dw)
"""


@pytest.fixture
def file(tmp_path):
    """Writes a file of rules."""

    def write(text):
        path = tmp_path / "my_rules.py"
        path.write_text(text)
        return path

    return write


def test_the_page_is_one_small_file_that_asks_for_nothing(tmp_path):
    text, _ = made(tmp_path)
    elements = Elements.of(text)

    assert len(text.encode()) < LARGEST
    (policy,) = (
        attributes["content"]
        for tag, attributes in elements.attributes
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "connect-src" not in policy
    for tag, attributes in elements.attributes:
        assert "src" not in attributes, tag
        assert attributes.get("href", "#")[:1] == "#" or attributes["href"] == "data:,"


def test_what_is_put_in_is_all_there(tmp_path):
    inside = Elements.of(made(tmp_path)[0]).inside

    assert inside["script"] == (assembly.BUNDLE / "page.js").read_text("utf-8")
    assert inside["style"] == (assembly.BUNDLE / "page.css").read_text("utf-8")
    assert "uplot" in inside["licenses"]
    assert "d3-contour" in inside["licenses"]


def test_every_rule_that_works_element_by_element_and_every_surface_is_there(tmp_path):
    _, data = made(tmp_path)
    here = [rule["name"] for rule in data["rules"]]

    assert here == [rule.name for rule in ro.rules.ALL if is_element_wise(rule)]
    assert len(here) > 40
    assert [surface["name"] for surface in data["surfaces"]] == [x.name for x in SURFACES]
    assert data["first"] == ["momentum", "rmsprop", "adam"]
    assert data["version"] == ro.__version__


def test_the_data_of_a_rule_is_what_its_signature_says():
    data = rule_data(ro.rules.nadam, "nadam", "adam")

    assert data["tensors"] == ("w", "dw", "m", "v")
    assert data["outputs"] == ("w", "m", "v")
    assert data["scalars"] == ("product",)
    assert data["inputs"] == (*data["hyperparameters"], "product", "t")
    assert data["initial"] == {"m": 0, "v": 0, "product": 1.0}
    assert data["ranges"]["beta1"] == (0.0, 1.0)
    assert data["ranges"]["learning_rate"] == (0.0, None)
    assert data["source"].startswith("Dozat 2016")
    assert data["card"].startswith("def nadam(")
    assert "function host(" in data["code"]


@pytest.mark.parametrize(
    ("name", "corrects"),
    [
        ("sgd", False),
        ("adam", True),
        ("adamw", True),
        ("adam_simplified", False),
        ("nadam", False),  # t stands in its momentum too
        ("adam_nesterov", False),  # and here in t + 1
        ("heavy_ball_damped", False),  # t == 1
    ],
)
def test_bias_correction_is_a_power_of_a_hyperparameter_and_nothing_else(name, corrects):
    assert corrects_bias(getattr(ro.rules, name).program()) is corrects


def test_the_readers_own_rules_come_first_and_race_beside_adam(tmp_path, file):
    _, data = made(tmp_path, "--rule-file", file(OWN.replace("adam", "other")))

    assert [rule["name"] for rule in data["rules"]][:3] == ["mine", "other", "sgd"]
    assert data["rules"][0]["family"] == "my_rules"
    assert data["first"] == ["adam", "mine", "other"]


def test_a_rule_of_the_readers_takes_the_place_of_ours_of_that_name(tmp_path, file):
    _, data = made(tmp_path, "--rule-file", file(OWN))

    assert [rule["name"] for rule in data["rules"]].count("adam") == 1
    assert data["rules"][1]["hyperparameters"] == {"learning_rate": 0.2}
    assert data["first"] == ["mine", "adam"]


def test_who_races_at_first_may_be_chosen(tmp_path, file):
    own = ("--rule-file", file(OWN))
    _, data = made(tmp_path, *own, "--rules", "lion,mine", "--rule", "sgd", "--rule", "lion")

    assert data["first"] == ["lion", "mine", "sgd"]


def test_a_rule_with_sums_is_left_out_and_named(tmp_path, file):
    out = tmp_path / "page.html"
    result = run("--no-open", "--out", out, "--rule-file", file(OWN + SUMS))

    assert "Left out: unit uses dot" in result.stderr
    assert "whole tensors" in result.stderr
    assert '"name":"mine"' in out.read_text()


def test_nothing_can_end_the_element_that_it_is_in(tmp_path, file):
    words = "</script><!-- <script>alert(1)</script> & é"
    text = OWN.replace("    m = m + dw", f'    """{words}"""\n    m = m + dw')
    page, data = made(tmp_path, "--rule-file", file(text))

    assert data["rules"][0]["summary"] == words
    assert page.count("</script") == page.count("<script") == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rules", "adm"), ["--rules adm: there is no such rule; did you mean 'adam'?"]),
        (("--rules", "lamb"), ["--rules lamb: it looks at whole tensors"]),
        (("--rules", "sgd,adam,lion,yogi,adan,qhm,nadam"), ["7 rules", "up to 6 race"]),
        (("--out", "."), ["--out . is a folder; name a file in it"]),
        (("--out", "nowhere/page.html"), ["--out nowhere/page.html cannot be written"]),
        (("--rule-file", "nowhere.py"), ["nowhere.py does not exist"]),
    ],
)
def test_a_mistake_is_answered_and_nothing_is_written(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--no-open", *arguments, code=1)

    for word in words:
        assert word in result.stderr
    assert not [*tmp_path.iterdir()]


def test_a_file_with_sums_alone_is_refused(file, tmp_path):
    result = run("--no-open", "--out", tmp_path / "x.html", "--rule-file", file(SUMS), code=1)

    assert "two single weights" in result.stderr
    assert "unit uses dot" in result.stderr
    assert not (tmp_path / "x.html").exists()


def test_the_page_is_opened_unless_asked_not_to(tmp_path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) or len(asked) == 1)

    said = run()
    assert asked == [(tmp_path / "explorer.html").as_uri()]
    assert str(tmp_path / "explorer.html") in said.stdout.replace("\n", "")
    run("--no-open")
    assert len(asked) == 1
    assert "No browser could be started here" in run().stderr


def test_a_checkout_whose_page_is_not_built_says_how(tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "BUNDLE", tmp_path)

    result = run("--no-open", "--out", tmp_path / "page.html", code=1)
    assert "make explorer" in result.stderr


def test_the_wheel_has_all_of_the_page(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("page.html", "page.js", "page.css", "LICENSES.txt"):
        assert f"ruleonce/cli/explore/bundle/{name}" in names
