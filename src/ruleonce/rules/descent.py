"""Plain descent, and descent with a velocity."""

from ..language.rule import rule


@rule
def sgd(w, dw, *, learning_rate=1e-3):
    """Step against the gradient.

    Source: CS231n notes, "Vanilla update", https://cs231n.github.io/neural-networks-3/#sgd
    """
    w = w - learning_rate * dw
    return w


@rule
def momentum(w, dw, m, *, learning_rate=1e-3, beta1=0.9):
    """A ball rolls: the gradient changes its velocity m, and the velocity moves the weights.

    beta1 is the share of the velocity that is left after a step, as friction would have it.

    Source: CS231n notes, "Momentum update", https://cs231n.github.io/neural-networks-3/#sgd
    """
    m = beta1 * m - learning_rate * dw
    w = w + m
    return w, m


@rule
def nesterov(w, dw, m, *, learning_rate=1e-3, beta1=0.9):
    """Momentum that looks ahead: the gradient is the one where the velocity is about to lead.

    w is the point looked ahead from; the notes rewrite the update so that it is the one stored.

    Source: CS231n notes, "Nesterov Momentum", https://cs231n.github.io/neural-networks-3/#sgd
    """
    previous = m
    m = beta1 * m - learning_rate * dw
    w = w - beta1 * previous + (1 + beta1) * m
    return w, m
