"""The deck on paper: A4, four cards of A6 a sheet, the answers behind the questions.

To be printed on both sides, turned at the short edge, and cut along the lines.
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import matplotlib.image
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import FancyBboxPatch

from ...plot.ink import GREY
from .contents import Card
from .mathtext import formula_lines

WIDTH, HEIGHT = 297 / 25.4, 210 / 25.4  # inches of a sheet, which lies
SIDE = 2  # cards beside each other, and above each other
CARD_WIDTH, CARD_HEIGHT = WIDTH / SIDE, HEIGHT / SIDE
EDGE = 0.3  # inches that stay white around what stands on a card
GAP = 0.12  # inches between two parts of a card
INNER = CARD_WIDTH - 2 * EDGE
COLUMN = (INNER - 2 * GAP) / 2
LETTER, MONO_LETTER = 0.53, 0.602  # widths of DejaVu Sans, about, and of its Mono, of their size
PAPER = "#f4f4f7"
SMALLEST = 0.8  # of the width of a column, for the picture
MAPS = 0.665  # of the picture's height; the curves below are too small to be read on a card
POINT = 1 / 72


def write(path: Path, cards: Sequence[Card], pictures: Path) -> None:
    """Write the pages: for every four cards one of questions, and one of answers behind it.

    pictures   the folder with the pictures of all cards
    """
    about = {"Title": "Update rules", "Creator": "ruleonce", "CreationDate": None}
    with PdfPages(path, metadata=about) as pages:
        for first in range(0, len(cards), SIDE**2):
            four = cards[first : first + SIDE**2]
            sheet, places = _sheet(mirrored=False)
            for card, axes in zip(four, places, strict=False):
                _question(axes, card)
            pages.savefig(sheet)
            sheet, places = _sheet(mirrored=True)
            for card, axes in zip(four, places, strict=False):
                _answer(axes, card, pictures / card.pictures[0])
            pages.savefig(sheet)


def _sheet(*, mirrored: bool) -> tuple[Figure, list[Axes]]:
    """A sheet with its lines to cut along, and the axes of its cards in inches, y down.

    mirrored   for a back: left and right change places, so that it lies behind its front
    """
    figure = Figure(figsize=(WIDTH, HEIGHT))
    places = []
    for row in range(SIDE):
        for column in range(SIDE):
            left = SIDE - 1 - column if mirrored else column
            axes = figure.add_axes((left / SIDE, 1 - (row + 1) / SIDE, 1 / SIDE, 1 / SIDE))
            axes.set_xlim(0, CARD_WIDTH)
            axes.set_ylim(CARD_HEIGHT, 0)
            axes.axis("off")
            places.append(axes)
    cuts = figure.add_axes((0, 0, 1, 1))
    cuts.axis("off")
    cuts.set_xlim(0, 1)
    cuts.set_ylim(0, 1)
    for cut in range(1, SIDE):
        at = [cut / SIDE] * 2
        for x, y in ((at, (0, 1)), ((0, 1), at)):
            cuts.plot(x, y, color="#aaaaaa", linewidth=0.5, linestyle=(0, (4, 4)))
    return figure, places


def _question(axes: Axes, card: Card) -> None:
    _, _, asked = card.question.partition(": ")
    axes.text(
        CARD_WIDTH / 2, CARD_HEIGHT * 0.4, card.name, fontsize=24, weight="bold", ha="center"
    )  # fmt: skip
    first, _, second = asked.partition(". ")
    y = CARD_HEIGHT * 0.4 + 0.45
    for line in (f"{first[:1].upper()}{first[1:]}.", second):
        axes.text(CARD_WIDTH / 2, y, line, fontsize=12, color=GREY, ha="center")
        y += 0.26


def _answer(axes: Axes, card: Card, picture: Path) -> None:
    y = _prose(axes, EDGE, EDGE, [card.name], INNER, 10, weight="bold") + 0.02
    y = _prose(axes, EDGE, y, [card.summary], INNER, 7.5) + GAP / 2
    y = _code(axes, y, card.code.split("\n")) + GAP
    bottom = CARD_HEIGHT - EDGE
    if card.source:
        lines = wrap(card.source, int(INNER / (5.2 * LETTER * POINT)))
        bottom -= len(lines) * 5.2 * 1.3 * POINT
        _prose(axes, EDGE, bottom, lines, INNER, 5.2, color=GREY)
        bottom -= GAP / 2
    _formulas(axes, y, bottom, card)
    right = EDGE + COLUMN + 2 * GAP
    reasons = [str(default) for default in card.defaults]
    drawn = matplotlib.image.imread(picture)
    drawn = drawn[: round(MAPS * len(drawn))]
    tall = COLUMN * drawn.shape[0] / drawn.shape[1]
    size = _fitting(reasons, COLUMN, bottom - y - SMALLEST * tall - GAP, 6.6)
    end = _prose(axes, right, y, reasons, COLUMN, size)
    wide = min(COLUMN, (bottom - end - GAP / 2) * drawn.shape[1] / drawn.shape[0])
    middle, tall = right + COLUMN / 2, wide * drawn.shape[0] / drawn.shape[1]
    box = (middle - wide / 2, middle + wide / 2, bottom, bottom - tall)
    axes.imshow(drawn, extent=box, aspect="auto", interpolation="none")
    axes.set_xlim(0, CARD_WIDTH)
    axes.set_ylim(CARD_HEIGHT, 0)


def _code(axes: Axes, y: float, lines: Sequence[str]) -> float:
    """Draw code in a grey box, and say where it ends."""
    longest = max(map(len, lines))
    widest = (INNER - 0.2) / (longest * MONO_LETTER * POINT)
    size = min(7.6, widest, 1.6 / (len(lines) * 1.4 * POINT))
    step = size * 1.4 * POINT
    tall = len(lines) * step + 0.14
    shape = "round,pad=0,rounding_size=0.05"
    axes.add_patch(
        FancyBboxPatch((EDGE, y), INNER, tall, boxstyle=shape, facecolor=PAPER, edgecolor="none")
    )
    for place, line in enumerate(lines):
        axes.text(
            EDGE + 0.1, y + 0.07 + place * step, line,
            fontsize=size, family="DejaVu Sans Mono", va="top", parse_math=False,
        )  # fmt: skip
    return y + tall


def _formulas(axes: Axes, y: float, bottom: float, card: Card) -> None:
    """Draw the formulas in the left column, as large as they may be there."""
    parser = MathTextParser("path")
    size = 9.0
    lines = formula_lines(card.latex)
    boxes = [parser.parse(line, 72, FontProperties(size=size)) for line in lines]
    space = 0.45 * size
    tall = sum(box[1] + space for box in boxes) * POINT
    wide = max(box[0] for box in boxes) * POINT
    scale = min(1.0, COLUMN / wide, (bottom - y) / tall)
    for line, box in zip(lines, boxes, strict=True):
        above = (box[1] - box[2]) * scale * POINT
        axes.text(EDGE, y + above, line, fontsize=size * scale, va="baseline")
        y += (box[1] + space) * scale * POINT


def _fitting(paragraphs: Sequence[str], width: float, height: float, largest: float) -> float:
    """The size of letters at which the paragraphs fit."""
    size = largest
    while size > 3.5 and len(_wrapped(paragraphs, width, size)) * size * 1.35 * POINT > height:
        size -= 0.1
    return size


def _wrapped(paragraphs: Sequence[str], width: float, size: float) -> list[str]:
    letters = max(10, int(width / (size * LETTER * POINT)))
    return [line for said in paragraphs for line in wrap(said, letters)]


def _prose(
    axes: Axes, x: float, y: float, paragraphs: Sequence[str], width: float, size: float,
    *, color: str = "black", weight: str = "normal",
) -> float:  # fmt: skip
    """Draw paragraphs, and say where they end."""
    for line in _wrapped(paragraphs, width, size):
        axes.text(x, y, line, fontsize=size, color=color, weight=weight, va="top", parse_math=False)
        y += size * 1.35 * POINT
    return y
