"""The pages themselves: all texts first, then all pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import rules
from ...errors import CommandError
from ...language.rule import Rule
from ...surfaces import Surface, ravine, rosenbrock
from ..race.results import appearing
from .dialects import read
from .index import index
from .text import INDEX, page
from .words import unsaid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAIN = rules.ALL[0]  # the simplest one: what every other is compared to
SURFACES: tuple[Surface, ...] = (ravine, rosenbrock)  # that the pictures show


def texts(all_: Sequence[Rule], documents: Path) -> Mapping[str, str]:
    """File name -> what stands in it, for the page of each rule and for the list of all.

    documents   the folder that may hold the tables of dialects
    """
    known = read(documents)
    return {
        INDEX: index(all_),
        **{f"{rule.name}.md": page(rule, known, PLAIN) for rule in all_},
    }


def write(out: Path, all_: Sequence[Rule], told: Callable[[str], None]) -> None:
    """Write the pages of rules and their pictures.

    out    the folder, which is made; the tables of dialects are read from the one that it is in
    all_   the rules
    told   called with the name of each rule that is being drawn, and with what its page lacks

    Raises CommandError if the folder cannot be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts(all_, out.parent).items():
            with appearing(out / name) as new:
                new.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"the folder --out {out} cannot be written to ({error.strerror}); name another one."
        ) from error
    _draw(out, all_, told)


def _draw(out: Path, all_: Sequence[Rule], told: Callable[[str], None]) -> None:
    from .picture import save

    def told_what_is_lacking(rule: Rule) -> None:
        lacking = "".join(
            f"\n  nothing says what `{name}` is: begin a sentence of the docstring with its name"
            for name in unsaid(rule)
        )
        told(f"{rule.name}{lacking}")

    for rule, picture in pictures(all_, told_what_is_lacking):
        save(out / f"{rule.name}.png", picture)


def pictures(all_: Sequence[Rule], told: Callable[[Rule], None]) -> Iterator[tuple[Rule, "Figure"]]:
    """Each rule with its picture: its walks, beside those of the rule that it is compared to.

    told   called with each rule before it is drawn
    """
    from ...plot.walks import best_path
    from .picture import page_picture

    plain = [(PLAIN.name, best_path(PLAIN, surface)) for surface in SURFACES]
    for rule in all_:
        told(rule)
        walks = [
            [(rule.name, best_path(rule, surface)), beside] if rule is not PLAIN else [beside]
            for surface, beside in zip(SURFACES, plain, strict=True)
        ]
        yield rule, page_picture(SURFACES, walks)
