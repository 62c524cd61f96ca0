"""Steps that follow only the sign of the gradient."""

from math import inf

from ..language.functions import clip, sign, where
from ..language.rule import rule

@rule(initial={"size": "learning_rate"}, ranges={"shrink": (0, 1), "grow": (1, inf)})
def rprop(
    w, dw, previous, size, *,
    learning_rate=1e-2, shrink=0.5, grow=1.2, smallest=1e-6, largest=50.0,
):  # fmt: skip
    """Each weight has a step size: it grows while the gradient keeps its sign, and shrinks after.

    Where the sign has changed, the weight rests for a step. The learning rate is only the first
    step size. For gradients of all the data: the noise of small batches changes signs.

    Source: Riedmiller & Braun 1993, IEEE ICNN; the variant iRprop- of Igel & Huesken 2000, "Improving
    the Rprop Learning Algorithm", as in torch.optim.
    """
    agreement = dw * previous
    factor = where(agreement > 0, grow, where(agreement < 0, shrink, 1.0))
    size = clip(size * factor, smallest, largest)
    dw = where(agreement < 0, 0.0, dw)
    w = w - size * sign(dw)
    return w, dw, size


@rule
def lion(w, dw, m, *, learning_rate=1e-4, beta1=0.9, beta2=0.99):
    """Step by the sign of a velocity that leans towards the newest gradient.

    All steps are equally long, so the learning rate is 3 to 10 times smaller than Adam's. One state
    tensor, where Adam has two.

    Source: Chen et al. 2023, arXiv:2302.06675, Algorithm 2; its weight decay is a combinator here,
    decoupled_decay.
    """
    w = w - learning_rate * sign(beta1 * m + (1 - beta1) * dw)
    m = beta2 * m + (1 - beta2) * dw
    return w, m
