"""The cards: every rule, found by the module that it is written in.

A rule is added by writing one function in one of these files, or in a new file beside them. It is
then `ruleonce.rules.<name>`, stands in `ALL`, and so in the matrix of tests, in `ruleonce cards`
and in the race.
"""

from importlib import import_module
from pkgutil import iter_modules

from ..language.rule import Rule


def _written_here() -> tuple[Rule, ...]:
    found: list[Rule] = []
    for module in sorted(iter_modules(__path__), key=lambda module: _ORDER.get(module.name, 99)):
        members = vars(import_module(f".{module.name}", __name__)).values()
        name = f"{__name__}.{module.name}"
        found += [m for m in members if isinstance(m, Rule) and m.module == name]
    return tuple(found)


# From simple to less simple, as one would learn them; a family that is not named comes last.
_FAMILIES = "descent adaptive adam history velocity sign averaging betting layerwise parameter_free"
_ORDER = {name: place for place, name in enumerate(_FAMILIES.split())}

ALL: tuple[Rule, ...] = _written_here()

globals().update({rule.name: rule for rule in ALL})


def __getattr__(name: str) -> Rule:
    """Only for a name that is not there: the nearest one that is."""
    from ..language.hyperparameters import nearest

    raise AttributeError(f"there is no rule {name!r}{nearest(name, [r.name for r in ALL])}")
