"""The progress bar: which run, how many are done, the loss, the time left."""

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH = 0.1  # seconds between two drawings


class Bar:
    """A progress bar over runs of equal length.

    console   where it is drawn; on one that is no terminal, only its last state appears
    runs      how many there will be
    steps     of each run

    It draws when it is told of a step, and not from a thread of its own: a thread would take the
    processor at any moment, and the race measures milliseconds.
    """

    def __init__(self, console: Console, runs: int, steps: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[done]}/{task.fields[runs]} runs"),
            TextColumn("loss {task.fields[loss]:.2e}"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            expand=True,
        )
        self._steps = steps
        self._done = -1
        self._drawn = 0.0
        self._task = self._bar.add_task("", total=runs * steps, done=0, runs=runs, loss=0.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            total = self._done + 1
            self._bar.update(self._task, completed=total * self._steps, done=total)
        self._bar.stop()

    def next_run(self, title: str) -> Callable[[int, float], None]:
        """Begin a run; the result is to be called with its step and its loss."""
        self._done += 1
        self._bar.update(self._task, description=escape(title), done=self._done)
        return self._advance

    def _advance(self, step: int, loss: float) -> None:
        self._bar.update(self._task, completed=self._done * self._steps + step, loss=loss)
        if monotonic() - self._drawn > REFRESH:
            self._bar.refresh()
            self._drawn = monotonic()
