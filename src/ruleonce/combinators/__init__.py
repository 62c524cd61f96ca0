"""Combinators: plain functions that make a rule of a rule.

What comes out is a rule like any other: it compiles to one kernel, and combines again. Equal
arguments give the same rule.
"""

from .decay import coupled_decay as coupled_decay
from .decay import decoupled_decay as decoupled_decay
from .gradients import clipped as clipped
from .gradients import clipped_by_norm as clipped_by_norm
from .gradients import maximized as maximized
from .gradients import scaled as scaled
from .gradients import unscaled as unscaled
from .velocity import nesterov as nesterov
from .velocity import with_momentum as with_momentum
from .weights import averaged as averaged
from .weights import cautious as cautious
from .weights import lookahead as lookahead
