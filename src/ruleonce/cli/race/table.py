"""The table: for each rule and learning rate the mean over the seeds, with its spread."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rich import box
from rich.table import Table
from rich.text import Text

from .training import Run


@dataclass(frozen=True)
class Measure:
    """One column of numbers.

    title    of the column
    value    what a run has to say; None if it never came to it
    without  the word for a row in which no run has a value
    show     a number as text, and the spread of the seeds in the same unit
    better   min or max
    """

    title: str
    value: Callable[[Run], float | None]
    without: str
    show: Callable[[float, float], tuple[str, str]]
    better: Callable[[list[float]], float]


def table(runs: Sequence[Run]) -> Table:
    """A row for each rule and learning rate, in the order in which they first ran; at least one.

    A cell is the mean over the seeds ± their standard deviation. Where only some runs have a value
    (they reached 95 %, they did not diverge), it is the mean of those, and says of how
    many. `*` marks the best of a column among the rows in which every run has a value.
    """
    rows: dict[str, dict[float | None, list[Run]]] = {}
    for run in runs:
        rows.setdefault(run.rule, {}).setdefault(run.learning_rate, []).append(run)
    groups = [group for of_rule in rows.values() for group in of_rule.values()]
    bests = [_best(measure, groups) for measure in MEASURES]
    counts = sorted({len(group) for group in groups})
    seeds = " to ".join(map(str, counts)) + (" seeds" if counts != [1] else " seed")
    steps = len(runs[0].losses)
    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,
        caption=f"Mean{' ± standard deviation' if counts != [1] else ''} over {seeds}; "
        f"* best of its column; ms: all {steps} steps of a run.",
        caption_justify="left",
    )
    made.add_column("rule", overflow="fold")
    made.add_column("learn.\nrate", justify="right", no_wrap=True)
    for measure in MEASURES:
        made.add_column(measure.title, justify="right", no_wrap=True)
    for rule, of_rule in rows.items():
        for place, (rate, group) in enumerate(of_rule.items()):
            cells = [_cell(m, group, best) for m, best in zip(MEASURES, bests, strict=True)]
            made.add_row(
                Text("" if place else rule),
                "own" if rate is None else f"{rate:g}",
                *cells,
                end_section=place == len(of_rule) - 1,
            )
    return made


def _values(measure: Measure, group: Sequence[Run]) -> list[float]:
    values = (measure.value(run) for run in group)
    return [value for value in values if value is not None]


def _best(measure: Measure, groups: Sequence[Sequence[Run]]) -> float | None:
    whole = [fmean(v) for g in groups if len(v := _values(measure, g)) == len(g)]
    return measure.better(whole) if whole else None


def _cell(measure: Measure, group: Sequence[Run], best: float | None) -> Text:
    values = _values(measure, group)
    if not values:
        return Text(f"{measure.without} ", style="dim")
    mean = fmean(values)
    shown, spread = measure.show(mean, stdev(values) if len(values) > 1 else 0.0)
    if len(values) < len(group):
        return Text(f"{shown} ({len(values)}/{len(group)}) ")
    text = f"{shown} ± {spread}" if len(values) > 1 else shown
    return Text(f"{text}*", style="bold green") if mean == best else Text(f"{text} ")


def _fixed(decimals: int) -> Callable[[float, float], tuple[str, str]]:
    return lambda mean, spread: (f"{mean:.{decimals}f}", f"{spread:.{decimals}f}")


def _three_digits(mean: float, spread: float) -> tuple[str, str]:
    """Three digits of the mean, and the spread to the same place: 0.000441 ± 0.000017."""
    if mean == 0:
        return "0", "0"
    if not 1e-4 < mean < 1e5:
        return f"{mean:.1e}", f"{spread:.1e}"
    return _fixed(max(0, 2 - math.floor(math.log10(mean))))(mean, spread)


MEASURES = (
    Measure(
        "training\nloss",
        lambda run: run.final_train_loss if math.isfinite(run.final_train_loss) else None,
        "diverged",
        _three_digits,
        min,
    ),
    Measure("test ac-\ncuracy, %", lambda run: 100 * run.test_accuracy, "", _fixed(1), max),
    Measure("steps to\n95 %", lambda run: run.steps_to_95, "never", _fixed(0), min),
    Measure("ms in the\noptimizer", lambda run: run.optimizer_ms, "", _fixed(1), min),
)
