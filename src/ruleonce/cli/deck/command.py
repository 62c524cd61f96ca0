"""`ruleonce cards --export`: the deck is made in full, then put where it was asked for."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import CommandError
from ...language.hyperparameters import nearest
from ...language.rule import Rule
from ..pages.command import pictures
from ..race.results import appearing
from .contents import Card, card_of

NAMES = {"anki": "update_rules.apkg", "pdf": "update_rules.pdf", "markdown": ""}


def export(form: str, out: Path, rules: Sequence[Rule], told: Callable[[str], None]) -> str:
    """Write the deck, and say in a sentence what was written.

    form    anki (a package), markdown (a folder) or pdf
    out     the folder for Markdown; else the file, or the folder for a file of the usual name
    rules   a card each
    told    called with the name of each rule whose pictures are being drawn

    Every file appears whole or not at all, and none before all are made. Raises CommandError for
    another form and for a place that cannot be written to, MissingLibraryError for a missing
    library.
    """
    if form not in NAMES:
        raise CommandError(f"--export {form}: there is no such deck{nearest(form, NAMES)}")
    target = _target(form, out)
    cards = [card_of(rule) for rule in rules]
    with TemporaryDirectory() as folder:
        made = Path(folder)
        _draw(made, cards, told)
        if form == "markdown":
            from .markdown import text

            for card in cards:
                (made / f"{card.name}.md").write_text(text(card), encoding="utf-8")
            for file in sorted(made.iterdir()):
                with appearing(target / file.name) as new:
                    shutil.copyfile(file, new)
        else:
            from . import anki, printed

            with appearing(target) as new:
                (anki if form == "anki" else printed).write(new, cards, made)
    return f"Written: {len(cards)} card{'s' if len(cards) != 1 else ''} to {target}"


def _target(form: str, out: Path) -> Path:
    """The file or folder that will be written; its folder is made, and checked."""
    is_file = bool(NAMES[form]) and out.suffix == Path(NAMES[form]).suffix and not out.is_dir()
    folder = out.parent if is_file else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with appearing(folder / "probe") as new:
            new.touch()
        (folder / "probe").unlink()
    except OSError as error:
        raise CommandError(
            f"the folder --out {folder} cannot be written to ({error.strerror}); name another one."
        ) from error
    return out if is_file else folder / NAMES[form] if NAMES[form] else folder


def _draw(made: Path, cards: Sequence[Card], told: Callable[[str], None]) -> None:
    from ..pages.picture import save
    from .pictures import comparison_picture

    for card in cards:
        for compared, name in zip(card.comparisons, card.pictures[1:], strict=True):
            save(made / name, comparison_picture(compared))
    rules = [card.rule for card in cards]
    for rule, picture in pictures(rules, lambda rule: told(rule.name)):
        save(made / f"{rule.name}.png", picture)
