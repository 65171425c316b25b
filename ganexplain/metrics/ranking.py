"""Several explanations of the same inputs: which holds best, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.errors import check_known
from ganexplain.metrics.bootstrap import interval, resample_rows, tied_with_best


@dataclass(frozen=True)
class Ranking:
    """Configurations in order.

    `mean` (C,) over inputs and `interval` (C, 2), its 95 % bootstrap interval; `rank` (C,) from 1;
    `tied` (C,) of booleans: within one standard error of the best, as for settings of neurons;
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
    not widen the intervals. A value that is not finite counts as the worst of its input. Raises
    UsageError for another `better`.
    """
    check_known("better", better, ("low", "high"))
    sign = 1.0 if better == "low" else -1.0
    cost = sign * np.asarray(values, dtype=np.float64)
    finite = np.where(np.isfinite(cost), cost, -np.inf)
    cost = np.where(np.isfinite(cost), cost, np.maximum(finite.max(axis=0), -1e300))
    mean = cost.mean(axis=1)
    order = np.argsort(mean, kind="stable")
    ranks = np.empty(len(order), dtype=int)
    ranks[order] = np.arange(1, len(order) + 1)
    rows = resample_rows(cost.shape[1], seed)
    resampled = np.stack([each[rows].mean(axis=1) for each in cost])  # (C, B)
    bounds = np.sort(sign * interval(mean, resampled, cost.shape[1]), axis=1)
    tied = tied_with_best(mean, resampled)
    return Ranking(sign * mean, bounds, ranks, tied, cost.argmin(axis=0))
