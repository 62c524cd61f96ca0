"""How long the first steps of a rule are: the lesson of Adam's bias correction."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..errors import PlotError
from ..language.rule import Rule
from ..numpy import Optimizer
from ..rules.adam import adam, adam_simplified
from ..surfaces.surface import Array
from .axes import axes_for, height_of, make_plain
from .given import rules_of
from .ink import GREY, Ink, Label, name_lines

SIZE = (5.6, 3.7)
INKS = {adam_simplified: Ink.of(5), adam: Ink.of(6)}  # as in the race of the card's seven

Gradients = Sequence[ArrayLike | Mapping[str, ArrayLike]]


def bias_correction(
    rules: Rule | Sequence[Rule] = (adam_simplified, adam),
    *,
    gradients: Gradients | None = None,
    steps: int = 50,
    ax: Axes | None = None,
) -> Axes:
    """Draw how far each of the first steps moves a weight, in units of the learning rate.

    rules       one, or several that get the same gradients; without it Adam with and without its
                bias correction
    gradients   of each step: an array, or arrays by name; None for one that never changes
    steps       how many, without `gradients`
    ax          where to draw; None for a new figure

    The length is the median over all weights. Raises PlotError for what is no rule, for a rule
    without a learning rate, and if there is no step.
    """
    chosen = rules_of(rules)
    for rule in chosen:
        if "learning_rate" not in rule.hyperparameters:
            raise PlotError(f"{rule.name} has no learning_rate to measure its steps with.")
    given = _named(gradients if gradients is not None else [np.ones(1)] * steps)
    if not given:
        raise PlotError("there is no step to draw; give at least one gradient, or steps=50.")
    axes = axes_for(ax, SIZE)
    counted = np.arange(1, len(given) + 1)
    ends = []
    for place, rule in enumerate(chosen):
        ink = INKS.get(rule, Ink.of(place))
        sizes = step_sizes(rule, given)
        inside = "white" if rule is adam_simplified else ink.colour
        axes.plot(counted, sizes, "o-", ms=3, lw=1.4, color=ink.colour, mfc=inside)
        ends.append(Label(rule.name, counted[-1], sizes[-1], ink))
        if rule is adam_simplified and gradients is None and set(chosen) <= set(INKS):
            _explain_first(axes, sizes[0])
    axes.set_xlabel("step t", fontsize=9)
    axes.set_ylabel("|step| / learning rate, median of the weights", fontsize=9)
    axes.set_xlim(0, len(given) + 0.5)
    axes.set_ylim(0)
    make_plain(axes)
    name_lines(axes, height_of(axes), ends)
    return axes


def step_sizes(rule: Rule, gradients: Sequence[Mapping[str, Array]]) -> Array:
    """How far a rule moves a weight, in units of its learning rate: the median at each step.

    Weights whose first gradient is 0, such as those of a pixel that is always white, are left out.

    The rule itself says it: each step starts from weights of 0 with a learning rate of 1, so the
    weights after it are the step.
    """
    moved = {name: np.zeros(g.shape) for name, g in gradients[0].items()}
    optimizer = Optimizer(rule, moved, learning_rate=1.0)
    alive = {name: g != 0 for name, g in gradients[0].items()}
    sizes = []
    for step in gradients:
        for array in moved.values():
            array[...] = 0
        optimizer.step(step)
        sizes.append(np.median(np.concatenate([abs(moved[n][alive[n]]) for n in moved])))
    return np.array(sizes)


def _named(gradients: Gradients) -> list[dict[str, Array]]:
    return [
        {name: np.asarray(value) for name, value in step.items()}
        if isinstance(step, Mapping)
        else {"w": np.atleast_1d(np.asarray(step, np.float64))}
        for step in gradients
    ]


def _explain_first(axes: Axes, first: float) -> None:
    axes.annotate(
        rf"first step: $(1-\beta_1)/\sqrt{{1-\beta_2}}$ = {first:.2f}",
        xy=(1, first),
        xytext=(7, 2.4),
        fontsize=9,
        color=GREY,
        arrowprops={"arrowstyle": "->", "color": GREY},
    )
