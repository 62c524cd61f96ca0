"""Adam with another history v in the divisor."""

from ..language.functions import clip, maximum, sign, sqrt, where
from ..language.rule import rule


@rule
def adabelief(
    w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-16, eps_in_state=1e-16
):
    """Adam that divides by how far gradients are from what the velocity expects of them.

    Source: Zhuang et al. 2020, arXiv:2010.07468, Algorithm 2; eps is added to v at every step.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * (dw - m) ** 2 + eps_in_state
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v


@rule(initial={"m": "initial_velocity", "v": "initial_accumulator"})
def yogi(
    w, dw, m, v, t, *,
    learning_rate=1e-2, beta1=0.9, beta2=0.999, eps=1e-3,
    initial_velocity=0.0, initial_accumulator=1e-6, bias_correction=False,
):  # fmt: skip
    """Adam whose history moves by the size of the squared gradient, however far away it is.

    Source: Zaheer et al. 2018, "Adaptive Methods for Nonconvex Optimization", Algorithm 2. It has
    no bias correction; optax has, and starts both histories at 1e-6.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = v - (1 - beta2) * sign(v - dw**2) * dw**2
    mt = m / (1 - beta1**t) if bias_correction else m
    vt = v / (1 - beta2**t) if bias_correction else v
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v


@rule
def adabound(
    w, dw, m, v, t, *,
    learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, final_rate=0.1, gamma=1e-3,
):  # fmt: skip
    """Adam whose rates are kept between bounds that close in: it ends as momentum.

    final_rate is where both bounds lead, gamma how fast.

    Source: Luo et al. 2019, arXiv:1902.09843, Algorithm 1, with the bounds of its authors' code.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    low = final_rate * (1 - 1 / (gamma * t + 1))
    high = final_rate * (1 + 1 / (gamma * t))
    rate = clip(learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) / (sqrt(v) + eps), low, high)
    w = w - rate * m
    return w, m, v


@rule
def adopt(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.9999, eps=1e-6, clipped=True):
    """Adam that divides each gradient by the history before it, and so converges for any beta2.

    The first gradient is only remembered.

    Source: Taniguchi et al. 2024, arXiv:2411.02853, Algorithm 2; the clipping of its authors' code.
    """
    scaled = dw / maximum(sqrt(v), eps)
    bound = (t - 1) ** 0.25
    scaled = clip(scaled, -bound, bound) if clipped else scaled
    m = where(t == 1, m, beta1 * m + (1 - beta1) * scaled)
    v = where(t == 1, dw**2, beta2 * v + (1 - beta2) * dw**2)
    w = where(t == 1, w, w - learning_rate * m)
    return w, m, v


@rule
def sophia(w, dw, m, h, *, learning_rate=1e-3, beta1=0.96, gamma=0.01, eps=1e-12):
    """Newton's step along each weight, never longer than the learning rate.

    h is the Hessian's diagonal: write an estimate into this state every few steps; it is only read.

    Source: Liu et al. 2023, arXiv:2305.14342, Algorithm 3, given h.
    """
    m = beta1 * m + (1 - beta1) * dw
    w = w - learning_rate * clip(m / maximum(gamma * h, eps), -1.0, 1.0)
    return w, m, h
