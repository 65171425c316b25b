"""Shares of votes and how far apart they are, with 95 % intervals."""

from __future__ import annotations

import math

Interval = tuple[float, float]


def share_interval(share: float, examples: int) -> Interval:
    """The 95 % Wilson score interval of a share among `examples`."""
    from scipy.stats import binomtest

    found = binomtest(round(share * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def share_difference(first: float, count: int, second: float, other: int) -> Interval:
    """The 95 % interval of a share among `count` minus one among `other` (Newcombe 1998, no. 10).

    From the Wilson intervals of both, which also hold for shares of 0 and 1.
    """
    (low, high), (least, most) = share_interval(first, count), share_interval(second, other)
    apart = first - second
    return (
        apart - math.hypot(first - low, most - second),
        apart + math.hypot(high - first, second - least),
    )
