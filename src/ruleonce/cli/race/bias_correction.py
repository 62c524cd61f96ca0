"""bias_correction.png: the card's lesson, that Adam without bias correction starts too fast."""

from collections.abc import Sequence
from itertools import islice

from matplotlib.figure import Figure

from ...numpy import Optimizer
from ...plot import bias_correction
from ...rules.adam import adam
from .data import Dataset
from .network import Parameters, loss_and_gradients
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


def bias_correction_picture(gradients: Sequence[Parameters], name: str) -> Figure:
    """Draw the size of each step of `adam_simplified` and of `adam`, given the same gradients.

    gradients   of the first steps; beside them stands a gradient that never changes
    name        of the data that they come from
    """
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    grid = figure.subplots(1, 2, sharey=True)
    titles = ("a gradient that never changes", f"{name}: the gradients of the first batches")
    for axes, title, given in zip(grid, titles, (None, gradients), strict=True):
        bias_correction(gradients=given, steps=len(gradients), ax=axes)
        axes.set_title(title, fontsize=10)
    grid[1].set_ylabel("")
    return figure
