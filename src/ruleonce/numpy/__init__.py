"""Optimizers over NumPy arrays: any rule, updated in place, one call a step."""

from .optimizer import Optimizer as Optimizer
from .rules import SGD as SGD
from .rules import AdaGrad as AdaGrad
from .rules import Adam as Adam
from .rules import AdamSimplified as AdamSimplified
from .rules import Momentum as Momentum
from .rules import Nesterov as Nesterov
from .rules import RMSProp as RMSProp
from .rules import optimizer as optimizer
