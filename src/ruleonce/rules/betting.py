"""Steps as bets on a coin: no learning rate."""

from ..language.functions import abs, maximum, where  # noqa: A004
from ..language.rule import rule


@rule
def cocob(w, dw, start, theta, largest, lengths, reward, t, *, alpha=100.0, eps=1e-8):
    """Bet on the sign of the next gradient a share of what was won so far.

    theta     the sum of the negative gradients
    largest   the largest gradient so far; `lengths` their sum
    reward    what was won

    Source: Orabona & Tommasi 2017, arXiv:1705.07795, Algorithm 2.
    """
    start = where(t == 1, w, start)
    largest = maximum(maximum(largest, abs(dw)), eps)
    lengths = lengths + abs(dw)
    reward = maximum(reward - (w - start) * dw, 0.0)
    theta = theta - dw
    share = theta / (largest * maximum(lengths + largest, alpha * largest))
    w = start + share * (largest + reward)
    return w, start, theta, largest, lengths, reward
