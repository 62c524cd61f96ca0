"""minimize: a rule as a method of numerical optimization."""

import math
from collections.abc import Callable, Iterable, Sized
from typing import Any  # x0 is whatever NumPy can read

import numpy as np

from ..engines import Array
from ..errors import HyperparameterError, StructureError
from ..language.hyperparameters import Value
from ..language.rule import Rule
from ..numpy import Optimizer
from ..rules.adam import adam
from .callbacks import Callback, teller
from .descent import Descent
from .objective import Function, Gradient, Objective
from .points import Bounds, Limits, limits_of, start
from .result import CONVERGED, ENDED, EXHAUSTED, MESSAGES, NOT_FINITE, STOPPED, Result
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
               unless the run converges by gtol
    return_all, disp   keep all points; print a summary at the end
    state      `result.state` of another run, to go on from there; its x is the x0 to give
    engine, hyperparameters   as ruleonce.Optimizer has them

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
    _check(patience, gtol=gtol, ftol=ftol, average=average)
    optimizer = _optimizer(rule, x, engine, hyperparameters)
    if state is not None:
        resume(optimizer, state)
    if limits is not None:
        limits.project(x)
    objective = Objective(fun, jac, args, batches, x, limits)
    run = Descent(optimizer, x, objective, limits, gtol, ftol, patience)
    tell = teller(callback, objective)
    points = [x.copy()] if return_all else None
    mean, first, nit = np.zeros(x.shape), steps - round(average * steps), 0
    status: int | None = None
    while status is None and nit < steps:
        if not objective.next_batch():
            status = ENDED
        elif (status := run.look()) is None:
            if not run.step():
                status = NOT_FINITE
                break
            nit += 1
            if nit > first:
                mean += (x - mean) / (nit - first)
            if points is not None:
                points.append(x.copy())
            if tell is not None and tell(x, nit):
                status = STOPPED
    if status == ENDED and nit == 0:
        raise StructureError("there are no batches: `batches` gave none; it must give one a step.")
    if status is None:  # all steps are taken; it may be just there
        status = (run.look() if batches is None else None) or _status_of(run, batches)
    found = _result(optimizer, objective, x, status, nit)
    return found


