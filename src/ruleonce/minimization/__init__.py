"""Numerical optimization with rules: minimize, a learning rate range test, a check of gradients."""

from .check_gradient import GradientCheck as GradientCheck
from .check_gradient import check_gradient as check_gradient
from .find_learning_rate import LearningRates as LearningRates
from .find_learning_rate import find_learning_rate as find_learning_rate
from .result import Result as Result
from .run import minimize as minimize
