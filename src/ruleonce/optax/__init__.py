"""The door from optax: `ruleonce.optax.adam(learning_rate=0.01)` is a gradient transformation.

What optax has too stands here under its name, in its words and with its defaults (see twins); every
other rule of ruleonce.rules under its own. `transformation(rule)` makes one of any rule.
"""

try:
    import jax as _jax  # noqa: F401  (asked for here, before anything else is done)
    import optax as _optax  # noqa: F401
except ImportError as missing:
    from ..errors import MissingLibraryError

    raise MissingLibraryError(
        "ruleonce.optax needs optax and JAX, which are not installed here:\n"
        "  pip install 'ruleonce[optax]'"
    ) from missing

from .. import rules as _rules
from ..language.hyperparameters import nearest as _nearest
from .made import Factory as Factory
from .made import transformation as transformation
from .twins import NAMES as _TWINS
from .twins import twin as _twin


def __getattr__(name: str) -> Factory:
    if name in _TWINS:
        return _twin(name)
    for rule in _rules.ALL:
        if rule.name == name:
            return transformation(rule)
    known = [*_TWINS, *(rule.name for rule in _rules.ALL)]
    raise AttributeError(f"ruleonce.optax has no {name!r}{_nearest(name, known)}")
