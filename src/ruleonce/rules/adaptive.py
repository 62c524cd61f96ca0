"""A learning rate of its own for each weight, from the history of its gradient."""

from ..language.functions import sqrt
from ..language.rule import rule


@rule
def adagrad(w, dw, v, *, learning_rate=1e-3, eps=1e-8):
    """Divide by the root of all squared gradients so far: what moved much moves less.

    v never shrinks, so the steps only become shorter.

    Source: Duchi, Hazan & Singer 2011, JMLR 12; the form of the CS231n notes,
    https://cs231n.github.io/neural-networks-3/#ada
    """
    v = v + dw**2
    w = w - learning_rate * dw / (sqrt(v) + eps)
    return w, v


@rule
def rmsprop(w, dw, v, *, learning_rate=1e-3, beta2=0.999, eps=1e-8):
    """AdaGrad that forgets: v is a running mean of the squared gradient, not its sum.

    The notes call beta2 the decay rate, and use 0.9, 0.99 or 0.999.

    Source: Tieleman & Hinton 2012, Coursera lecture 6e; the form of the CS231n notes,
    https://cs231n.github.io/neural-networks-3/#ada
    """
    v = beta2 * v + (1 - beta2) * dw**2
    w = w - learning_rate * dw / (sqrt(v) + eps)
    return w, v
