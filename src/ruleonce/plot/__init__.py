"""Pictures of rules, one call each: `ruleonce.plot.path(rules.adam, "ravine")`.

    path              where rules go on a surface
    race              the loss of every rule of a race
    bias_correction   how long the first steps of a rule are
    schedule          a hyperparameter against the step

Each takes one thing or several, draws into `ax` or into a new figure, and returns the Axes. Lines
have their names beside them, in inks that a print without colour tells apart too.
"""

try:
    import matplotlib.axes as _axes  # noqa: F401  (asked for before anything else is done)
except ImportError as missing:
    from ..errors import MissingLibraryError

    raise MissingLibraryError(
        "ruleonce.plot needs matplotlib, which is not installed here:\n"
        "  pip install 'ruleonce[plot]'"
    ) from missing

from .first_steps import bias_correction as bias_correction
from .maps import path as path
from .races import race as race
from .values import schedule as schedule
