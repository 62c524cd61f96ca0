"""What a run of minimize found, in SciPy's words."""

from collections.abc import Mapping
from typing import Any  # values of any kind under names, as scipy.optimize.OptimizeResult has them

CONVERGED, EXHAUSTED, NOT_FINITE, ENDED, STOPPED = 0, 1, 3, 4, 99

# SciPy's own, but for the batches, which it does not know.
MESSAGES: Mapping[int, str] = {
    CONVERGED: "Optimization terminated successfully.",
    EXHAUSTED: "Maximum number of iterations has been exceeded.",
    NOT_FINITE: "NaN result encountered.",
    ENDED: "There are no more batches.",
    STOPPED: "`callback` raised `StopIteration`.",
}


class Result(dict[str, Any]):
    """A dictionary whose entries are attributes too: result.x, result.fun.

    x        the answer: the last point, or the mean of the last ones if that was asked for
    fun      the objective there, and jac its gradient; with batches, for the last batch
    nit      steps taken
    nfev     how often the objective was asked for, also for differences; njev its gradient
    status   0 converged, 1 maxiter was reached, 3 a value was not finite (x is then the last point
             that was), 4 the batches have ended, 99 a callback stopped the run
    success  whether the status is 0
    message  the status in words
    state    hand it to another run, which then goes on where this one was
    allvecs  all points, the start among them, if return_all asked for them
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:>{width}}: {value!r}" for name, value in self.items())

    @property
    def summary(self) -> str:
        """What `disp` prints, as SciPy's own methods do."""
        return (
            f"{self['message']}\n"
            f"         Current function value: {self['fun']:f}\n"
            f"         Iterations: {self['nit']}\n"
            f"         Function evaluations: {self['nfev']}\n"
            f"         Gradient evaluations: {self['njev']}"
        )
