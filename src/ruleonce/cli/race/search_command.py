"""`ruleonce race --search N`: the search itself, what it prints, and what it writes."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

from ...errors import CommandError, MissingLibraryError, RuleonceError
from .command import INTERRUPTED, consoles, headline, make_folder, samples_of
from .entries import Entry, chosen_rules
from .progress import Bar
from .results import save, write_search_json
from .search import Space, Trial, at_edge, trials
from .search_picture import search_picture
from .training import Progress, steps_of


def search(
    *,
    data: Path | None,
    target: str | None,
    rules: Sequence[str],
    count: int,
    epochs: int,
    seeds: Sequence[int],
    out: Path,
    rule_file: Path | None,
) -> int:
    """Search learning rate and momentum of every rule, print the best, and write search.json and
    search.png.

    count   how many pairs of numbers are tried for each rule
    seeds   each pair is trained with each; the first decides what is drawn

    The other arguments, what is returned and what is raised are those of `race`; and
    MissingLibraryError if optuna is not installed.
    """
    _check_optuna()
    spaces = [Space.of(label, rule) for label, rule in chosen_rules(rules, rule_file).items()]
    for space in spaces:
        if space.is_empty:
            raise CommandError(
                f"{space.label} has neither a learning rate nor a momentum to search; leave it out "
                "with --rules."
            )
    samples = samples_of(data, target)
    make_folder(out)
    screen, notes = consoles()
    runs = len(spaces) * count * len(seeds)
    notes.print(Text(headline(samples, runs, epochs)))
    found: list[Trial] = []
    ended: KeyboardInterrupt | RuleonceError | None = None
    try:
        with (
            threadpool_limits(limits=1, user_api="blas"),
            Bar(notes, runs, steps_of(samples, epochs)) as bar,
        ):

            def begin(entry: Entry, seed: int) -> Progress:
                return bar.next_run(_title(entry, seed))

            for space in spaces:
                found.extend(
                    trials(space, samples, count=count, seeds=seeds, epochs=epochs, begin=begin)
                )
    except (KeyboardInterrupt, RuleonceError) as error:
        ended = error
        notes.print(Text(f"Stopped after {len(found)} of {len(spaces) * count} trials."))
    if found:
        screen.print(best_table(found, spaces))
        numbers, picture = out / "search.json", out / "search.png"
        write_search_json(numbers, found)
        save(picture, search_picture(found, samples.name))
        screen.print(Text(f"Written: {numbers}, {picture}"), soft_wrap=True)
    if isinstance(ended, RuleonceError):
        raise ended
    return INTERRUPTED if ended else 0


def best_table(found: Sequence[Trial], spaces: Sequence[Space]) -> Table:
    """A row for each rule that was tried: its best numbers, and what came of them."""
    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        caption="The best of each rule, by the loss on rows that it was not trained on. A number "
        "at the edge of its range may have a better one beyond.",
        caption_justify="left",
    )
    made.add_column("rule", overflow="fold")
    for title in ("learning rate", "momentum", "test loss", "test accuracy, %", "trials"):
        made.add_column(title, justify="right")
    made.add_column("at the edge")
    for space in spaces:
        own = [trial for trial in found if trial.rule == space.label]
        if not own:
            continue
        best = min(own, key=lambda trial: trial.test_loss)
        made.add_row(
            space.label,
            _shown(best.learning_rate),
            _shown(best.momentum),
            f"{best.test_loss:.3g}",
            f"{100 * best.test_accuracy:.1f}",
            str(len(own)),
            at_edge(best, space),
        )
    return made


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _title(entry: Entry, seed: int) -> str:
    rate = "" if entry.learning_rate is None else f" at {entry.learning_rate:.2g}"
    others = "".join(f", {name} {value:.3g}" for name, value in entry.momentum.items())
    return f"{entry.label}{rate}{others}, seed {seed}"


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401  (asked for here, before anything else is done)
    except ImportError as missing:
        raise MissingLibraryError(
            "the search draws its numbers with optuna, which is not installed here:\n"
            "  pip install 'ruleonce[search]'"
        ) from missing
