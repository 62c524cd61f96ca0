"""race.png and update_ratio.png: the curves of every rule, a panel for each learning rate."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ...plot.curves import averaged_over, finite, half_window
from ...plot.races import FLOOR, loss_limits
from .network import Array
from .panels import Groups, Plot, panels
from .training import CHECK_EVERY, Run, checked_steps

HEALTHY = 1e-3  # about what the notes say of the ratio
RATIOS = (1e-7, 10.0)  # drawn of the ratio, at most


def race_picture(runs: Sequence[Run], name: str) -> Figure:
    """Draw the training loss against the step; see `panels`.

    name   of the data, for the title
    """
    steps = len(runs[0].losses)

    def limits(groups: Groups) -> tuple[float, float]:
        return loss_limits([run.losses[0] for run in runs], _all(groups))

    plot = Plot(lambda run: run.losses, range(1, steps + 1), limits, FLOOR, "training loss")
    window = 2 * half_window(steps) + 1
    return panels(runs, plot, f"{name}: loss of the batches, {averaged_over(window, _seeds(runs))}")


def ratio_picture(runs: Sequence[Run], name: str) -> Figure:
    """Draw how long an update is beside the weights that it changes; see `panels`.

    name   of the data, for the title

    Source: CS231n notes, "Ratio of weights:updates", https://cs231n.github.io/neural-networks-3/,
    whose 1e-3 is marked.
    """
    steps = checked_steps(len(runs[0].losses))

    def limits(groups: Groups) -> tuple[float, float]:
        values = finite(_all(groups))
        positive = values[values > 0]
        low = max(float(positive.min(initial=HEALTHY)), RATIOS[0]) / 1.5
        high = min(float(positive.max(initial=HEALTHY)), RATIOS[1]) * 1.5
        return min(low, HEALTHY / 4), max(high, HEALTHY * 4)

    plot = Plot(
        lambda run: run.ratios, steps, limits, RATIOS[0], "|update| / |weights|", mark=HEALTHY
    )
    window = CHECK_EVERY * (2 * half_window(len(steps)) + 1)
    return panels(
        runs,
        plot,
        f"{name}: how long a step is beside the weights, {averaged_over(window, _seeds(runs))}; "
        f"dotted: {HEALTHY:g}, about what is healthy",
    )


def _all(groups: Groups) -> list[Array]:
    return [curve for group in groups.values() for curve in group]


def _seeds(runs: Sequence[Run]) -> int:
    return len({run.seed for run in runs})
