"""Relatives of Adam: another history, another velocity, another start."""

from math import inf

from ..language.functions import abs, maximum, sqrt, where  # noqa: A004  (as on the card)
from ..language.rule import rule
from ..language.schema import Scalar
from .adam import adam


@rule
def amsgrad(w, dw, m, v, largest, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam divided by the largest history so far, so that rare large gradients are not forgotten.

    As torch.optim and Keras have it: the largest v is kept, then corrected for its start. optax
    keeps the largest corrected one, and the paper corrects nothing.

    Source: Reddi, Kale & Kumar 2018, arXiv:1904.09237, Algorithm 2.
    """
    _, m, v = adam(w, dw, m, v, t, beta1=beta1, beta2=beta2)
    largest = maximum(largest, v)
    mt = m / (1 - beta1**t)
    vt = largest / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v, largest


@rule
def adamax(w, dw, m, u, t, *, learning_rate=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam with the largest recent gradient in place of the root of the mean square.

    u decays and is never averaged, so only m needs a correction.

    Source: Kingma & Ba 2015, arXiv:1412.6980, Algorithm 2, which has no eps; torch.optim adds it to
    the gradient's size.
    """
    m = beta1 * m + (1 - beta1) * dw
    u = maximum(beta2 * u, abs(dw) + eps)
    mt = m / (1 - beta1**t)
    w = w - learning_rate * mt / u
    return w, m, u


@rule(initial={"product": 1.0}, ranges={"momentum_decay": (0, inf)})
def nadam(
    w, dw, m, v, product: Scalar, t, *,
    learning_rate=2e-3, beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=4e-3,
):  # fmt: skip
    """Adam that looks ahead, as Nesterov's momentum does, with a velocity that builds up slowly.

    `now` and `then` are the shares of the velocity in this step and the next; they grow from half
    of beta1 to beta1. `product` is that of all shares so far: what beta1**t is in Adam.

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam", Algorithm 2, with the schedule
    of its report (0.96**(t / 250)), as in torch.optim. optax has neither schedule nor product.
    """
    now = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
    then = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    product = product * now
    _, m, v = adam(w, dw, m, v, t, beta1=beta1, beta2=beta2)
    mt = (1 - now) / (1 - product) * dw + then / (1 - product * then) * m
    vt = v / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v, product


@rule
def radam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam that starts as momentum, until there is enough history to divide by.

    `length` is how many gradients v stands for; above 5 the step is Adam's, times how much the
    history can be trusted.

    Source: Liu et al. 2020, arXiv:1908.03265, Algorithm 2, which trusts it above 4; 5 and the place
    of eps are those of the authors' code and of torch.optim.
    """
    _, m, v = adam(w, dw, m, v, t, beta1=beta1, beta2=beta2)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    trust = sqrt(_tractable(length) / _tractable(longest)) * sqrt(1 - beta2**t)
    mt = m / (1 - beta1**t)
    step = where(length > 5, trust * mt / (sqrt(v) + eps), mt)
    w = w - learning_rate * step
    return w, m, v


def _tractable(length):
    """A factor of the paper's r; at 5 and below it is not used, and kept from dividing by 0."""
    length = maximum(length, 5.0)
    return (length - 4) * (length - 2) / length
