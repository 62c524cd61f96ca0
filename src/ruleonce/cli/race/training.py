"""One run: one rule, one learning rate, one seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from .data import Dataset
from .entries import Entry
from .network import (
    Labels,
    Parameters,
    accuracy,
    copies,
    initial_parameters,
    loss,
    loss_and_gradients,
)
from .storing import computed_with

HIDDEN = 200  # neurons in the hidden layer
BATCH = 64  # rows in a batch, where there are as many
CHECK_EVERY = 10  # steps between two looks at the test accuracy, and at the ratio
GOAL = 0.95  # the test accuracy that `steps_to_95` waits for

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Run:
    """What one run came to; the fields are those of race.json.

    rule              the label of its entry
    learning_rate     None for a rule that has none
    seed              decides the first weights and the batches
    final_train_loss  over the whole training set, after the last step; nan or inf if it diverged
    test_loss         over the rows that it was not trained on, after the last step; likewise
    test_accuracy     of those rows, after the last step, 0 to 1
    steps_to_95       the first step, checked every CHECK_EVERY, with a test accuracy of 0.95 or
                      more; None if there was none
    optimizer_ms      milliseconds in `Optimizer.step`, all steps together; compiling not counted
    losses            of each batch, before the step that it led to
    ratios            of the update to the weights, at every CHECK_EVERY-th step and the last
    """

    rule: str
    learning_rate: float | None
    seed: int
    final_train_loss: float
    test_loss: float
    test_accuracy: float
    steps_to_95: int | None
    optimizer_ms: float
    losses: tuple[float, ...]
    ratios: tuple[float, ...]


def steps_of(data: Dataset, epochs: int) -> int:
    """How many steps a run takes: whole batches only, so that all gradients weigh alike."""
    return epochs * (len(data.train_y) // _batch_size(data))


def start(data: Dataset, seed: int) -> Parameters:
    """The weights that every run with this seed starts from."""
    rng = np.random.default_rng([seed, 0])
    return initial_parameters(data.train_x.shape[1], HIDDEN, len(data.classes), rng)


def batches(data: Dataset, seed: int, epochs: int) -> Iterator[Labels]:
    """The rows of each batch, in the order that every run with this seed sees them."""
    rng = np.random.default_rng([seed, 1])
    size = _batch_size(data)
    for _ in range(epochs):
        order = rng.permutation(len(data.train_y))
        for first in range(0, len(order) - size + 1, size):
            yield order[first : first + size]


def checked_steps(count: int) -> list[int]:
    """Which of `count` steps are looked at, counted from 1."""
    return sorted({*range(CHECK_EVERY, count + 1, CHECK_EVERY), count})


def update_ratio(before: Parameters, after: Parameters) -> float:
    """|update| / |weights| of a step, 2-norms over all parameters; nan if all weights are 0.

    It is `optimizer.step(gradients, report=True).whole.ratio`, taken when the clock of the race
    stands still.

    Source: CS231n notes, "Ratio of weights:updates", https://cs231n.github.io/neural-networks-3/
    """
    old, new = (
        np.concatenate([array.ravel() for array in x.values()]).astype(np.float64)
        for x in (before, after)
    )
    return float(np.linalg.norm(new - old) / np.linalg.norm(old))


def train(
    entry: Entry, data: Dataset, *, seed: int, epochs: int, progress: Progress | None = None
) -> Run:
    """Run once.

    progress   called with the step and its loss every CHECK_EVERY steps

    Raises what the rule's optimizer raises, such as HyperparameterError.
    """
    first = start(data, seed)
    _compile(entry, first)
    optimizer = entry.optimizer(first)
    parameters: Parameters = optimizer.params
    last = steps_of(data, epochs)
    checked = set(checked_steps(last))
    losses: list[float] = []
    ratios: list[float] = []
    steps_to_goal = None
    seconds = test_accuracy = 0.0
    # A rule that diverges is a result, not a warning: its losses are inf, then nan.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for step, rows in enumerate(batches(data, seed, epochs), 1):
            value, gradients = loss_and_gradients(
                computed_with(parameters), data.train_x[rows], data.train_y[rows]
            )
            losses.append(value)
            old = copies(parameters) if step in checked else None
            before = perf_counter()
            optimizer.step(gradients)
            seconds += perf_counter() - before
            if old is None:
                continue
            ratios.append(update_ratio(old, parameters))
            test_accuracy = accuracy(computed_with(parameters), data.test_x, data.test_y)
            if steps_to_goal is None and test_accuracy >= GOAL:
                steps_to_goal = step
            if progress:
                progress(step, value)
        last_weights = computed_with(parameters)
        final = loss(last_weights, data.train_x, data.train_y)
        test_loss = loss(last_weights, data.test_x, data.test_y)
    return Run(
        rule=entry.label,
        learning_rate=entry.learning_rate,
        seed=seed,
        final_train_loss=final,
        test_loss=test_loss,
        test_accuracy=test_accuracy,
        steps_to_95=steps_to_goal,
        optimizer_ms=1000 * seconds,
        losses=tuple(losses),
        ratios=tuple(ratios),
    )


def _batch_size(data: Dataset) -> int:
    return min(BATCH, len(data.train_y))


def _compile(entry: Entry, parameters: Parameters) -> None:
    """Take a step on copies: the kernel is compiled now, and the clock counts steps alone."""
    own = copies(parameters)
    entry.optimizer(own).step({name: np.zeros_like(array) for name, array in own.items()})
