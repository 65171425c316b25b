"""95 % intervals of shares of independent examples, and of their differences."""

from __future__ import annotations

import math

from scipy.special import betaincinv

CONFIDENCE = 0.95
Interval = tuple[float, float]


def exact_interval(share: float, examples: int) -> Interval:
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


def wilson_interval(share: float, examples: int) -> Interval:
    """Return the 95 % Wilson score interval of a share among `examples`."""
    from scipy.stats import binomtest

    found = binomtest(round(share * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def share_difference(first: float, count: int, second: float, other: int) -> Interval:
    """Return the 95 % interval of a share among `count` minus one among `other`.

    Newcombe 1998, method 10: from the Wilson intervals of both, which are valid for 0 and 1, too.
    """
    (low, high), (least, most) = wilson_interval(first, count), wilson_interval(second, other)
    apart = first - second
    return (
        apart - math.hypot(first - low, most - second),
        apart + math.hypot(high - first, second - least),
    )
