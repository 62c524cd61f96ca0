"""A rule as the method of scipy.optimize.minimize: what SciPy hands on, in our words."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any  # what scipy.optimize.minimize hands on is whatever a user gave it

from ..errors import MissingLibraryError, RuleError
from ..language.hyperparameters import nearest
from ..language.rule import Rule
from ..minimization import minimize
from ..minimization.following import Callback, wants_result

try:
    from scipy.optimize import OptimizeResult, OptimizeWarning
except ImportError as missing:
    raise MissingLibraryError(
        "ruleonce.scipy needs SciPy, which is not installed here:\n  pip install 'ruleonce[scipy]'"
    ) from missing

_HANDED_ON = ("fun", "x0", "rule", "args", "jac", "bounds", "callback", "hyperparameters")
_OPTIONS = tuple(name for name in inspect.signature(minimize).parameters if name not in _HANDED_ON)
_USER = 4  # frames from a warning of ours up to the call of scipy.optimize.minimize


class Method:
    """A rule as SciPy's `method`. Equal rules make equal methods, and one can be pickled.

    Raises RuleError if `rule` is no rule.
    """

    def __init__(self, rule: Rule) -> None:
        if not isinstance(rule, Rule):
            raise RuleError(
                f"method takes a rule, a function decorated with @rule; found {rule!r}."
            )
        self.rule = rule
        self.__name__ = rule.name
        self.__doc__ = f"{rule.summary}\n\nFor scipy.optimize.minimize; see ruleonce.minimize."

    def __call__(
        self,
        fun: Callable[..., Any],
        x0: Any,
        args: tuple[object, ...] = (),
        jac: Any = None,
        hess: object = None,
        hessp: object = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callback | None = None,
        tol: float | None = None,
        **options: Any,
    ) -> OptimizeResult:
        """Minimize, as scipy.optimize.minimize calls it, and as ruleonce.minimize says.

        tol       the gtol, if the options have none
        options   hyperparameters of the rule, and arguments of ruleonce.minimize; others are named
                  in an OptimizeWarning and left out, as are constraints and Hessians
        """
        self._warn_of_what_is_not_used(hess, hessp, constraints)
        known = self._known(options)
        if tol is not None:
            known.setdefault("gtol", tol)
        # SciPy splits a function of both into two that share a memory. Put together again it is
        # asked once a step, and is counted as often as it is asked.
        if type(fun).__name__ == "MemoizeJac" and getattr(jac, "__self__", None) is fun:
            fun, jac = fun.fun, True
        if callback is not None and wants_result(callback):
            callback = _in_scipys_type(callback)
        found = minimize(
            fun, x0, rule=self.rule, args=args, jac=jac, bounds=bounds, callback=callback, **known
        )
        return OptimizeResult(found)

    def _warn_of_what_is_not_used(self, hess: object, hessp: object, constraints: Any) -> None:
        """SciPy leaves it to a method that is not its own; these are its words."""
        unused = []
        if hess is not None:
            unused.append("does not use Hessian information (hess)")
        if hessp is not None:
            unused.append("does not use Hessian-vector product information (hessp)")
        if not (
            constraints is None or (isinstance(constraints, (list, tuple)) and not constraints)
        ):
            unused.append("cannot handle constraints")
        for what in unused:
            warnings.warn(f"Method {self.rule.name} {what}.", RuntimeWarning, stacklevel=_USER)

    def _known(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options that there are; a warning names the others."""
        names = [*_OPTIONS, *self.rule.hyperparameters]
        if unknown := [name for name in options if name not in names]:
            hints = "".join(nearest(name, names) for name in unknown)
            warnings.warn(
                f"Unknown solver options: {', '.join(unknown)}{hints}",
                OptimizeWarning,
                stacklevel=_USER,
            )
        return {name: value for name, value in options.items() if name in names}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and other.rule is self.rule

    def __hash__(self) -> int:
        return hash(self.rule)

    def __repr__(self) -> str:
        return f"<method {self.rule.name} for scipy.optimize.minimize>"


def _in_scipys_type(callback: Callback) -> Callback:
    def told(*, intermediate_result: dict[str, Any]) -> object:
        found: object = callback(intermediate_result=OptimizeResult(intermediate_result))
        return found

    return told
