"""The pictures of a deck: lines of rules side by side, with what they share in bands of colour."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ...language.rule import Rule
from ...plot.ink import GREY
from .contents import Comparison
from .lines import Line, Mark, formula_lines, new, renamed, shared

SIZE = 13.0  # points of the letters of code
LETTER, LINE = 0.602 * SIZE / 72, 2.1 * SIZE / 72  # inches: a letter of DejaVu Sans Mono, a line
EDGE, HEAD = 0.3, 0.42  # inches around all, and for the name of a rule
BANDS = ("#F9D9A0", "#B9DDF5", "#BFE6D6", "#EBCFE0")  # light: letters are read on them
NEW = "#D55E00"
BADGE = 0.75  # inches for the word at the end of a line


def comparison_picture(compared: Comparison) -> Figure:
    """Draw the lines of a rule above those of others, with the terms that they share marked; or
    below those of the other, with what is new in it marked.
    """
    first, others = compared.first, compared.others
    own = formula_lines(first)
    beside = [formula_lines(other) for other in others]
    if compared.is_new:
        return _full_version(first, own, others[0], beside[0])
    colours = _colours(own)
    blocks = [(first.name, own, [line for other in beside for line in other])]
    blocks += [(rule.name, of, own) for rule, of in zip(others, beside, strict=True)]
    figure, axes, top = _paper(blocks)
    for name, of, against in blocks:
        marks = {line: shared(line, against, first.schema.weights) for line in of}
        top = _block(axes, top, name, marks, colours)
    return figure


def _full_version(first: Rule, own: Sequence[Line], before: Rule, old: Sequence[Line]) -> Figure:
    fresh = [line.target for line in own if new(line, old)]
    blocks = [(before.name, old, own), (first.name, own, old)]
    figure, axes, top = _paper(blocks)
    top = _block(axes, top, before.name, {line: [] for line in old}, {})
    marks = {line: renamed(line, old, fresh) for line in own}
    _block(axes, top, first.name, marks, dict.fromkeys(fresh, BANDS[0]), fresh)
    return figure


def _colours(own: Sequence[Line]) -> Mapping[str, str]:
    names = dict.fromkeys(line.target for line in own)
    return {name: BANDS[place % len(BANDS)] for place, name in enumerate(names)}


def _paper(blocks: Sequence[tuple[str, Sequence[Line], object]]) -> tuple[Figure, Axes, float]:
    """A figure with room for all lines, its axes in inches, and where the first block begins."""
    longest = max(len(line.text) for _, of, _ in blocks for line in of)
    width = 2 * EDGE + longest * LETTER + BADGE
    height = EDGE + sum(HEAD + len(of) * LINE + EDGE / 2 for _, of, _ in blocks)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes, height - EDGE / 2


def _block(
    axes: Axes,
    top: float,
    name: str,
    marks: Mapping[Line, Sequence[Mark]],
    colours: Mapping[str, str],
    fresh: Sequence[str] = (),
) -> float:
    """Draw a rule's name and its lines below `top`; returns where the next block begins."""
    axes.text(EDGE, top - HEAD / 2, name, fontsize=11, color=GREY, va="center", weight="bold")
    y = top - HEAD - LINE / 2
    for line, parts in marks.items():
        whole = [Mark(0, len(line.text), line.target)] if line.target in fresh else []
        for mark in (*whole, *parts):
            band = colours.get(mark.name, BANDS[-1])
            _band(axes, EDGE + mark.start * LETTER, (mark.stop - mark.start) * LETTER, y, band)
        # Letter by letter: only so each stands where its band is.
        for place, letter in enumerate(line.text):
            axes.text(
                EDGE + (place + 0.5) * LETTER, y, letter,
                family="DejaVu Sans Mono", fontsize=SIZE, va="center_baseline", ha="center",
                parse_math=False,
            )  # fmt: skip
        if whole:
            end = EDGE + (len(line.text) + 1.2) * LETTER
            axes.text(end, y, "NEW", color=NEW, weight="bold", fontsize=10, va="center_baseline")
        y -= LINE
    return y + LINE / 2 - EDGE / 2


def _band(axes: Axes, x: float, width: float, y: float, colour: str) -> None:
    pad = 0.035
    box = FancyBboxPatch(
        (x - pad, y - 0.4 * LINE), width + 2 * pad, 0.8 * LINE,
        boxstyle="round,pad=0,rounding_size=0.05", facecolor=colour, edgecolor="none", zorder=0,
    )  # fmt: skip
    axes.add_patch(box)
