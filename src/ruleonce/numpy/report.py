"""What a step tells of itself: how long gradients, weights and updates are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..engines import Array
from ..language.monitor import GRADIENT, UPDATE, WEIGHTS
from .launches import Launches


@dataclass(frozen=True)
class TensorReport:
    """One tensor at one step; the norms are 2-norms, taken in float64.

    gradient_norm   of its gradient
    weight_norm     of its weights, before the step
    update_norm     of what the step added to them
    nonfinite       how many elements of the gradient are infinite or nan
    """

    gradient_norm: float
    weight_norm: float
    update_norm: float
    nonfinite: int

    @property
    def ratio(self) -> float:
        """The update over the weights: about 1e-3 where the learning rate is right (CS231n notes,
        "Ratio of weights:updates"); nan or inf for weights of 0.
        """
        with np.errstate(all="ignore"):
            return float(np.float64(self.update_norm) / np.float64(self.weight_norm))


class Report(Mapping[str, TensorReport]):
    """A step, tensor by tensor: `report["layers.0.weight"].ratio`.

    t   the step that it is of
    """

    def __init__(self, t: int, names: tuple[str, ...], sums: Array, nonfinite: Array) -> None:
        self.t = t
        self._sums = sums
        self._nonfinite = nonfinite
        self._places = {name: place for place, name in enumerate(names)}

    def __getitem__(self, name: str) -> TensorReport:
        place = self._places[name]
        return _report(self._sums[place], self._nonfinite[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def whole(self) -> TensorReport:
        """All tensors, as if they were one."""
        return _report(self._sums.sum(axis=0), self._nonfinite.sum())

    def __str__(self) -> str:
        rows = [*self.items(), *([("all", self.whole)] if len(self) != 1 else [])]
        width = max((len(name) for name, _ in rows), default=0)
        lines = [f"step {self.t}: {'':{max(0, width - 8)}} gradient   weights    update     ratio"]
        for name, one in rows:
            norms = (one.gradient_norm, one.weight_norm, one.update_norm, one.ratio)
            odd = f"  {one.nonfinite} not finite" if one.nonfinite else ""
            lines.append(f"{name:{width}}  {'  '.join(f'{norm:9.2e}' for norm in norms)}{odd}")
        return "\n".join(lines)


def reported(
    t: int, names: tuple[str, ...], launches: Launches, gradients: Sequence[Array]
) -> Report:
    """What launches that report have found in step `t`, which they have just taken.

    Elements that are not finite are counted where the sum of squares is not: one that is infinite
    or nan shows there.
    """
    sums = np.zeros((len(names), 3))
    for launch, places in launches:
        sums[slice(None) if places is None else places] = launch.sums(launch.passes - 1)
    nonfinite = np.zeros(len(names), np.int64)
    for place in np.flatnonzero(~np.isfinite(sums[:, GRADIENT])).tolist():
        nonfinite[place] = np.count_nonzero(~np.isfinite(gradients[place]))
    return Report(t, names, sums, nonfinite)


def _report(sums: Array, nonfinite: int) -> TensorReport:
    return TensorReport(
        gradient_norm=float(np.sqrt(sums[GRADIENT])),
        weight_norm=float(np.sqrt(sums[WEIGHTS])),
        update_norm=float(np.sqrt(sums[UPDATE])),
        nonfinite=int(nonfinite),
    )
