"""What a picture is asked for, checked before anything is drawn."""

from collections.abc import Sequence
from typing import Any  # whatever was given

from .. import surfaces
from ..errors import PlotError
from ..language.hyperparameters import nearest
from ..language.rule import Rule
from ..surfaces import Surface


def several(given: Any) -> Sequence[Any]:
    """One thing or several as several."""
    return given if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def rules_of(given: Rule | Sequence[Rule]) -> Sequence[Rule]:
    """One rule or several as several. Raises PlotError for what is none."""
    found = several(given)
    for rule in found:
        if not isinstance(rule, Rule):
            raise PlotError(
                f"{rule!r} is no rule.\n  Give one of ruleonce.rules, or a function under @rule."
            )
    if not found:
        raise PlotError("there is no rule to draw.")
    return found


def surface_of(given: str | Surface) -> Surface:
    """A surface, or the one of that name. Raises PlotError, with the nearest, if there is none."""
    found = getattr(surfaces, given, None) if isinstance(given, str) else given
    if isinstance(found, Surface):
        return found
    names = [known.name for known in surfaces.SURFACES]
    raise PlotError(f"there is no surface {given!r}{nearest(str(given), names)}")


def check_steps(steps: int) -> None:
    """Raise PlotError for what is no number of steps."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise PlotError(f"steps is {steps!r}; it must be a whole number from 1 up.")
