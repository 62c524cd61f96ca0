"""Write an update rule once, as it stands on a flash card; run it everywhere."""

from . import rules as rules
from . import schedules as schedules
from .engines.threads import set_threads as set_threads
from .errors import RuleonceError as RuleonceError
from .language.functions import abs as abs  # noqa: A004  (Python's works in a rule as well)
from .language.functions import arctan2 as arctan2
from .language.functions import cbrt as cbrt
from .language.functions import clip as clip
from .language.functions import dot as dot
from .language.functions import exp as exp
from .language.functions import log as log
from .language.functions import maximum as maximum
from .language.functions import mean as mean
from .language.functions import minimum as minimum
from .language.functions import norm as norm
from .language.functions import power as power
from .language.functions import sign as sign
from .language.functions import size as size
from .language.functions import sqrt as sqrt
from .language.functions import square as square
from .language.functions import sum as sum  # noqa: A004  (Python's cannot take a tensor of a rule)
from .language.functions import tanh as tanh
from .language.functions import total as total
from .language.functions import where as where
from .language.rule import Rule as Rule
from .language.rule import rule as rule
from .language.schema import Scalar as Scalar
from .minimization import check_gradient as check_gradient
from .minimization import find_learning_rate as find_learning_rate
from .minimization import minimize as minimize
from .numpy import SGD as SGD
from .numpy import AdaGrad as AdaGrad
from .numpy import Adam as Adam
from .numpy import AdamSimplified as AdamSimplified
from .numpy import Momentum as Momentum
from .numpy import Nesterov as Nesterov
from .numpy import Optimizer as Optimizer
from .numpy import RMSProp as RMSProp
from .numpy import optimizer as optimizer
from .rules.adam import adam as adam
from .rules.adam import adam_simplified as adam_simplified
from .rules.adaptive import adagrad as adagrad
from .rules.adaptive import rmsprop as rmsprop
from .rules.descent import momentum as momentum
from .rules.descent import nesterov as nesterov
from .rules.descent import sgd as sgd

__version__ = "0.1.0"
