"""minimize: a rule as a method of numerical optimization."""

from collections.abc import Iterable, Sized
from typing import Any  # x0 is whatever NumPy can read

import numpy as np

from ..errors import HyperparameterError, StructureError
from ..formats.choice import Choice, Formats
from ..language.hyperparameters import Value
from ..language.rule import Rule
from ..numpy import Optimizer
from ..rules.adam import adam
from .descent import Descent
from .following import Callback, Follower
from .objective import Function, Gradient, Objective
from .points import Bounds, limits_of, start
from .result import CONVERGED, ENDED, MESSAGES, Result
from .resuming import State, resume, snapshot

_STEPS = 1000  # where nothing else says how many


def minimize(
    fun: Function,
    x0: Any,
    *,
    rule: Rule = adam,
    args: object = (),
    jac: Gradient = None,
    bounds: Bounds | None = None,
    callback: Callback | None = None,
    maxiter: int | None = None,
    gtol: float | None = None,
    ftol: float | None = None,
    patience: int = 10,
    batches: Iterable[object] | None = None,
    average: float = 0.0,
    return_all: bool = False,
    disp: bool = False,
    state: State | None = None,
    engine: str = "auto",
    formats: Formats | Choice | None = None,
    **hyperparameters: Value,
) -> Result:
    """Minimize a function of an array by a rule, such as Adam.

    fun        x, *args -> a number; with jac=True a number and the gradient. Without batches it is
               asked for once, at the end, unless ftol, a callback or differences need it sooner.
    x0         where to begin, of any shape; float16 and float32 stay what they are. It is not
               changed; where it is beyond a bound, the run begins at the bound.
    args       further arguments of fun and jac: a tuple, or one thing that is none
    jac        x, *args -> the gradient; True; or "2-point", "3-point", "cs" (None is "2-point"):
               differences of fun, by SciPy
    bounds     pairs (low, high), None for no bound, or a scipy.optimize.Bounds: after each step x
               is put back between them
    callback   called after each step with a copy of x, or, if its one parameter is called
               `intermediate_result`, with a Result of x, fun and nit. StopIteration ends the run.
    maxiter    steps at most; 1000, or as many as there are batches, if these have a length
    gtol       the run has converged where no element of the gradient is larger (where x is at a
               bound, of that part that does not point outwards). 1e-5; with batches, whose
               gradients say little, not looked at unless it is given.
    ftol       the run has converged when in `patience` steps the objective has not fallen by ftol
               times its size (at least by ftol)
    batches    of a stochastic objective: fun and jac get one more argument, after x, the next one
               at each step. The run ends with them.
    average    the answer is the mean of the points of this last share of the steps, such as 0.5,
               unless the run converges; so batches need a length, or maxiter be told
    return_all, disp   keep all points; print a summary at the end
    state      `result.state` of another run, to go on from there; its x is the x0 to give
    engine, formats, hyperparameters   as ruleonce.Optimizer has them

    The result's status, message and counts are those of SciPy; see Result. From a finite x0 its x
    is finite, also where a run fails.

    Raises, before fun is called, what ruleonce.Optimizer raises, HyperparameterError for the
    numbers above, TensorError for an x0, bounds or a state that cannot be used; StructureError for
    what fun or jac return; MissingLibraryError where differences are needed without SciPy.
    """
    x = start(x0)
    limits = limits_of(bounds, x)
    gtol = 1e-5 if gtol is None and batches is None else gtol
    steps = _steps(maxiter, batches)
    _check(patience, average, gtol=gtol, ftol=ftol)
    options: dict[str, Any] = dict(hyperparameters)  # as wide as Optimizer's own arguments
    optimizer = Optimizer(rule, x, engine=engine, formats=formats, **options)
    if state is not None:
        resume(optimizer, state)
    if limits is not None:
        limits.project(x)
    objective = Objective(fun, jac, args, batches, x, limits)
    run = Descent(optimizer, x, objective, limits, gtol, ftol, patience)
    tail = steps - round(average * steps)
    follower = Follower(x, objective, callback, tail, keeps=return_all)
    follows = average > 0 or return_all or callback is not None
    status = run.run(steps, follower if follows else None)
    if status == ENDED and run.nit == 0:
        raise _no_batches()
    if status != CONVERGED and (mean := follower.mean(x)) is not None:
        x = mean
        objective.moved()
    objective.find_gradient(x)
    result = Result(
        x=x,
        fun=objective.value(x),
        jac=objective.gradient,
        nit=run.nit,
        nfev=objective.nfev,
        njev=objective.njev,
        status=status,
        success=status == CONVERGED,
        message=MESSAGES[status],
        state=snapshot(optimizer),
    )
    if return_all:
        result["allvecs"] = follower.points
    if disp:
        print(result.summary)  # noqa: T201  (what disp asks for)
    return result


def _steps(maxiter: int | None, batches: Iterable[object] | None) -> int:
    """How many steps a run may take."""
    if maxiter is not None:
        _whole("maxiter", maxiter)
    if not isinstance(batches, Sized):
        return _STEPS if maxiter is None else int(maxiter)
    if not len(batches):
        raise _no_batches()
    return len(batches) if maxiter is None else min(int(maxiter), len(batches))


def _no_batches() -> StructureError:
    return StructureError("batches is empty; fun and jac get one of them at each step.")


def _check(patience: int, average: float, **tolerances: float | None) -> None:
    _whole("patience", patience)
    if not 0 <= average <= 1:
        raise HyperparameterError(
            f"average is {average!r}; it is the last share of the steps, a number from 0 to 1."
        )
    for name, value in tolerances.items():
        if value is not None and not value >= 0:
            raise HyperparameterError(
                f"{name} is {value!r}; it must be a number from 0 up, or None to leave it out."
            )


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise HyperparameterError(f"{name} is {value!r}; it must be a whole number from 1 up.")
