"""The deck for Anki: one package with every card and its pictures, which needs no network.

The numbers of deck, note type and cards never change, so that a package that is imported again
renews the cards and keeps what was learned.
"""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # genanki has no types

from ...errors import MissingLibraryError
from .contents import Card

DECK, NOTE_TYPE = 1_648_202_611, 1_648_202_612  # drawn once
FIELDS = (
    "Name", "Question", "Summary", "Code", "Formulas", "Defaults", "Comparisons", "Walk", "Source",
)  # fmt: skip
FRONT = '<div class="question">{{Question}}</div>'
BACK = """{{FrontSide}}
<hr id="answer">
<div class="summary">{{Summary}}</div>
<pre>{{Code}}</pre>
<div class="formulas">{{Formulas}}</div>
{{Defaults}}
{{Comparisons}}
{{Walk}}
<div class="source">{{Source}}</div>"""
STYLE = """
.card { font: 18px/1.45 system-ui, sans-serif; max-width: 44em; margin: 0 auto; padding: 1em; }
.question { font-size: 1.3em; text-align: center; }
pre { font: 0.85em/1.5 ui-monospace, monospace; background: #f4f4f7; color: #1c1c22;
  padding: 0.8em; border-radius: 6px; overflow-x: auto; text-align: left; }
.formulas { overflow-x: auto; text-align: center; }
table { border-collapse: collapse; margin: 0.8em 0; }
td { padding: 0.15em 1em 0.15em 0; vertical-align: top; }
td code { white-space: nowrap; }
img { max-width: 100%; background: white; border-radius: 6px; }
.source { color: #777; font-size: 0.8em; margin-top: 1em; }"""


def write(path: Path, cards: Sequence[Card], pictures: Path) -> None:
    """Write the package.

    pictures   the folder with the pictures of all cards

    Raises MissingLibraryError without genanki.
    """
    genanki = _genanki()
    note_type = genanki.Model(
        NOTE_TYPE,
        "ruleonce",
        fields=[{"name": name} for name in FIELDS],
        templates=[{"name": "Rule", "qfmt": FRONT, "afmt": BACK}],
        css=STYLE,
    )
    deck = genanki.Deck(DECK, "Update rules (ruleonce)")
    for card in cards:
        deck.add_note(
            genanki.Note(
                model=note_type,
                fields=list(fields(card)),
                tags=["ruleonce"],
                guid=genanki.guid_for("ruleonce", card.name),
            )
        )
    media = [str(pictures / name) for card in cards for name in card.pictures]
    genanki.Package(deck, media_files=media).write_to_file(str(path))


def fields(card: Card) -> tuple[str, ...]:
    """What stands in each of FIELDS, as HTML."""
    walk, *compared = card.pictures
    rows = "".join(
        f"<tr><td><code>{html.escape(f'{x.name} = {x.value}')}</code></td>"
        f"<td>{html.escape(x.said)}</td></tr>"
        for x in card.defaults
    )
    comparisons = "".join(
        f'<p><b>{html.escape(of.heading)}</b></p><img src="{picture}">'
        for of, picture in zip(card.comparisons, compared, strict=True)
    )
    return (
        card.name,
        html.escape(card.question),
        "<br>".join(html.escape(said) for said in (card.summary, *card.notes)),
        html.escape(card.code),
        rf"\({html.escape(card.latex)}\)",
        f"<table>{rows}</table>" if rows else "",
        comparisons,
        f'<img src="{walk}">',
        html.escape(card.source),
    )


def _genanki() -> Any:
    try:
        import genanki
    except ImportError as missing:
        raise MissingLibraryError(
            "a deck for Anki needs genanki, which is not installed here:\n"
            "  pip install 'ruleonce[cards]'"
        ) from missing
    return genanki
