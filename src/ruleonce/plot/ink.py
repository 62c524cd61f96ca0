"""How lines are told apart and named: colours, dashes, labels at their ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from ..surfaces.surface import Array

# Okabe & Ito, "Color Universal Design" (2008), without the yellow that vanishes on white.
COLOURS = ("#56B4E9", "#E69F00", "#0072B2", "#CC79A7", "#009E73", "#D55E00", "#000000")
# And a pattern each, so that a print without colour tells the same: lengths of ink and gap.
DASHES = (
    (11, 2),
    (6, 2),
    (1.2, 1.4),
    (6, 1.5, 1.2, 1.5),
    (3, 1.5),
    (8, 1.5, 1.2, 1.5, 1.2, 1.5),
    (),
)
GREY = "#555555"
LABEL_SIZE = 8.0  # points
LONGEST = 26  # characters of a label; more would leave no room for the lines


@dataclass(frozen=True)
class Ink:
    """How one line is drawn."""

    colour: str
    dashes: tuple[float, ...]

    @property
    def of_text(self) -> tuple[float, ...]:
        """Its colour, darker: letters are thin, and the light ones would be hard to read."""
        return tuple(0.7 * part for part in to_rgb(self.colour))

    @staticmethod
    def of(place: int) -> "Ink":
        """The ink of the line at this place; after seven the colours return with other dashes."""
        again = place // len(COLOURS)
        return Ink(COLOURS[place % len(COLOURS)], DASHES[(place + 3 * again) % len(DASHES)])


@dataclass(frozen=True)
class Label:
    """A name at the end of a line.

    x, y    the line's last point, in data units
    leads   whether a thin line leads from there to the name
    """

    text: str
    x: float
    y: float
    ink: Ink
    leads: bool = True


def name_lines(axes: Axes, height: float, labels: Sequence[Label]) -> None:
    """Write the labels to the right of the axes, each beside the end of its line.

    height   of the axes, in inches, about: labels that would overlap are moved apart

    The limits of the axes must be final.
    """
    if not labels:
        return
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = np.array([to_axes.transform((label.x, label.y)) for label in labels])
    ends[:, 1] = ends[:, 1].clip(0, 1)
    order = np.argsort(-ends[:, 1], kind="stable")
    gap = min(1.25 * LABEL_SIZE / 72 / height, 1 / max(len(labels) - 1, 1))
    for place, y in zip(order, _apart(ends[order, 1], gap), strict=True):
        label = labels[place]
        axes.annotate(
            label.text if len(label.text) <= LONGEST else label.text[: LONGEST - 1] + "…",
            xy=tuple(ends[place]),
            xytext=(1.07, y),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=label.ink.of_text,
            fontsize=LABEL_SIZE,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": label.ink.colour,
                "linewidth": 0.7 if label.leads else 0,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def _apart(wanted: Array, gap: float) -> Array:
    """Heights at least `gap` apart, in the same order from the top, near where they are wanted.

    Neighbours that are too near form a block around the mean of what they want; blocks that meet
    merge, as in isotonic regression. All stay between 0 and 1 if they fit there.
    """
    blocks: list[list[float]] = []  # of each block: what its members want, less their place in it
    for place, height in enumerate(wanted):
        blocks.append([height + place * gap])
        while len(blocks) > 1 and np.mean(blocks[-1]) > np.mean(blocks[-2]):
            blocks[-2].extend(blocks.pop())
    level = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks])
    apart: Array = level.clip(gap * (len(wanted) - 1), 1) - gap * np.arange(len(wanted))
    return apart
