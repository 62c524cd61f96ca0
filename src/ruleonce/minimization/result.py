"""What a run of minimize found, in SciPy's words."""

from typing import Any  # values of any kind under names, as scipy.optimize.OptimizeResult has them


class Result(dict[str, Any]):
    """A dictionary whose entries are attributes too: result.x, result.fun.

    x        the best answer: the last point, or the mean of the last ones if that was asked for
    fun      the objective there; jac its gradient
    nit      steps taken; nfev and njev how often the objective and its gradient were asked for
    status   0 converged, 1 maxiter was reached, 3 a value was not finite, 99 a callback stopped it
    success  whether the status is 0
    message  the status in words
    state    hand it to another run, which then goes on where this one was
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
