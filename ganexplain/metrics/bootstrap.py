"""Bootstrap intervals of scores, and which settings are within one standard error of the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit

from ganexplain.errors import check_known
from ganexplain.runs.machine import random_stream

RESAMPLES = 300
CONFIDENCE = 0.95
FEWEST_RECORDINGS = 3  # that show how recordings vary
ROUNDING = 1e-9  # share of values up to which differences are only rounding


def resample_rows(examples: int, seed: int, of: str = "", varied: bool = True) -> np.ndarray:
    """Rows (B, N) of B bootstrap samples of N examples, drawn with replacement.

    All settings and controls with the same starts use the same rows: example k of each has the
    same seed, so their differences are paired. Sets of other examples have other rows, by the name
    `of` the set. A `varied` sample does not repeat only one example, as that has no variance; means
    and shares need none, and of three examples one sample in nine is such.
    """
    stream = random_stream(seed, "bootstrap" + of)
    rows = stream.integers(examples, size=(RESAMPLES, examples))
    if varied:
        alone = (rows == rows[:, :1]).all(axis=1)
        rows[alone, 0] = (rows[alone, 0] + 1) % examples
    return rows


def interval(score: np.ndarray, resampled: np.ndarray, examples: int) -> np.ndarray:
    """95 % bounds (..., 2) of scores (...) of N `examples`, from those of B resamples (..., B).

    Resampling repeats examples, which increases a distance between distributions, so the bounds
    use the spread of the resamples around their own mean, not their level. This spread is too
    small by sqrt((N - 1) / N), and normal tails are too short for few examples; it is scaled to
    that of Student's t with N - 1 degrees of freedom.
    """
    tails = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    wider = 1.0  # one example has no spread to scale
    if examples > 1:
        wider = stdtrit(examples - 1, tails[1]) / ndtri(tails[1])
        wider *= np.sqrt(examples / (examples - 1))
    around = resampled - resampled.mean(axis=-1, keepdims=True)
    return np.moveaxis(score + wider * np.quantile(around, tails, axis=-1), 0, -1)


def share_interval(
    share: float, resampled: np.ndarray, recordings: int
) -> tuple[float, float] | None:
    """95 % bounds of a share, from those of B resamples (B,) of G `recordings`, NaN where unknown.

    Student's t with G - 1 degrees of freedom times the standard error of the resamples, on the
    scale of the log odds, where a share has no bounds: of few recordings the interval of a small
    share is otherwise too narrow upwards (Korn and Graubard 1998). As in `interval`, the
    standard error is scaled by sqrt(G / (G - 1)).

    None where the resamples do not show how recordings vary: of fewer than three, and of recordings
    with the same share; and for a share of 0 or 1, which has no finite log odds.

    >>> share_interval(0.5, np.array([0.4, 0.6]), 24)
    (0.300..., 0.699...)
    """
    known = resampled[np.isfinite(resampled)]
    if recordings < FEWEST_RECORDINGS or not 0 < share < 1:
        return None
    if not known.size or np.ptp(known) <= ROUNDING:
        return None
    error = known.std() * np.sqrt(recordings / (recordings - 1))
    reach = stdtrit(recordings - 1, (1 + CONFIDENCE) / 2) * error / (share * (1 - share))
    low, high = expit(logit(share) + reach * np.array([-1, 1]))
    return float(low), float(high)


def share_difference_interval(
    difference: float, resampled: np.ndarray, recordings: int
) -> tuple[float, float] | None:
    """95 % bounds of a difference d of two shares of the same pairs, from those of resamples (B,).

    They are those of `share_interval` for (1 + d) / 2, which is a share too, with 1/2 for no
    difference. None where that has none.

    >>> share_difference_interval(0.0, np.array([-0.2, 0.2]), 24)
    (-0.399..., 0.399...)
    """
    bounds = share_interval((1 + difference) / 2, (1 + resampled) / 2, recordings)
    return bounds and (2 * bounds[0] - 1, 2 * bounds[1] - 1)


def tied_with_best(score: np.ndarray, resampled: np.ndarray) -> np.ndarray:
    """Whether each of C settings is within one standard error of the best: (C,) bool.

    A low `score` (C,) is better; `resampled` is (C, B). The standard error is that of the
    difference to the best (the rule of Breiman et al. 1984). The rule is for a choice; it does not
    show that the others are worse: a set that contains the true best of 27 settings with 95 %
    needs about 2.8 standard errors. The best itself is always tied.
    """
    best = int(np.argmin(score))
    error = (resampled - resampled[best]).std(axis=1, ddof=1)
    tied: np.ndarray = score - score[best] <= error
    return tied


@dataclass(frozen=True)
class Ranking:
    """The ranking of C configurations by their mean over N inputs."""

    mean: np.ndarray  # (C,)
    interval: np.ndarray  # (C, 2): 95 % bootstrap bounds of the mean
    rank: np.ndarray  # (C,), from 1
    tied: np.ndarray  # (C,), bool: within one standard error of the best
    chosen: np.ndarray  # (N,): the best configuration of each input


def order_to_ranks(order: np.ndarray) -> np.ndarray:
    """Ranks (C,) from 1 of C configurations, from their numbers `order` (C,), the best first."""
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks


def rank_configurations(values: np.ndarray, better: str, seed: int = 0) -> Ranking:
    """Rank configurations by a measure (C, N) of N inputs, `better` "low" or "high".

    Inputs are resampled together for all configurations, so that common variation does not widen
    the intervals. A value that is not finite counts as the worst of its input. Raises UsageError
    for another `better`.
    """
    check_known("better", better, ("low", "high"))
    sign = 1.0 if better == "low" else -1.0
    cost = sign * np.asarray(values, dtype=np.float64)
    finite = np.where(np.isfinite(cost), cost, -np.inf)
    cost = np.where(np.isfinite(cost), cost, np.maximum(finite.max(axis=0), -1e300))
    mean = cost.mean(axis=1)
    rows = resample_rows(cost.shape[1], seed, varied=False)
    resampled = np.stack([each[rows].mean(axis=1) for each in cost])  # (C, B)
    bounds = np.sort(sign * interval(mean, resampled, cost.shape[1]), axis=1)
    tied = tied_with_best(mean, resampled)
    ranks = order_to_ranks(np.argsort(mean, kind="stable"))
    return Ranking(sign * mean, bounds, ranks, tied, cost.argmin(axis=0))
