"""Adam: velocity and history together."""

from ..language.functions import sqrt
from ..language.rule import rule


@rule
def adam_simplified(w, dw, m, v, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Momentum's velocity scaled by RMSProp's history, without bias correction.

    m and v start at 0, so the first steps are too long: the first by (1 - beta1) / sqrt(1 - beta2),
    which is 3.16 with the defaults.

    Source: CS231n notes, "Adam", https://cs231n.github.io/neural-networks-3/#ada
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    w = w - learning_rate * m / (sqrt(v) + eps)
    return w, m, v


@rule
def adam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Momentum's velocity scaled by RMSProp's history, with bias correction.

    m and v start at 0; dividing by 1 - beta**t makes them what they would be had the gradient
    always been there. The first step is then as long as the learning rate.

    Source: Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v
