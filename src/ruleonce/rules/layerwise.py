"""Steps that look at a tensor as a whole: its norm, or that of its gradient, sets their length."""

from typing import Any  # one number of a tensor, as the array library has it

from ..language.functions import dot, maximum, mean, norm, sqrt, where
from ..language.rule import rule
from .adam import adam, adamw
from .descent import heavy_ball, momentum
from .descent import nesterov as momentum_ahead


def trust_ratio(length: Any, size: Any) -> Any:
    """How many times as long as a step of that size the weights are; 1 where either is 0."""
    usual = (length > 0) & (size > 0)
    return where(usual, length, 1.0) / where(usual, size, 1.0)


@rule
def lars(
    w, dw, m, *,
    learning_rate=0.1, beta1=0.9, weight_decay=0.0, trust=1e-3, eps=0.0,
    norm_of_sum=False, nesterov=False,
):  # fmt: skip
    """Momentum whose gradient is as long, in each tensor, as a fixed share of the weights.

    trust is that share. The decay is a part of the gradient; its length counts apart, or with
    `norm_of_sum` that of the two together, as optax has it.

    Source: You, Gitman & Ginsburg 2017, arXiv:1708.03888, Algorithm 1.
    """
    decayed = dw + weight_decay * w
    size = norm(decayed) if norm_of_sum else norm(dw) + weight_decay * norm(w)
    step = trust * trust_ratio(norm(w), size + eps) * decayed
    advance = momentum_ahead if nesterov else momentum
    return advance(w, step, m, learning_rate=learning_rate, beta1=beta1)


@rule
def lamb(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.0):
    """Adam's step, decay included, made as long in each tensor as the weights are.

    Source: You et al. 2020, arXiv:1904.00962, Algorithm 2, with the norm itself for its phi.
    """
    moved, m, v = adam(0.0, dw, m, v, t, learning_rate=1.0, beta1=beta1, beta2=beta2, eps=eps)
    step = weight_decay * w - moved
    w = w - learning_rate * trust_ratio(norm(w), norm(step)) * step
    return w, m, v


@rule
def novograd(
    w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.95, beta2=0.98, eps=1e-8, weight_decay=0.0
):
    """Momentum of gradients that are divided by the length of the whole tensor's gradient.

    v is the history of the squared length. It is one number a tensor; here it stands in every
    element of a state tensor. In float16 it is inf above 65504: keep the state in float32.

    Source: Ginsburg et al. 2019, arXiv:1905.11286, Algorithm 1; the betas of its authors' code.
    """
    kept = where(t == 1, 0.0, beta2)
    v = kept * v + (1 - kept) * dot(dw, dw)
    step = dw / (sqrt(v) + eps) + weight_decay * w
    w, m = heavy_ball(w, step, m, learning_rate=learning_rate, beta1=beta1)
    return w, m, v


@rule
def stable_adamw(
    w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=1e-2
):
    """AdamW that slows down in a tensor whose gradients are larger than its history expects.

    The learning rate is divided by the root mean square of dw / sqrt(v), where that is above 1.

    Source: Wortsman et al. 2023, arXiv:2304.13013, Algorithm 2 (AdamW with update clipping).
    """
    numbers = {"beta1": beta1, "beta2": beta2, "eps": eps}
    _, _, history = adam(w, dw, m, v, t, **numbers)
    vt = history / (1 - beta2**t)
    surprise = sqrt(mean(dw**2 / maximum(vt, eps**2)))
    rate = learning_rate / maximum(1, surprise)
    return adamw(w, dw, m, v, t, learning_rate=rate, weight_decay=weight_decay, **numbers)
