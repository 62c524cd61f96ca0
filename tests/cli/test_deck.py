"""`ruleonce cards --export`: each deck is read back as its reader would."""

import json
import re
import sqlite3
import subprocess
import sys
import zipfile

import matplotlib.image
import pypdf
import pytest
import yaml
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from typer.testing import CliRunner

from ruleonce import rules
from ruleonce.cli.app import app
from ruleonce.cli.deck import anki, contents, printed
from ruleonce.cli.deck.contents import COMPARISONS, card_of, has_bias_correction
from ruleonce.cli.deck.lines import formula_lines, renamed, shared
from ruleonce.cli.deck.mathtext import formula_lines as set_lines
from ruleonce.cli.deck.pictures import comparison_picture
from ruleonce.cli.pages.words import unsaid

PNG = b"\x89PNG\r\n\x1a\n"


def cards(*options):
    return CliRunner().invoke(app, ["cards", *map(str, options)])


def export(form, out, names="sgd,adam", *options):
    result = cards("--export", form, "--out", out, "--rules", names, *options)
    assert result.exit_code == 0, result.output
    return result


def marked(line, marks):
    return [line.text[mark.start : mark.stop] for mark in marks]


def test_without_export_the_rules_are_listed():
    result = cards()

    assert result.exit_code == 0
    for rule in rules.ALL:
        assert re.search(rf"^{rule.name} ", result.stdout, re.MULTILINE)
    assert cards("--rules", "adam").stdout.startswith("adam  Momentum's velocity")


def test_every_card_asks_and_answers():
    for rule in rules.ALL:
        card = card_of(rule)
        assert card.question.startswith(f"{rule.name}: write the update rule. ")
        assert card.question.endswith("?")
        assert f"def {rule.name}(" in card.code
        assert '"""' not in card.code
        assert [x.name for x in card.defaults] == list(rule.hyperparameters)
        assert {x.name for x in card.defaults if not x.reason} <= set(unsaid(rule))
    assert all(x.reason for x in card_of(rules.adam).defaults)
    assert card_of(rules.adam).question == "adam: write the update rule. Why is it corrected?"
    assert card_of(rules.momentum).question.endswith("What does m hold?")
    assert card_of(rules.adam).address == "https://arxiv.org/abs/1412.6980"
    assert card_of(rules.sgd).address == "https://cs231n.github.io/neural-networks-3/#sgd"


def test_a_bias_is_corrected_where_a_power_of_t_says_so():
    corrected = {rule.name for rule in rules.ALL if has_bias_correction(rule)}

    assert {"adam", "adamw", "adamax", "radam", "lamb"} <= corrected
    assert not {"sgd", "adam_simplified", "lion", "heavy_ball_damped"} & corrected


def test_markdown_opens_in_obsidian(tmp_path):
    export("markdown", tmp_path)

    assert sorted(x.name for x in tmp_path.iterdir()) == [
        "adam.md", "adam.png", "adam_1.png", "adam_2.png", "adam_3.png", "sgd.md", "sgd.png",
    ]  # fmt: skip
    for name in ("adam", "sgd"):
        text = (tmp_path / f"{name}.md").read_text()
        _, front, body = text.split("---\n", 2)
        assert yaml.safe_load(front) == {
            "tags": ["flashcards"],
            "aliases": [name],
            "source": card_of(getattr(rules, name)).address,
            "summary": getattr(rules, name).summary,
        }
        embeds = re.findall(r"!\[\[(.*?)\]\]", body)
        assert {x.name for x in tmp_path.glob(f"{name}*.png")} == set(embeds)
        for embed in embeds:
            assert (tmp_path / embed).read_bytes().startswith(PNG)
        assert f"> [!note]\n> {getattr(rules, name).summary}\n" in body
        assert body.count("$$\n") == 2
        assert body.count("```") == 2
    assert "- `eps = 1e-8`: keeps a divisor away from 0; at least 0\n" in text or name == "sgd"
    assert r"1 - beta\*\*t" in (tmp_path / "adam.md").read_text()


def test_the_front_matter_of_every_rule_is_read_back(tmp_path):
    from ruleonce.cli.deck.markdown import text

    for rule in rules.ALL:
        front = yaml.safe_load(text(card_of(rule)).split("---\n")[1])
        assert front["summary"] == rule.summary
        assert rule.name in front["aliases"]


def read_package(path, folder):
    """What Anki finds: the notes with their fields, the deck, and the media by name."""
    with zipfile.ZipFile(path) as package:
        package.extractall(folder)
    database = sqlite3.connect(folder / "collection.anki2")
    notes = database.execute("select guid, mid, flds from notes").fetchall()
    (count,) = database.execute("select count(*) from cards").fetchone()
    (decks,) = database.execute("select decks from col").fetchone()
    database.close()
    media = json.loads((folder / "media").read_text())
    return (
        {guid: (model, fields.split("\x1f")) for guid, model, fields in notes},
        count,
        json.loads(decks),
        {name: (folder / number).read_bytes() for number, name in media.items()},
    )


def test_anki_finds_a_note_a_card_and_its_pictures(tmp_path):
    export("anki", tmp_path / "deck.apkg")
    notes, count, decks, media = read_package(tmp_path / "deck.apkg", tmp_path / "read")

    assert count == len(notes) == 2
    assert str(anki.DECK) in decks
    found = {fields[0]: dict(zip(anki.FIELDS, fields, strict=True)) for _, fields in notes.values()}
    assert set(found) == {"sgd", "adam"}
    assert {model for model, _ in notes.values()} == {anki.NOTE_TYPE}
    adam = found["adam"]
    assert adam["Question"] == "adam: write the update rule. Why is it corrected?"
    assert adam["Formulas"].startswith(r"\(\begin{aligned}")
    assert adam["Formulas"].endswith(r"\end{aligned}\)")
    assert "m_t &amp;= \\beta_{1}" in adam["Formulas"]
    assert "vt = v / (1 - beta2**t)" in adam["Code"]
    assert "<code>eps = 1e-8</code></td><td>keeps a divisor away from 0" in adam["Defaults"]
    shown = {
        x
        for fields in found.values()
        for y in fields.values()
        for x in re.findall(r'src="(.*?)"', y)
    }
    assert shown == set(media) == {"adam.png", "adam_1.png", "adam_2.png", "adam_3.png", "sgd.png"}
    assert all(picture.startswith(PNG) for picture in media.values())
    assert not any("http" in value for value in (anki.FRONT, anki.BACK, anki.STYLE))


def test_a_deck_that_is_imported_again_renews_its_cards(tmp_path):
    """Anki knows a card by its guid: another one would be a second card."""
    guids = []
    for name in ("first", "second"):
        export("anki", tmp_path / f"{name}.apkg", "sgd")
        guids.append(set(read_package(tmp_path / f"{name}.apkg", tmp_path / name)[0]))
    assert guids[0] == guids[1]


def test_the_printed_deck_has_questions_and_answers_behind_them(tmp_path):
    names = [rule.name for rule in rules.ALL[:5]]
    export("pdf", tmp_path / "cards.pdf", ",".join(names))

    pages = pypdf.PdfReader(tmp_path / "cards.pdf").pages
    assert len(pages) == 4  # four cards a sheet, two sheets, two sides
    width, height = (float(x) * 25.4 / 72 for x in pages[0].mediabox[2:])
    assert (round(width), round(height)) == (297, 210)
    texts = [page.extract_text() for page in pages]
    for name in names[:4]:
        assert name in texts[0]
        assert name in texts[1]
    assert "rite the update rule" in texts[0]
    assert "rite the update rule" not in texts[1]
    assert names[4] in texts[2]


def test_an_answer_lies_behind_its_question():
    """Turned at the short edge, left and right change places, and above stays above."""
    fronts = [axes.get_position().bounds for axes in printed._sheet(mirrored=False)[1]]
    backs = [axes.get_position().bounds for axes in printed._sheet(mirrored=True)[1]]

    for (x, y, width, height), behind in zip(fronts, backs, strict=True):
        assert behind == pytest.approx((1 - x - width, y, width, height))


def test_matplotlib_sets_every_formula():
    parser = MathTextParser("path")
    for rule in rules.ALL:
        for line in set_lines(card_of(rule).latex):
            parser.parse(line, 72, FontProperties(size=9))


def test_what_adam_shares_with_momentum_and_rmsprop_is_found_in_their_lines():
    own = formula_lines(rules.adam_simplified)
    velocity, history, step = own

    assert marked(velocity, shared(velocity, formula_lines(rules.momentum), "w")) == [
        "m",
        "beta1 * m",
    ]
    assert shared(history, formula_lines(rules.momentum), "w") == []
    of_rmsprop = formula_lines(rules.rmsprop)
    assert of_rmsprop[-1].text == "w = w - learning_rate * dw / (sqrt(v) + eps)"  # no switch
    assert marked(history, shared(history, of_rmsprop, "w")) == ["v", history.text[4:]]
    assert marked(step, shared(step, of_rmsprop, "w")) == ["sqrt(v) + eps"]
    assert marked(of_rmsprop[0], shared(of_rmsprop[0], own, "w")) == ["v", history.text[4:]]


def test_what_is_new_in_adam_is_its_bias_correction():
    old, own = formula_lines(rules.adam_simplified), formula_lines(rules.adam)
    (_, _, full) = COMPARISONS[rules.adam]
    figure = comparison_picture(full)

    assert [x.target for x in own if x not in old] == ["mt", "vt", "w"]
    assert marked(own[-1], renamed(own[-1], old, ["mt", "vt"])) == ["mt", "vt"]
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("NEW") == 2
    assert "".join(x for x in words if len(x) == 1).count("=") == len(old) + len(own)


def test_the_pictures_show_what_is_shared_in_colour(tmp_path):
    for place, compared in enumerate(COMPARISONS[rules.adam]):
        figure = comparison_picture(compared)
        assert len(figure.axes[0].patches) >= 3
        figure.savefig(tmp_path / f"{place}.png")
        pixels = matplotlib.image.imread(tmp_path / f"{place}.png")[..., :3]
        assert (pixels.max(axis=-1) - pixels.min(axis=-1)).max() > 0.2


MINE = '''
from ruleonce import rule

@rule
def mine(w, dw, *, learning_rate=1e-3):
    """A step: of "my" own."""
    return w - learning_rate * dw
'''


def test_a_rule_of_ones_own_has_a_card_too(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    export("markdown", tmp_path / "deck", "mine", "--rule-file", tmp_path / "mine.py")

    text = (tmp_path / "deck" / "mine.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["summary"] == 'A step: of "my" own.'


def test_what_cannot_be_exported_is_told_before_anything_is_drawn(tmp_path):
    (tmp_path / "taken").write_text("")
    for options, words in (
        (["--export", "quizlet"], "there is no such deck"),
        (["--export", "pdff"], "did you mean 'pdf'"),
        (["--export", "pdf", "--out", tmp_path / "taken" / "x.pdf"], "cannot be written to"),
        (["--export", "pdf", "--rules", "adm"], "there is no rule 'adm'"),
    ):
        result = cards(*options)
        assert result.exit_code == 1
        assert words in " ".join(result.stderr.split())
    assert [x.name for x in tmp_path.iterdir()] == ["taken"]


def test_a_deck_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "deck.pdf").write_text("old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(printed, "_answer", fail)
    cards("--export", "pdf", "--out", tmp_path / "deck.pdf", "--rules", "sgd")
    assert (tmp_path / "deck.pdf").read_text() == "old"
    assert [x.name for x in tmp_path.iterdir()] == ["deck.pdf"]


def test_without_genanki_the_message_holds_the_command():
    code = """
import sys
sys.modules["genanki"] = None
from ruleonce.cli.deck.anki import _genanki
try:
    _genanki()
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'ruleonce[cards]'" in done.stdout


def test_the_comparisons_are_of_rules_that_have_cards():
    for rule, compared in contents.COMPARISONS.items():
        assert rule in rules.ALL
        assert {x.first for x in compared} <= set(rules.ALL)
