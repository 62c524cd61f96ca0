"""minimize: a rule as a method of numerical optimization."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any  # an objective may take and return anything

import numpy as np

from ..engines import Array
from ..errors import HyperparameterError, TensorError, TensorTypeError
from ..language.hyperparameters import Value
from ..language.rule import Rule
from ..numpy import Optimizer
from ..rules.adam import adam
from .objective import Objective
from .result import Result

CONVERGED, EXHAUSTED, NOT_FINITE, STOPPED = 0, 1, 3, 99
MESSAGES: Mapping[int, str] = {
    CONVERGED: "Optimization terminated successfully.",
    EXHAUSTED: "Maximum number of iterations has been exceeded.",
    NOT_FINITE: "NaN result encountered.",
    STOPPED: "`callback` raised `StopIteration`.",
}

Bounds = Sequence[tuple[float | None, float | None]] | Any  # or scipy.optimize.Bounds


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    *,
    rule: Rule = adam,
    args: tuple[Any, ...] = (),
    jac: Callable[..., Any] | bool | str | None = None,
    bounds: Bounds | None = None,
    callback: Callable[..., Any] | None = None,
    maxiter: int = 1000,
    gtol: float = 1e-5,
    ftol: float | None = None,
    patience: int = 10,
    batches: Iterable[Any] | None = None,
    average: float = 0.0,
    return_all: bool = False,
    disp: bool = False,
    state: Mapping[str, Any] | None = None,
    engine: str = "auto",
    **hyperparameters: Value,
) -> Result:
    """Minimize a function of an array by a rule, such as Adam.

    fun        x, *args -> a number; with jac=True a number and the gradient
    x0         where to begin, of any shape; float32 stays float32. It is not changed.
    jac        x, *args -> the gradient; True; or "2-point", "3-point", "cs" or None for differences
               of `fun`, by SciPy
    bounds     pairs (low, high), None for no bound, or a scipy.optimize.Bounds: after each step x
               is put back between them
    callback   called after each step with a copy of x, or, if its one argument is called
               `intermediate_result`, with a Result of x, fun and nit. StopIteration ends the run.
    maxiter    steps at most
    gtol       stop when no element of the gradient is larger (where x is at a bound, of that part
               of it that does not point outwards)
    ftol       stop when in `patience` steps the objective has fallen by less than ftol times its
               size (at least 1); None leaves it out, and then `fun` is not asked for at each step
    batches    of a stochastic objective: `fun` and `jac` get the next one, after x, at each step;
               the run ends with them
    average    the answer is the mean of the points of this last share of `maxiter`, such as 0.5
    state      `result.state` of another run, to go on from there
    engine, hyperparameters   as ruleonce.Optimizer has them

    Raises, before `fun` is called, what ruleonce.Optimizer raises, and TensorError for bounds or an
    x0 that cannot be used.
    """
    x = start(x0)
    limits = limits_of(bounds, x)
    _check(maxiter, patience, average)
    options: dict[str, Any] = dict(hyperparameters)
    optimizer = Optimizer(rule, x, engine=engine, **options)
    if state is not None:
        resume(optimizer, state)
    objective = Objective(fun, jac, tuple(args), batches, limits)
    run = _Run(optimizer, x, objective, limits, gtol, ftol, patience)
    if limits is not None:
        np.clip(x, *limits, out=x)
    points = [x.copy()] if return_all else None
    tell = _teller(callback, objective)
    tail = maxiter - round(average * maxiter)
    mean, counted = np.zeros_like(x), 0
    status, nit = EXHAUSTED, 0
    while nit < maxiter and objective.next_batch():
        stopped = run.step()
        if stopped is not None:
            status = stopped
            break
        nit += 1
        if average and nit > tail:
            counted += 1
            mean += (x - mean) / counted
        if points is not None:
            points.append(x.copy())
        if tell is not None and tell(x, nit):
            status = STOPPED
            break
    answer = mean if counted else x.copy()
    return _result(run, answer, nit, status, points, disp=disp)


class _Run:
    """The loop's body: one gradient, the question whether to stop, one step."""

    def __init__(
        self,
        optimizer: Optimizer,
        x: Array,
        objective: Objective,
        limits: tuple[Array, Array] | None,
        gtol: float,
        ftol: float | None,
        patience: int,
    ) -> None:
        self.optimizer = optimizer
        self.x = x
        self.objective = objective
        self.limits = limits
        # One array for all gradients: the optimizer then knows it from step to step.
        self.gradient = np.zeros_like(x)
        self._flat_gradient, self._flat = self.gradient.reshape(-1), x.reshape(-1)
        self._gtol = gtol
        self._ftol = ftol
        self._patience = patience
        self._enough = x.size * gtol * gtol
        self._before = x.copy()
        self._best = math.inf
        self._waited = 0

    def step(self) -> int | None:
        """Take a step; or give the status that ends the run, x being the answer."""
        x = self.x
        gradient = self.gradient
        self.objective.gradient(x, gradient)
        # Finite only if all elements are, and cheaper to ask for.
        squares = float(self._flat_gradient.dot(self._flat_gradient))
        if not math.isfinite(squares) and not np.isfinite(gradient).all():
            return NOT_FINITE
        if (self.limits is not None or squares <= self._enough) and self._is_flat(gradient):
            return CONVERGED
        if self._ftol is not None and (found := self._has_stalled(self._ftol)) is not None:
            return found
        np.copyto(self._before, x)
        self.optimizer.step(gradient)
        if self.limits is not None:
            np.clip(x, *self.limits, out=x)
        if not math.isfinite(float(self._flat.dot(self._flat))) and not np.isfinite(x).all():
            np.copyto(x, self._before)
            return NOT_FINITE
        return None

    def _is_flat(self, gradient: Array) -> bool:
        if self.limits is not None:
            gradient = np.clip(self.x - gradient, *self.limits) - self.x
        return float(np.max(np.abs(gradient), initial=0.0)) <= self._gtol

    def _has_stalled(self, ftol: float) -> int | None:
        value = self.objective.value(self.x)
        if not math.isfinite(value):
            return NOT_FINITE
        if value < self._best - ftol * max(1.0, abs(self._best)) or self._best == math.inf:
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        return CONVERGED if self._waited >= self._patience else None


def _result(
    run: _Run, x: Array, nit: int, status: int, points: list[Array] | None, *, disp: bool
) -> Result:
    objective = run.objective
    fun = objective.value(x)
    if status == CONVERGED and not math.isfinite(fun):
        status = NOT_FINITE
    optimizer = run.optimizer
    result = Result(
        x=x,
        fun=fun,
        jac=run.gradient,
        nit=nit,
        nfev=objective.nfev,
        njev=objective.njev,
        status=status,
        success=status == CONVERGED,
        message=MESSAGES[status],
        state=snapshot(optimizer),
    )
    if points is not None:
        result["allvecs"] = points
    if disp:
        print(  # noqa: T201  (what disp asks for)
            f"{result.message}\n         Current function value: {fun:f}\n"
            f"         Iterations: {nit}\n         Function evaluations: {result.nfev}\n"
            f"         Gradient evaluations: {result.njev}"
        )
    return result


def start(x0: Any) -> Array:
    """A copy of x0 that steps may write to. Raises TensorTypeError for complex numbers."""
    given = np.asarray(x0)
    if given.dtype.kind == "c":
        raise TensorTypeError(
            "x0 is complex; minimize over its real and imaginary parts: x0.view(float)."
        )
    return np.array(given, given.dtype if given.dtype.kind == "f" else np.float64, order="C")


def limits_of(bounds: Bounds | None, x: Array) -> tuple[Array, Array] | None:
    """The lower and the upper bounds, of the shape of x. Raises TensorError if they cross."""
    if bounds is None:
        return None
    given: Any = bounds
    if hasattr(given, "lb"):
        low, high = given.lb, given.ub
    else:
        pairs = list(given)
        if len(pairs) != x.size:
            raise TensorError(f"bounds has {len(pairs)} pairs, and x0 has {x.size} elements.")
        low = [-math.inf if pair[0] is None else pair[0] for pair in pairs]
        high = [math.inf if pair[1] is None else pair[1] for pair in pairs]
    shaped = [
        np.broadcast_to(
            np.asarray(v, x.dtype).reshape(x.shape if np.size(v) == x.size else ()), x.shape
        )
        for v in (low, high)
    ]
    if np.any(shaped[0] > shaped[1]):
        raise TensorError("a lower bound is above its upper bound.")
    return shaped[0], shaped[1]


def snapshot(optimizer: Optimizer) -> dict[str, Any]:
    """All that another run needs to go on: copies."""
    state = {
        name: np.copy(value) if isinstance(value, np.ndarray) else value
        for name, value in optimizer.state.items()
    }
    return {"rule": optimizer.rule.name, "t": optimizer.t, **state}


def resume(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Go on from a snapshot. Raises TensorError if it is of another rule, or of another x0."""
    if state.get("rule") != optimizer.rule.name:
        raise TensorError(
            f"the state is of {state.get('rule')!r}, and this is {optimizer.rule.name!r}."
        )
    own = optimizer.state
    for name, array in own.items():
        if isinstance(array, np.ndarray) and np.shape(state[name]) != array.shape:
            raise TensorError(
                f"the state {name} has shape {np.shape(state[name])}, and x0 has {array.shape}."
            )
    for name, array in own.items():
        if isinstance(array, np.ndarray):
            array[...] = state[name]
    optimizer.restore(int(state["t"]), [float(state[name]) for name in optimizer.rule.scalars])


def _teller(
    callback: Callable[..., Any] | None, objective: Objective
) -> Callable[[Array, int], bool] | None:
    """What is called after each step; it says whether to stop."""
    if callback is None:
        return None
    try:
        wants_result = set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # some functions of C have no signature
        wants_result = False

    def tell(x: Array, nit: int) -> bool:
        try:
            if wants_result:
                known = Result(x=x.copy(), fun=objective.value(x), nit=nit)
                callback(intermediate_result=known)
            else:
                callback(x.copy())
        except StopIteration:
            return True
        return False

    return tell


def _check(maxiter: int, patience: int, average: float) -> None:
    for name, value in (("maxiter", maxiter), ("patience", patience)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise HyperparameterError(f"{name} is {value!r}; it must be a whole number from 1 up.")
    if not 0 <= average <= 1:
        raise HyperparameterError(
            f"average is {average!r}; it is the last share of the steps, a number from 0 to 1."
        )
