"""95 % intervals of shares of votes and of their differences."""

from __future__ import annotations

import math

Interval = tuple[float, float]


def share_interval(share: float, examples: int) -> Interval:
    """Return the 95 % Wilson score interval of a share among `examples`."""
    from scipy.stats import binomtest

    found = binomtest(round(share * examples), examples).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def share_difference(first: float, count: int, second: float, other: int) -> Interval:
    """Return the 95 % interval of a share among `count` minus one among `other`.

    Newcombe 1998, method 10: from the Wilson intervals of both, which are valid for 0 and 1, too.
    """
    (low, high), (least, most) = share_interval(first, count), share_interval(second, other)
    apart = first - second
    return (
        apart - math.hypot(first - low, most - second),
        apart + math.hypot(high - first, second - least),
    )
