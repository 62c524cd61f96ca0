"""bias_correction.png: the card's lesson, that Adam without bias correction starts too fast."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from ...language.rule import Rule
from ...numpy import Optimizer
from ...rules.adam import adam, adam_simplified
from .data import Dataset
from .ink import GREY, Ink, Label, name_lines
from .network import Array, Parameters, loss_and_gradients
from .training import batches, start

STEPS = 50


def first_gradients(data: Dataset, seed: int, count: int) -> list[Parameters]:
    """The gradients of the first `count` batches, along the way on which Adam goes."""
    parameters = start(data, seed)
    optimizer = Optimizer(adam, parameters)
    epochs = count // max(1, len(list(batches(data, seed, 1)))) + 1
    found = []
    for rows in islice(batches(data, seed, epochs), count):
        found.append(loss_and_gradients(parameters, data.train_x[rows], data.train_y[rows])[1])
        optimizer.step(found[-1])
    return found


def step_sizes(rule: Rule, gradients: Sequence[Parameters]) -> Array:
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


def bias_correction_picture(gradients: Sequence[Parameters], name: str) -> Figure:
    """Draw the size of each step of `adam_simplified` and of `adam`, given the same gradients.

    gradients   of the first steps; beside them stands a gradient that never changes
    name        of the data that they come from
    """
    constant = [{"w": np.ones(1)}] * len(gradients)
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    grid = figure.subplots(1, 2, sharey=True)
    titles = ("a gradient that never changes", f"{name}: the gradients of the first batches")
    steps = np.arange(1, len(gradients) + 1)
    inks = {adam_simplified: Ink.of(5), adam: Ink.of(6)}  # as in the race of all rules
    for axes, title, given in zip(grid, titles, (constant, gradients), strict=True):
        ends = []
        for rule, ink in inks.items():
            sizes = step_sizes(rule, given)
            inside = "white" if rule is adam_simplified else ink.colour
            axes.plot(steps, sizes, "o-", ms=3, lw=1.4, color=ink.colour, mfc=inside)
            ends.append(Label(rule.name, steps[-1], sizes[-1], ink))
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step t", fontsize=9)
        axes.set_xlim(0, len(steps) + 0.5)
        axes.set_ylim(0)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        name_lines(axes, 2.9, ends)
    grid[0].set_ylabel("|step| / learning rate, median of the weights", fontsize=9)
    first = step_sizes(adam_simplified, constant[:1])[0]
    grid[0].annotate(
        rf"first step: $(1-\beta_1)/\sqrt{{1-\beta_2}}$ = {first:.2f}",
        xy=(1, first),
        xytext=(7, 2.4),
        fontsize=9,
        color=GREY,
        arrowprops={"arrowstyle": "->", "color": GREY},
    )
    return figure
