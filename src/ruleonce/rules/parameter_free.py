"""Rules that find their own learning rate, from how far the weights have come."""

from ..language.functions import abs, dot, maximum, sqrt, sum, total, where  # noqa: A004
from ..language.rule import rule
from ..language.schema import Scalar
from .adam import adam_simplified

_POSITIVE = (1e-300, float("inf"))


@rule(
    initial={"distance": "initial_distance"},
    ranges={"initial_distance": _POSITIVE, "distance_factor": _POSITIVE},
)
def prodigy(
    w, dw, m, v, start, gathered, distance: Scalar, numerator: Scalar, t, *,
    learning_rate=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0,
    initial_distance=1e-6, distance_factor=1.0, bias_correction=False, safeguard_warmup=False,
):  # fmt: skip
    """Adam whose learning rate is an estimate of how far the start is from the solution.

    start       the weights before the first step
    gathered    a sum of the gradients, newer ones weighing more
    distance    the estimate, of all tensors together; it only grows

    Leave the learning rate at 1, or let a schedule end at 0; `safeguard_warmup`: or begin there.

    Source: Mishchenko & Defazio 2024, arXiv:2306.06101, the version with Adam, as in its authors'
    package prodigyopt: `distance` is its d, and its beta3 is sqrt(beta2).
    """
    start = where(t == 1, w, start)
    rate = distance * learning_rate
    rate = rate * sqrt(1 - beta2**t) / (1 - beta1**t) if bias_correction else rate
    weight = distance / initial_distance
    gathered = sqrt(beta2) * gathered + weight * (distance if safeguard_warmup else rate) * dw
    numerator = sqrt(beta2) * numerator + weight * rate * total(dot(dw, start - w))
    size = total(sum(abs(gathered)))
    found = maximum(distance, distance_factor * numerator / where(size > 0, size, 1.0))
    numbers = {"learning_rate": rate, "beta1": beta1, "beta2": beta2, "eps": eps * found}
    w = w * (1 - weight_decay * rate)
    w, m, v = adam_simplified(w, distance * dw, m, v, **numbers)
    return w, m, v, start, gathered, found, numerator


@rule(initial={"distance": "initial_distance"}, ranges={"initial_distance": _POSITIVE})
def dadapt_adam(
    w, dw, m, v, gathered, distance: Scalar, numerator: Scalar, t, *,
    learning_rate=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0,
    initial_distance=1e-6, bias_correction=False,
):  # fmt: skip
    """Adam whose learning rate is a lower bound of how far the start is from the solution.

    gathered    a running mean of the steps, as long as they would be with the gradient alone
    distance    the bound, of all tensors together; it only grows

    Leave the learning rate at 1, or let a schedule take it from 1 to 0.

    Source: Defazio & Mishchenko 2023, arXiv:2301.07733, the version with Adam, as in its authors'
    package dadaptation: `distance` is its d, and the weight decay is the decoupled one.
    """
    rate, kept = distance * learning_rate, sqrt(beta2)
    rate = rate * sqrt(1 - beta2**t) / (1 - beta1**t) if bias_correction else rate
    share = rate * total(dot(dw, gathered / (sqrt(v) + eps)))
    numerator = kept * numerator + (1 - kept) * share
    gathered = kept * gathered + (1 - kept) * rate * dw
    size = (1 - kept) * total(sum(abs(gathered)))
    found = maximum(distance, numerator / where(size > 0, size, 1.0))
    m = beta1 * m + (1 - beta1) * rate * dw
    v = beta2 * v + (1 - beta2) * dw**2
    w = w * (1 - weight_decay * rate) - m / (sqrt(v) + eps)
    return w, m, v, gathered, found, numerator
