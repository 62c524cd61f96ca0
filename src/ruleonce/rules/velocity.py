"""Adam with another velocity, or with several."""

from ..language.functions import abs, norm, sign, sqrt, where  # noqa: A004
from ..language.rule import rule
from .adam import adam, adam_nesterov, adamw
from .descent import optimistic_gradient


@rule
def adan(
    w, dw, m, change, v, previous, t, *,
    learning_rate=1e-3, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8,
):  # fmt: skip
    """Nesterov's look ahead by the change of the gradient, with Adam's history.

    change   a mean of how the gradient changes from step to step; `previous` is the last one

    Source: Xie et al. 2022, arXiv:2208.06677, Algorithm 1, no decay; betas: 1 minus the paper's.
    """
    diff = where(t == 1, 0.0, dw - previous)
    m = beta1 * m + (1 - beta1) * dw
    change = beta2 * change + (1 - beta2) * diff
    v = beta3 * v + (1 - beta3) * (dw + beta2 * diff) ** 2
    ahead = m / (1 - beta1**t) + beta2 * (change / (1 - beta2**t))
    w = w - learning_rate * ahead / (sqrt(v / (1 - beta3**t)) + eps)
    return w, m, change, v, dw


@rule
def ademamix(
    w, dw, m, slow, v, t, *,
    learning_rate=1e-3, beta1=0.9, beta2=0.999, beta3=0.9999, alpha=5.0, eps=1e-8,
):  # fmt: skip
    """Adam with a second velocity that remembers ten thousand steps.

    alpha is the weight of the slow one; give it and beta3 schedules that rise to these values.

    Source: Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, Algorithm 1, without its decay.
    """
    m = beta1 * m + (1 - beta1) * dw
    slow = beta3 * slow + (1 - beta3) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    w = w - learning_rate * (mt + alpha * slow) / (sqrt(vt) + eps)
    return w, m, slow, v


@rule
def grams(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """The length of Adam's step, in the direction of the gradient of now.

    Source: Cao, Li & Song 2024, arXiv:2412.17107, Algorithm 1.
    """
    moved, m, v = adam(0.0, dw, m, v, t, learning_rate=1.0, beta1=beta1, beta2=beta2, eps=eps)
    w = w - learning_rate * sign(dw) * abs(moved)
    return w, m, v


@rule
def mars(
    w, dw, m, v, previous, t, *,
    learning_rate=3e-3, beta1=0.95, beta2=0.99, eps=1e-8, gamma=0.025, weight_decay=0.0,
):  # fmt: skip
    """AdamW on a gradient that is corrected by how it has changed, so that it is less noisy.

    The corrected gradient of a tensor is no longer than 1.

    Source: Yuan et al. 2024, arXiv:2411.10438, Algorithm 3 (MARS-AdamW), its approximate version.
    """
    change = where(t == 1, 0.0, dw - previous)
    corrected = dw + gamma * beta1 / (1 - beta1) * change
    length = norm(corrected)
    corrected = corrected / where(length > 1, length, 1.0)
    numbers = {"learning_rate": learning_rate, "beta1": beta1, "beta2": beta2, "eps": eps}
    w, m, v = adamw(w, corrected, m, v, t, weight_decay=weight_decay, **numbers)
    return w, m, v, dw


@rule
def optimistic_adam(
    w, dw, m, v, previous, t, *,
    learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, alpha=1.0, correction=1.0, nesterov=False,
):  # fmt: skip
    """Adam that takes its step twice and takes back the last one: for games of two players.

    Source: Daskalakis et al. 2018, arXiv:1711.00141, Algorithm 1; `nesterov`: of NAdam, as optax.
    """
    advance = adam_nesterov if nesterov else adam
    moved, m, v = advance(0.0, dw, m, v, t, learning_rate=1.0, beta1=beta1, beta2=beta2, eps=eps)
    numbers = {"learning_rate": learning_rate, "alpha": alpha, "correction": correction}
    w, previous = optimistic_gradient(w, -moved, previous, **numbers)
    return w, m, v, previous


@rule
def qhadam(
    w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.995, beta2=0.999, nu1=0.7, nu2=1.0, eps=1e-8
):
    """Adam that averages velocity and history with the gradient of now.

    nu1 and nu2 are the shares of the averages; with 1 and 1 it is Adam.

    Source: Ma & Yarats 2019, arXiv:1810.06801, section 4.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = (1 - nu1) * dw + nu1 * (m / (1 - beta1**t))
    vt = (1 - nu2) * dw**2 + nu2 * (v / (1 - beta2**t))
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v


@rule
def adamc(
    w, dw, m, v, t, *,
    learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-2, peak_rate=1e-3,
):  # fmt: skip
    """AdamW whose decay falls with the square of the learning rate, as normalized layers need.

    peak_rate is the largest learning rate of the schedule.

    Source: Defazio 2025, arXiv:2506.02285, Algorithm 1.
    """
    decay = weight_decay * learning_rate / peak_rate
    numbers = {"learning_rate": learning_rate, "beta1": beta1, "beta2": beta2, "eps": eps}
    return adamw(w, dw, m, v, t, weight_decay=decay, **numbers)
