"""The deck as Markdown, a file a card, as Obsidian opens it; the pictures lie beside the files."""

import json

from .contents import Card


def text(card: Card) -> str:
    """The file of a card.

    Front matter, the question, and behind it the summary, what is known of it, and the pictures,
    embedded by name.
    """
    walk, *compared = card.pictures
    front = {
        "tags": ["flashcards"],
        "aliases": [card.name, card.name.replace("_", " ")],
        "source": card.address,
        "summary": card.summary,
    }
    # Every JSON is YAML, with all quotes and colons where they should be.
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in front.items()]
    parts = [
        "\n".join(["---", *lines, "---"]),
        f"### {card.question}",
        f"> [!note]\n> {card.summary}",
        *card.notes,
        f"**Implementation**\n```python\n{card.code}\n```",
        f"**Formulas**\n$$\n{card.latex}\n$$",
    ]
    for compared_with, picture in zip(card.comparisons, compared, strict=True):
        parts.append(f"**{compared_with.heading}**\n![[{picture}]]")
    if card.defaults:
        rows = [
            f"- `{x.name} = {x.value}`" + (f": {x.reason}" if x.reason else "")
            for x in card.defaults
        ]
        parts.append("\n".join(["**Default Values:**", *rows]))
    parts.append(f"**Where it goes**\n![[{walk}]]")
    if card.source:
        parts.append(f"Source: {card.source}")
    return "\n\n".join(parts) + "\n"
