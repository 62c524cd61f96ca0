"""RMSProp with a velocity, and RMSProp around the mean of the gradient."""

from ..language.functions import maximum, sqrt
from ..language.rule import rule
from .adaptive import rmsprop


@rule
def rmsprop_momentum(w, dw, v, m, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """RMSProp with a velocity, which the scaled gradient changes and which moves the weights.

    Source: Tieleman & Hinton 2012, Coursera lecture 6e, "Combining rmsprop with momentum"; the form
    of torch.optim.RMSprop, where the learning rate is outside of the velocity.
    """
    change, v = rmsprop(0.0, dw, v, learning_rate=1.0, beta2=beta2, eps=eps)  # of a weight at 0
    m = beta1 * m - change
    w = w - learning_rate * m
    return w, v, m


@rule
def rmsprop_centered(w, dw, v, mean, *, learning_rate=1e-3, beta2=0.999, eps=1e-8):
    """RMSProp that divides by the spread of the gradient around its mean, not around 0.

    Where the gradient hardly changes, the steps are longer. The spread of a constant gradient is
    0; rounding takes it below, and maximum back.

    Source: Graves 2013, arXiv:1308.0850, equations 38 to 41; eps outside of the root, as in
    torch.optim.RMSprop.
    """
    _, v = rmsprop(w, dw, v, beta2=beta2)
    mean = beta2 * mean + (1 - beta2) * dw
    spread = maximum(v - mean**2, 0.0)
    w = w - learning_rate * dw / (sqrt(spread) + eps)
    return w, v, mean


@rule
def rmsprop_centered_momentum(
    w, dw, v, mean, m, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8
):  # fmt: skip
    """Centered RMSProp with a velocity.

    Source: Graves 2013, arXiv:1308.0850, equations 38 to 41, where the learning rate is inside of
    the velocity; the form of torch.optim.RMSprop, where it is outside.
    """
    change, v, mean = rmsprop_centered(0.0, dw, v, mean, learning_rate=1.0, beta2=beta2, eps=eps)
    m = beta1 * m - change
    w = w - learning_rate * m
    return w, v, mean, m
