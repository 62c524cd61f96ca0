"""Steps by the sign of something: each weight moves by the same length."""

from ..language.functions import sign
from ..language.rule import rule


@rule
def lion(w, dw, m, *, learning_rate=1e-4, beta1=0.9, beta2=0.99):
    """Step by the sign of a momentum that looks at the newest gradient once more.

    Its steps are longer than Adam's: use a third to a tenth of Adam's learning rate, and as many
    times its weight decay.

    Source: Chen et al. 2023, arXiv:2302.06675, Algorithm 2, without its weight decay.
    """
    w = w - learning_rate * sign(beta1 * m + (1 - beta1) * dw)
    m = beta2 * m + (1 - beta2) * dw
    return w, m
