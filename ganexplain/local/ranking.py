"""Several explanations of the same inputs: which holds best, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.runtime import random_stream

RESAMPLES = 2000
SURE = 95.0  # per cent


@dataclass(frozen=True)
class Ranking:
    """Configurations in order.

    `mean` (C,) over inputs and `interval` (C, 2), its 95 % bootstrap interval; `rank` (C,) from 1;
    `tied` (C,) of booleans: the interval of the paired difference with the best holds 0;
    `chosen` (N,) the best configuration of each input.
    """

    mean: np.ndarray
    interval: np.ndarray
    rank: np.ndarray
    tied: np.ndarray
    chosen: np.ndarray


def rank(values: np.ndarray, better: str, seed: int = 0) -> Ranking:
    """Rank configurations by a measure (C, N) of N inputs, `better` "low" or "high".

    Inputs are resampled together for all configurations, so that what is common to all does
    not widen the intervals. A value that is not finite counts as the worst of its input.
    """
    sign = 1.0 if better == "low" else -1.0
    cost = sign * np.asarray(values, dtype=np.float64)
    finite = np.where(np.isfinite(cost), cost, -np.inf)
    cost = np.where(np.isfinite(cost), cost, np.maximum(finite.max(axis=0), -1e300))
    mean = cost.mean(axis=1)
    order = np.argsort(mean, kind="stable")
    ranks = np.empty(len(order), dtype=int)
    ranks[order] = np.arange(1, len(order) + 1)
    count = cost.shape[1]
    rows = random_stream(seed, "bootstrap").integers(0, count, (RESAMPLES, count))
    means = np.stack([each[rows].mean(axis=1) for each in cost])  # (C, RESAMPLES)
    ends = (50 - SURE / 2, 50 + SURE / 2)
    low, high = np.percentile(means, ends, axis=1)
    below, _ = np.percentile(means - means[order[0]], ends, axis=1)
    interval = np.sort(sign * np.stack([low, high], axis=1), axis=1)
    return Ranking(sign * mean, interval, ranks, below <= 0, cost.argmin(axis=0))
