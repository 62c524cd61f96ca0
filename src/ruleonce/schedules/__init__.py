"""Hyperparameters as functions of the step count.

A schedule is any function of `t`, which is 1 at the first step. Those here are made with their
numbers (`cosine(1e-3, steps=1000)`), print as they were made, compare by value and can be pickled.
The formulas are written for the number of steps already done, `t - 1`, which is what PyTorch and
optax count; every length of time and every boundary is in steps. After its last step a schedule
holds its last value.
"""

from .formulas import constant as constant
from .formulas import cosine as cosine
from .formulas import cosine_restarts as cosine_restarts
from .formulas import exponential as exponential
from .formulas import inverse_square_root as inverse_square_root
from .formulas import inverse_time as inverse_time
from .formulas import join as join
from .formulas import linear as linear
from .formulas import one_cycle as one_cycle
from .formulas import piecewise_constant as piecewise_constant
from .formulas import polynomial as polynomial
from .formulas import step_decay as step_decay
from .formulas import warmup as warmup
from .formulas import warmup_stable_decay as warmup_stable_decay
from .schedule import Schedule as Schedule
