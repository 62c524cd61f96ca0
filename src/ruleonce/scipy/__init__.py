"""The door from SciPy: scipy.optimize.minimize(f, x0, jac=g, method=ruleonce.scipy.adam).

Every rule of ruleonce.rules is here under its name, and `method(rule)` makes one of any rule. Its
hyperparameters and the arguments of ruleonce.minimize are the `options`. They work as the method of
basinhopping and dual_annealing too; shgo takes nothing but names of methods.
"""

from .. import rules
from ..language.hyperparameters import nearest
from ..language.rule import Rule
from .methods import Method as Method


def method(rule: Rule) -> Method:
    """A method for scipy.optimize.minimize of any rule. Raises RuleError if `rule` is none."""
    return Method(rule)


def __getattr__(name: str) -> Method:
    for rule in rules.ALL:
        if rule.name == name:
            return Method(rule)
    raise AttributeError(f"there is no rule {name!r}{nearest(name, [r.name for r in rules.ALL])}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(rule.name for rule in rules.ALL)])
