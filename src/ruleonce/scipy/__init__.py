"""The door from SciPy: scipy.optimize.minimize(f, x0, jac=g, method=ruleonce.scipy.adam).

Every rule of ruleonce.rules is here under its name, and `method(rule)` makes one of any rule. Its
hyperparameters and the arguments of ruleonce.minimize are the `options`. They work as the method of
basinhopping and dual_annealing too; shgo takes names of methods alone.
"""

import warnings
from typing import Any  # what scipy.optimize.minimize hands on

try:
    from scipy.optimize import OptimizeResult, OptimizeWarning
except ImportError as missing:
    from ..errors import MissingLibraryError

    raise MissingLibraryError(
        "ruleonce.scipy needs SciPy, which is not installed here:\n  pip install 'ruleonce[scipy]'"
    ) from missing

import inspect

from .. import rules
from ..errors import RuleError
from ..language.hyperparameters import nearest
from ..language.rule import Rule
from ..minimization import minimize

_OWN = ("fun", "x0", "rule", "args", "jac", "bounds", "callback", "hyperparameters")
_OPTIONS = tuple(name for name in inspect.signature(minimize).parameters if name not in _OWN)


class Method:
    """A rule as SciPy's `method`. Equal rules make equal methods, and one can be pickled."""

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
        fun: Any,
        x0: Any,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Any = None,
        tol: float | None = None,
        **options: Any,
    ) -> OptimizeResult:
        """As scipy.optimize.minimize calls it; see there."""
        del hess, hessp  # a rule has no use for them
        if constraints is not None and (not isinstance(constraints, (tuple, list)) or constraints):
            self._warn("cannot handle constraints; they are ignored")
        known = {name: value for name, value in options.items() if self._knows(name)}
        if unknown := [name for name in options if name not in known]:
            hints = "".join(nearest(x, [*_OPTIONS, *self.rule.hyperparameters]) for x in unknown)
            warnings.warn(
                f"Unknown solver options: {', '.join(unknown)}{hints}",
                OptimizeWarning,
                stacklevel=3,
            )
        if tol is not None:
            known.setdefault("gtol", tol)
        found = minimize(
            fun,
            x0,
            rule=self.rule,
            args=args,
            jac=jac or None,
            bounds=bounds,
            callback=callback,
            **known,
        )
        return OptimizeResult(found)

    def _knows(self, name: str) -> bool:
        return name in _OPTIONS or name in self.rule.hyperparameters

    def _warn(self, text: str) -> None:
        warnings.warn(f"Method {self.rule.name} {text}.", RuntimeWarning, stacklevel=4)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and other.rule is self.rule

    def __hash__(self) -> int:
        return hash(self.rule)

    def __repr__(self) -> str:
        return f"<method {self.rule.name} for scipy.optimize.minimize>"


def method(rule: Rule) -> Method:
    """A method for scipy.optimize.minimize of any rule. Raises RuleError if `rule` is none."""
    return Method(rule)


def __getattr__(name: str) -> Method:
    for rule in rules.ALL:
        if rule.name == name:
            return Method(rule)
    raise AttributeError(f"there is no rule {name!r}{nearest(name, [r.name for r in rules.ALL])}")
