"""race.json, pictures, and files that appear whole or not at all."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: what JSON may hold

from .training import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .search import Trial

DPI = 200  # of a picture


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to, beside `path`; it takes the place of `path` when all went well.

    Whoever reads `path` finds the old file or the new one, never a half, even after Ctrl-C.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def save(path: Path, figure: "Figure") -> None:
    """Write the figure as a PNG that appears whole or not at all."""
    with appearing(path) as new:
        figure.savefig(new, format="png", dpi=DPI, facecolor="white")


def write_json(path: Path, runs: Sequence[Run]) -> None:
    """Write {"runs": [...]}, one object a run with the fields of Run.

    JSON has no nan and no infinity: a number that is either becomes null. Losses and ratios keep
    six digits, which is what float32 has to say.
    """
    _write(path, {"runs": [_plain(run) for run in runs]})


def write_search_json(path: Path, trials: Sequence["Trial"]) -> None:
    """Write {"trials": [...]}, one object a trial with the fields of Trial; see `write_json`."""
    _write(path, {"trials": [_numbers(asdict(trial)) for trial in trials]})


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, allow_nan=False)
    with appearing(path) as new, new.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _plain(run: Run) -> dict[str, Any]:
    fields = asdict(run)
    fields["final_train_loss"] = _number(run.final_train_loss)
    fields["test_loss"] = _number(run.test_loss)
    fields["optimizer_ms"] = round(run.optimizer_ms, 3)
    fields["losses"] = [_number(value) for value in run.losses]
    fields["ratios"] = [_number(value) for value in run.ratios]
    return fields


def _numbers(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: _number(v) if isinstance(v, float) else v for k, v in fields.items()}


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
