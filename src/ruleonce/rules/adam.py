"""Adam: velocity and history together."""

from ..language.functions import abs, arctan2, maximum, sqrt, where  # noqa: A004  (the card's names)
from ..language.rule import rule
from ..language.schema import Scalar


@rule
def adam_simplified(w, dw, m, v, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Momentum's velocity scaled by RMSProp's history, without bias correction.

    m and v start at 0, so the first steps are too long: the first by (1 - beta1) / sqrt(1 - beta2),
    which is 3.16 with the defaults.

    Source: CS231n notes, "Adam", https://cs231n.github.io/neural-networks-3/#ada
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    w = w - learning_rate * m / (sqrt(v) + eps)
    return w, m, v


@rule
def adam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Momentum's velocity scaled by RMSProp's history, with bias correction.

    m and v start at 0; dividing by 1 - beta**t makes them what they would be had the gradient
    always been there. The first step is then as long as the learning rate.

    Source: Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v


@rule
def adamw(
    w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-2
):
    """Adam, and beside it the weights shrink by a share of themselves.

    Decay that is a part of the gradient is divided by sqrt(v) like the rest of it, so weights with
    large gradients hardly shrink. Here all shrink alike.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2; the rate is the schedule.
    """
    w = w * (1 - learning_rate * weight_decay)
    return adam(w, dw, m, v, t, learning_rate=learning_rate, beta1=beta1, beta2=beta2, eps=eps)


@rule
def adam_atan2(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, scale=1.27):
    """Adam by an angle, with no eps: gradients of any size, however small, give the same step.

    scale is about 4 / pi: where m is as large as the root of v, the step is the learning rate.

    Source: Everett et al. 2024, arXiv:2407.05872 (Adam-atan2).
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    w = w - learning_rate * scale * arctan2(mt, sqrt(vt))
    return w, m, v


@rule
def amsgrad(
    w, dw, m, v, largest, t, *,
    learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, corrected_first=False,
):  # fmt: skip
    """Adam that remembers the largest history: no step becomes longer because v has shrunk.

    Source: Reddi, Kale & Kumar 2018, arXiv:1904.09237, Algorithm 2. It has no bias correction;
    with it, and the largest of the uncorrected v, this is PyTorch's; `corrected_first`: optax's.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    largest = maximum(largest, v / (1 - beta2**t) if corrected_first else v)
    vt = largest if corrected_first else largest / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v, largest


@rule
def adamax(w, dw, m, u, t, *, learning_rate=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam with the largest gradient of late, u, in the place of the root of the mean square.

    Source: Kingma & Ba 2015, arXiv:1412.6980, Algorithm 2; eps, so that u is never 0, is PyTorch's.
    """
    m = beta1 * m + (1 - beta1) * dw
    u = maximum(beta2 * u, abs(dw) + eps)
    w = w - learning_rate / (1 - beta1**t) * m / u
    return w, m, u


@rule(initial={"product": 1.0})
def nadam(
    w, dw, m, v, product: Scalar, t, *,
    learning_rate=2e-3, beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=4e-3,
):  # fmt: skip
    """Adam with Nesterov's look ahead: the step uses the momentum of the next one.

    The momentum grows from half of beta1 towards beta1; product is that of all momenta so far,
    which takes the place of beta1**t in the bias correction.

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam", Algorithm 2.
    """
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
    next_mu = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    product = product * mu
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = next_mu / (1 - product * next_mu) * m + (1 - mu) / (1 - product) * dw
    vt = v / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v, product


@rule
def adam_nesterov(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """NAdam with a momentum that does not grow.

    Source: Dozat 2016, "Incorporating Nesterov Momentum into Adam", section 3, as optax.nadam.
    """
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * dw / (1 - beta1**t)
    w = w - learning_rate * mt / (sqrt(v / (1 - beta2**t)) + eps)
    return w, m, v


@rule
def radam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam that waits for its history: as long as v rests on too few gradients, momentum alone.

    rho is how many gradients v is worth, rho_inf how many it can be worth; with 5 or fewer its
    variance is not taken for finite (with 4, the paper says), and then rectified is not used.

    Source: Liu et al. 2020, arXiv:1908.03265, Algorithm 2; eps stands where PyTorch has it.
    """
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    trusted = rho > 5
    now, most = maximum(rho, 5), maximum(rho_inf, 5)
    part = (now - 4) * (now - 2) * most / ((most - 4) * (most - 2) * now)
    rectified = sqrt(part * (1 - beta2**t))
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    w = w - learning_rate * mt * where(trusted, rectified / (sqrt(v) + eps), 1.0)
    return w, m, v
