"""Exact intervals of shares of few examples."""

from __future__ import annotations

from scipy.special import betaincinv

CONFIDENCE = 0.95


def exact_interval(share: float, examples: int) -> tuple[float, float]:
    """The exact 95 % binomial interval of a share of N examples (Clopper and Pearson 1934).

    At its ends the probability of as many hits or more, or of as many or fewer, is 2.5 %. Raises
    ValueError without examples.
    """
    if examples < 1:
        raise ValueError("a share of no examples has no interval")
    hits, tail = round(share * examples), (1 - CONFIDENCE) / 2
    low = betaincinv(hits, examples - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, examples - hits, 1 - tail) if hits < examples else 1.0
    return float(low), float(high)
