"""The race itself: everything checked first, then run after run, then what came of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

from ...errors import CommandError, RuleonceError
from . import training
from .bias_correction import STEPS, bias_correction_picture, first_gradients
from .data import Dataset, digits, from_file
from .entries import Entry, entries
from .picture import race_picture, ratio_picture
from .progress import Bar
from .results import save, write_json
from .storing import checked
from .table import table
from .training import HIDDEN, Run, steps_of

INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended
WIDTH = 120  # characters of the table in a file


def race(
    *,
    data: Path | None,
    target: str | None,
    rules: Sequence[str],
    learning_rates: Sequence[float],
    epochs: int,
    seeds: Sequence[int],
    out: Path,
    rule_file: Path | None,
    formats: Sequence[str] = (),
) -> int:
    """Run the race, print its table, and write race.json and its pictures: race.png,
    update_ratio.png and bias_correction.png.

    data            a .csv or an .npz file; None for the digits
    target          its column or array with the labels
    rules           names; none means all
    learning_rates  every rule runs at each, but for one that has no `learning_rate`: it runs once
    epochs          how often each run sees all the data
    seeds           every pair of rule and learning rate runs with each
    out             the folder for the files; it is made if it is not there
    rule_file       a Python file with more rules
    formats         how weights and state are stored: each rule runs in each; none means float32

    Returns the exit code: 0, or 130 after Ctrl-C. What was finished by then is printed and written
    all the same, and so it is when a rule fails in the middle.

    Raises RuleonceError (CommandError, DataError, RuleFileError, RuleError ...) for a race that
    cannot be run as asked, before the first run.
    """
    field = entries(rules, learning_rates, rule_file, checked(formats))
    samples = samples_of(data, target)
    make_folder(out)
    screen, notes = consoles()
    notes.print(Text(headline(samples, len(field) * len(seeds), epochs)))
    # Seed by seed, so that a race that is stopped still compares all rules.
    plan = [(entry, seed) for seed in seeds for entry in field]
    runs: list[Run] = []
    ended: KeyboardInterrupt | RuleonceError | None = None
    try:
        # The network is small: a second thread in its products costs more than it brings. And with
        # one, the losses are the same whatever the number of processors.
        with (
            threadpool_limits(limits=1, user_api="blas"),
            Bar(notes, len(plan), steps_of(samples, epochs)) as bar,
        ):
            for entry, seed in plan:
                advance = bar.next_run(_run_title(entry, seed))
                runs.append(
                    training.train(entry, samples, seed=seed, epochs=epochs, progress=advance)
                )
    except (KeyboardInterrupt, RuleonceError) as error:
        ended = error
        notes.print(Text(f"Stopped after {len(runs)} of {len(plan)} runs."))
    if runs:
        screen.print(table(runs))
        written = _write(out, runs, samples, seeds[0])
        screen.print(Text(f"Written: {', '.join(map(str, written))}"), soft_wrap=True)
    if isinstance(ended, RuleonceError):
        raise ended
    return INTERRUPTED if ended else 0


def samples_of(data: Path | None, target: str | None) -> Dataset:
    """What is raced on; the digits without `data`.

    Raises CommandError for a target without data, DataError for a file that will not do.
    """
    if data is None and target is not None:
        raise CommandError(
            f"--target {target} names a column, but there is no --data; the digits have their own "
            "labels. Add --data my.csv, or leave --target out."
        )
    return from_file(data, target) if data else digits()


def consoles() -> tuple[Console, Console]:
    """Where the table goes, and where progress and notes go.

    A file or a pipe has no width of its own, and gets every column.
    """
    screen, notes = Console(highlight=False), Console(stderr=True, highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=WIDTH), notes


def _write(out: Path, runs: Sequence[Run], data: Dataset, seed: int) -> list[Path]:
    """Write the files; the numbers first, for a picture may fail."""
    numbers, curves, ratios, first_steps = (
        out / name for name in ("race.json", "race.png", "update_ratio.png", "bias_correction.png")
    )
    write_json(numbers, runs)
    save(curves, race_picture(runs, data.name))
    save(ratios, ratio_picture(runs, data.name))
    save(first_steps, bias_correction_picture(first_gradients(data, seed, STEPS), data.name))
    return [numbers, curves, ratios, first_steps]


def _run_title(entry: Entry, seed: int) -> str:
    rate = "" if entry.learning_rate is None else f" at {entry.learning_rate:g}"
    return f"{entry.label}{rate}, seed {seed}"


def headline(data: Dataset, runs: int, epochs: int) -> str:
    """What is about to happen, in three sentences."""
    columns, classes = data.train_x.shape[1], len(data.classes)
    return (
        f"{data.name}: {len(data.train_y)} rows to train on, {len(data.test_y)} to test with. "
        f"Network: {columns} inputs, {HIDDEN} hidden, {classes} classes. "
        f"{runs} runs of {steps_of(data, epochs)} steps."
    )


def make_folder(out: Path) -> None:
    """Make the folder for the files; CommandError if they cannot be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".{os.getpid()}.new"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CommandError(
            f"the folder --out {out} cannot be written to ({error.strerror}); name another one."
        ) from error
