"""Rules whose answer is a mean of the points that they were at."""

from ..language.functions import cbrt, maximum, sqrt, where
from ..language.rule import rule
from ..language.schema import Scalar


@rule
def madgrad(w, dw, start, s, v, t, *, learning_rate=1e-2, beta1=0.9, eps=1e-6):
    """Dual averaging from the start, with the cube root of the history in the divisor.

    Source: Defazio & Jelassi 2022, arXiv:2101.11075, Algorithm 1.
    """
    start = where(t == 1, w, start)
    weight = learning_rate * sqrt(t)
    s = s + weight * dw
    v = v + weight * dw**2
    z = start - s / (cbrt(v) + eps)
    w = beta1 * w + (1 - beta1) * z
    return w, start, s, v


@rule
def schedule_free_sgd(w, dw, z, total_weight: Scalar, t, *, learning_rate=1.0, beta1=0.9):
    """Descent that needs no schedule: gradients are taken between z and the mean of all z.

    w is where gradients are taken; the answer is the mean, (w - (1 - beta1) * z) / beta1.

    Source: Defazio et al. 2024, arXiv:2405.15682, equations 6 to 8.
    """
    z = where(t == 1, w, z)
    total_weight = total_weight + learning_rate**2
    share = where(total_weight > 0, learning_rate**2 / maximum(total_weight, 1e-300), 0.0)
    w = w + share * (z - w) + learning_rate * (beta1 * (1 - share) - 1) * dw
    z = z - learning_rate * dw
    return w, z, total_weight


@rule
def schedule_free_adamw(
    w, dw, z, v, total_weight: Scalar, t, *,
    learning_rate=2.5e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0,
):  # fmt: skip
    """Schedule-free descent on gradients that are divided by Adam's history.

    Source: Defazio et al. 2024, arXiv:2405.15682, Algorithm 1.
    """
    v = beta2 * v + (1 - beta2) * dw**2
    step = dw / (sqrt(v / (1 - beta2**t)) + eps) + weight_decay * w
    numbers = {"learning_rate": learning_rate, "beta1": beta1}
    w, z, total_weight = schedule_free_sgd(w, step, z, total_weight, t, **numbers)
    return w, z, v, total_weight
