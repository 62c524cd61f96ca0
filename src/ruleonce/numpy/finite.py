"""Look for gradients that are infinite or nan before anything is written."""

from collections.abc import Sequence
from typing import Any  # what a rule takes

from ..engines import Engine, Work
from ..engines.memory import Regions
from ..errors import HyperparameterError, NonFiniteGradientError
from ..formats import format_of
from ..language.functions import sum as sum_of
from ..language.functions import total, where
from ..language.rule import rule
from ..language.schema import Scalar
from .gradients import Array, Expected, of

CHOICES = ("allow", "raise", "skip")


@rule
def _count_nonfinite(w: Any, dw: Any, count: Scalar) -> tuple[Any, Scalar]:
    """Leave the weights be; what is wanted are the sums that are made on the way."""
    count = total(sum_of(where(dw - dw != 0.0, 1.0, 0.0)))
    return w, count


def checked_choice(choice: str) -> str:
    """`choice` itself; raises HyperparameterError for what on_nonfinite cannot be."""
    if choice not in CHOICES:
        raise HyperparameterError(
            f"on_nonfinite is {choice!r}; it must be one of {', '.join(map(repr, CHOICES))}: what "
            "a step does when a gradient is infinite or nan."
        )
    return choice


class Finite:
    """Counts the elements of gradients that are infinite or nan, in one pass that only reads."""

    def __init__(self, engine: Engine, weights: Sequence[Array], expected: Expected) -> None:
        kinds: dict[object, list[int]] = {}
        for place, (_, dtype) in enumerate(expected):
            kinds.setdefault((weights[place].dtype, dtype), []).append(place)
        self._launches = []
        for places in kinds.values():
            first = places[0]
            work = Work(
                rule=_count_nonfinite,
                switches={},
                formats={
                    "w": format_of(weights[first].dtype, "the parameter"),
                    "dw": format_of(expected[first][1], "the gradient"),
                },
                tensors=[(weights[place],) for place in places],
                groups=[0] * len(places),
                regions=Regions([]),
            )
            self._launches.append((engine.launch(work), places))

    def allows(self, gradients: Sequence[Array], names: Sequence[str], choice: str) -> bool:
        """Whether all gradients are finite; raises NonFiniteGradientError if that is asked for."""
        counts = self.counts(gradients)
        if counts and choice == "raise":
            raise _error(counts, gradients, names)
        return not counts

    def counts(self, gradients: Sequence[Array]) -> dict[int, int]:
        """The place of each gradient that has such elements -> how many they are."""
        found = {}
        for launch, places in self._launches:
            launch.prepare([gradients[place] for place in places], [(0.0, 1)])
            launch.measure(0)
            for place, (count,) in zip(places, launch.sums(0), strict=True):
                if count:
                    found[place] = int(count)
        return found


def _error(counts: dict[int, int], gradients: Sequence[Array], names: Sequence[str]) -> Exception:
    """The error that names the tensors."""
    shown = [
        f"the gradient{of(names[place])}: {count} of {gradients[place].size} elements"
        for place, count in list(counts.items())[:5]
    ]
    more = f"; and {len(counts) - 5} more" if len(counts) > 5 else ""
    return NonFiniteGradientError(
        f"infinite or nan: {'; '.join(shown)}{more}. Nothing has changed.\n"
        "  on_nonfinite='skip' leaves out such a step; a smaller learning rate, or clipping, may "
        "keep them away."
    )
