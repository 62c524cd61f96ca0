"""Steps by the sign of something: each weight moves by the same length."""

from ..language.functions import sign
from ..language.rule import rule


@rule
def lion(w, dw, m, *, learning_rate=1e-4, beta1=0.9, beta2=0.99):
    """Step by the sign of a momentum that looks at the newest gradient once more.

    Use a third to a tenth of Adam's learning rate, and 3 to 10 times its weight decay.

    Source: Chen et al. 2023, arXiv:2302.06675, Algorithm 2, without its weight decay.
    """
    w = w - learning_rate * sign(beta1 * m + (1 - beta1) * dw)
    m = beta2 * m + (1 - beta2) * dw
    return w, m


@rule
def sign_sgd(w, dw, *, learning_rate=1e-3):
    """Step by the sign of the gradient.

    Source: Bernstein et al. 2018, arXiv:1802.04434, Algorithm 1.
    """
    w = w - learning_rate * sign(dw)
    return w


@rule
def signum(w, dw, m, *, learning_rate=1e-3, beta1=0.9):
    """Step by the sign of the velocity.

    Source: Bernstein et al. 2018, arXiv:1802.04434, Algorithm 2.
    """
    m = beta1 * m + (1 - beta1) * dw
    w = w - learning_rate * sign(m)
    return w, m


@rule
def tiger(w, dw, m, *, learning_rate=1e-3, beta1=0.965, weight_decay=1e-2):
    """Signum with weight decay beside it; the lightest state there is.

    Source: Su 2023, "Tiger: A Tight-fisted Optimizer", https://github.com/bojone/tiger
    """
    w = w * (1 - learning_rate * weight_decay)
    return signum(w, dw, m, learning_rate=learning_rate, beta1=beta1)
