"""A learning rate of its own for each weight, from the history of its gradient."""

from ..language.functions import clip, maximum, sign, sqrt, where
from ..language.rule import rule


@rule
def adagrad(w, dw, v, *, learning_rate=1e-3, eps=1e-8, eps_inside_sqrt=False):
    """Divide by the root of all squared gradients so far: what moved much moves less.

    v never shrinks, so the steps only become shorter.

    Source: Duchi, Hazan & Singer 2011, JMLR 12; the form of the CS231n notes,
    https://cs231n.github.io/neural-networks-3/#ada
    """
    v = v + dw**2
    w = w - learning_rate * dw / (sqrt(v + eps) if eps_inside_sqrt else sqrt(v) + eps)
    return w, v


@rule
def rmsprop(w, dw, v, *, learning_rate=1e-3, beta2=0.999, eps=1e-8, eps_inside_sqrt=False):
    """AdaGrad that forgets: v is a running mean of the squared gradient, not its sum.

    The notes call beta2 the decay rate, and use 0.9, 0.99 or 0.999.

    Source: Tieleman & Hinton 2012, Coursera lecture 6e; the form of the CS231n notes,
    https://cs231n.github.io/neural-networks-3/#ada
    """
    v = beta2 * v + (1 - beta2) * dw**2
    w = w - learning_rate * dw / (sqrt(v + eps) if eps_inside_sqrt else sqrt(v) + eps)
    return w, v


@rule(initial={"v": "initial_accumulator"})
def adagrad_decaying(
    w, dw, v, t, *,
    learning_rate=1e-2, decay_rate=0.0, eps=1e-10, initial_accumulator=0.0, eps_inside_sqrt=False,
):  # fmt: skip
    """AdaGrad with a learning rate that falls from step to step, and a v that may start above 0.

    Source: torch.optim.Adagrad, whose `lr_decay` and `initial_accumulator_value` these are.
    """
    rate = learning_rate / (1 + (t - 1) * decay_rate)
    return adagrad(w, dw, v, learning_rate=rate, eps=eps, eps_inside_sqrt=eps_inside_sqrt)


@rule
def rmsprop_centered(
    w, dw, v, mean, *, learning_rate=1e-3, beta2=0.999, eps=1e-8, eps_inside_sqrt=False
):
    """RMSProp by the variance: the square of the mean gradient is taken off v.

    Source: Graves 2013, arXiv:1308.0850, equations 38 to 41.
    """
    v = beta2 * v + (1 - beta2) * dw**2
    mean = beta2 * mean + (1 - beta2) * dw
    spread = maximum(v - mean**2, 0.0)  # a variance, but for rounding
    w = w - learning_rate * dw / (sqrt(spread + eps) if eps_inside_sqrt else sqrt(spread) + eps)
    return w, v, mean


@rule
def adadelta(w, dw, v, u, *, learning_rate=1.0, rho=0.9, eps=1e-6):
    """A step in the units of the weights: the gradient, scaled by past steps over past gradients.

    Source: Zeiler 2012, arXiv:1212.5701, Algorithm 1.
    """
    v = rho * v + (1 - rho) * dw**2
    step = sqrt(u + eps) / sqrt(v + eps) * dw
    u = rho * u + (1 - rho) * step**2
    w = w - learning_rate * step
    return w, v, u


@rule(initial={"length": "learning_rate"})
def rprop(
    w, dw, previous, length, *,
    learning_rate=1e-2, shrink=0.5, grow=1.2, shortest=1e-6, longest=50.0,
):  # fmt: skip
    """Only the sign counts: a step grows while the sign stays, and shrinks when it turns.

    Where it has turned, this step is left out: it was a step too far.

    Source: Riedmiller & Braun 1993; without weight backtracking, Igel & Huesken 2000 (iRprop-).
    """
    turned = dw * previous
    factor = where(turned > 0, grow, where(turned < 0, shrink, 1.0))
    length = clip(length * factor, shortest, longest)
    dw = where(turned < 0, 0.0, dw)
    w = w - sign(dw) * length
    return w, dw, length
