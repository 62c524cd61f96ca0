"""Surfaces of two weights, which rules walk on, each written once.

A surface is a Python function `height(x, y, *, parameter=default)` in the language of rules, with
`cos` and `sin` beside it, under the decorator `surface`. It is run once on symbols; its slope is
derived from the graph that this leaves, and from the two graphs come a function for NumPy and one
in JavaScript.
"""

from ..language.hyperparameters import nearest
from .heights import SURFACES as SURFACES
from .javascript import code as code
from .surface import Parameter as Parameter
from .surface import Slider as Slider
from .surface import Surface as Surface
from .surface import surface as surface


def __getattr__(name: str) -> Surface:
    for known in SURFACES:
        if known.name == name:
            return known
    names = [known.name for known in SURFACES]
    raise AttributeError(f"there is no surface {name!r}{nearest(name, names)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(known.name for known in SURFACES)])
