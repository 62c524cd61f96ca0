"""Plain descent, and descent with a velocity."""

from ..language.functions import maximum, where
from ..language.rule import rule
from ..language.schema import Scalar


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


@rule
def heavy_ball(w, dw, m, *, learning_rate=1e-3, beta1=0.9):
    """Momentum with the learning rate outside of the velocity, as PyTorch has it.

    As the rate falls, the gathered velocity falls with it; for a constant rate this is `momentum`.

    Source: Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    """
    m = beta1 * m + dw
    w = w - learning_rate * m
    return w, m


@rule
def heavy_ball_nesterov(w, dw, m, *, learning_rate=1e-3, beta1=0.9):
    """Heavy ball that looks ahead: the step is the one that the next velocity would take.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum"; torch's form.
    """
    m = beta1 * m + dw
    w = w - learning_rate * (dw + beta1 * m)
    return w, m


@rule
def heavy_ball_damped(w, dw, m, t, *, learning_rate=1e-3, beta1=0.9, dampening=0.0, nesterov=False):
    """Heavy ball that takes in a part of each gradient only; the first one counts in full.

    Source: torch.optim.SGD, with `dampening`.
    """
    m = where(t == 1, dw, beta1 * m + (1 - dampening) * dw)
    step = dw + beta1 * m if nesterov else m
    w = w - learning_rate * step
    return w, m


@rule(initial={"eta": "learning_rate", "mu": 1.0})
def asgd(
    w, dw, mean, eta: Scalar, mu: Scalar, t, *,
    learning_rate=1e-2, shrink=1e-4, alpha=0.75, start=1e6,
):  # fmt: skip
    """Descent with a falling rate eta, and beside it the mean of the weights from some step on.

    The mean is the better answer: noise around the minimum averages out.

    Source: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the
    schedule is Bottou's, as torch.optim.ASGD has it.
    """
    w = w * (1 - shrink * eta) - eta * dw
    mean = where(mu == 1, w, mean + (w - mean) * mu)
    eta = learning_rate / (1 + shrink * learning_rate * t) ** alpha
    mu = 1 / maximum(1, t - start)
    return w, mean, eta, mu


@rule
def qhm(w, dw, m, *, learning_rate=1e-3, beta1=0.999, nu=0.7):
    """The average of a step of descent and one of momentum; nu is the share of momentum.

    Source: Ma & Yarats 2019, arXiv:1810.06801, section 3.
    """
    m = beta1 * m + (1 - beta1) * dw
    w = w - learning_rate * ((1 - nu) * dw + nu * m)
    return w, m


@rule
def optimistic_gradient(w, dw, previous, *, learning_rate=1e-3, alpha=1.0, correction=1.0):
    """Descent that expects the next gradient to change as the last one did.

    Source: Mokhtari, Ozdaglar & Pattathil 2020, arXiv:1901.08511, section 4.
    """
    w = w - learning_rate * ((alpha + correction) * dw - correction * previous)
    return w, dw
