"""Muon: the momentum of a matrix, made orthogonal."""

from typing import Any  # a matrix, of whichever array library

from ..language.functions import columns, maximum, norm, rows, sqrt, transpose, where
from ..language.rule import rule

# a, b and c of Jordan 2024: the slope at 0 is as steep as it can be, so that five rounds do.
_ROUNDS, _A, _B, _C = 5, 3.4445, -4.7750, 2.0315


def orthogonal(x: Any, eps: Any) -> Any:
    """About the nearest matrix whose rows (or columns, the fewer) are orthonormal.

    Each singular value s goes through a s + b s**3 + c s**5 five times: those that are not near 0
    end between 0.7 and 1.2. A tall matrix is turned on its side, so that the products are small.
    """
    is_tall = rows(x) > columns(x)
    x = where(is_tall, transpose(x), x) / (norm(x) + eps)
    for _ in range(_ROUNDS):
        gram = x @ transpose(x)
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return where(is_tall, transpose(x), x)


@rule
def muon(
    w, dw, m, t, *,
    learning_rate=0.02, beta1=0.95, weight_decay=0.0, eps=1e-7,
    nesterov=True, bias_correction=False, match_adam=False,
):  # fmt: skip
    """Momentum that moves a matrix by the same length in every direction.

    For the matrices of hidden layers; the other tensors go to another rule, AdamW as a habit. A
    step is longer in a tall matrix, by the root of rows over columns; with `match_adam` it is 0.2
    times the root of the longer side, as long as Adam's are. `bias_correction` is optax's.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; `match_adam` is Liu et
    al. 2025, arXiv:2502.16982.
    """
    m = beta1 * m + (1 - beta1) * dw
    ahead = beta1 * m + (1 - beta1) * dw if nesterov else m
    if nesterov and bias_correction:
        ahead = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * dw / (1 - beta1**t)
    high, wide = rows(w), columns(w)
    longer = 0.2 * sqrt(maximum(high, wide)) if match_adam else sqrt(maximum(1, high / wide))
    w = w * (1 - learning_rate * weight_decay)
    w = w - learning_rate * longer * orthogonal(ahead, eps)
    return w, m
