"""Which rules stand on the page, and writing it."""

import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ... import rules
from ...errors import CommandError, EmitError
from ...language.hyperparameters import nearest
from ...language.rule import Rule
from ..race.results import appearing
from ..rule_file import rules_of
from .assembly import page
from .data import RuleData, page_data, rule_data

MOST_RACING = 6
FIRST = ("momentum", "rmsprop", "adam")  # what Adam is made of, and Adam
BESIDE = ("adam",)  # what the reader's own rules race against


def write(
    out: Path, rule_file: Path | None, racing: Sequence[str], told: Callable[[str], None]
) -> None:
    """Write the page.

    out         the file; it appears whole or not at all
    rule_file   the reader's own rules, which come first
    racing      the rules that race when the page opens; empty for the reader's own beside Adam, or
                Momentum, RMSProp and Adam
    told        called with what the page leaves out

    Raises CommandError for a rule that is not there, for a rule file with none that the page can
    run, or if the file cannot be written; RuleFileError and RuleError for the rule file.
    """
    own = _own(rule_file, told) if rule_file else {}
    known = own | {name: data for name, data in _ours().items() if name not in own}
    text = page(page_data(list(known.values()), _first(racing, own, known)))
    if out.is_dir():
        raise CommandError(f"--out {out} is a folder; name a file in it, such as {out}/page.html.")
    try:
        with appearing(out) as new:
            new.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"the file --out {out} cannot be written ({error.strerror}); name another one."
        ) from error


def opened(page: Path) -> bool:
    """Show the page in the reader's browser; whether there is one."""
    return webbrowser.open(page.resolve().as_uri())


def _own(rule_file: Path, told: Callable[[str], None]) -> dict[str, RuleData]:
    data: dict[str, RuleData] = {}
    left_out: list[str] = []
    for name, rule in rules_of(rule_file).items():
        try:
            data[name] = rule_data(rule, name, rule_file.stem)
        except EmitError as error:
            left_out.append(str(error))
    if not data:
        raise CommandError(
            f"the page has two single weights, and no rule of {rule_file} works on those:\n  "
            + "\n  ".join(left_out)
        )
    for reason in left_out:
        told(f"Left out: {reason}")
    return data


def _ours() -> dict[str, RuleData]:
    """Every rule of ruleonce that works element by element."""
    return {rule.name: data for rule in rules.ALL if (data := _data_of_ours(rule))}


def _data_of_ours(rule: Rule) -> RuleData | None:
    try:
        return rule_data(rule, rule.name, rule.module.rpartition(".")[2])
    except EmitError:
        return None


def _first(
    racing: Sequence[str], own: Mapping[str, RuleData], known: Mapping[str, RuleData]
) -> Sequence[str]:
    """The rules that race when the page opens; the last one's card is shown."""
    if len(racing) > MOST_RACING:
        raise CommandError(
            f"--rules names {len(racing)} rules; up to {MOST_RACING} race on the page."
        )
    for name in racing:
        if name not in known:
            is_ours = name in {rule.name for rule in rules.ALL}
            raise CommandError(
                f"--rules {name}: it looks at whole tensors, and the page has two single weights."
                if is_ours
                else f"--rules {name}: there is no such rule{nearest(name, known)}"
            )
    if racing:
        return list(dict.fromkeys(racing))
    beside = [name for name in BESIDE if name not in own]
    return [*beside, *list(own)[: MOST_RACING - len(beside)]] if own else FIRST
