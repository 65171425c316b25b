"""Bootstrap intervals of scores, and which settings cannot be told from the best."""

from __future__ import annotations

import numpy as np

from ganexplain.runtime import random_stream

RESAMPLES = 300
CONFIDENCE = 0.95


def resample_rows(examples: int, seed: int) -> np.ndarray:
    """Rows (B, N) of B samples of N examples, drawn with replacement.

    The same rows serve every setting: example k of each began at the same latent, so their
    differences are paired. Never one example alone, of which there is no variance.
    """
    stream = random_stream(seed, "bootstrap")
    rows = stream.integers(examples, size=(RESAMPLES, examples))
    alone = (rows == rows[:, :1]).all(axis=1)
    rows[alone, 0] = (rows[alone, 0] + 1) % examples
    return rows


def interval(score: np.ndarray, resampled: np.ndarray) -> np.ndarray:
    """Bounds (..., 2) around scores (...) from those of B resamples (..., B).

    Resampling repeats examples, which moves a distance of distributions up; so what is taken from
    the resamples is how they spread around their own mean, not where they lie.
    """
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    spread = np.quantile(resampled - resampled.mean(axis=-1, keepdims=True), tails, axis=-1)
    return np.moveaxis(score + spread, 0, -1)


def tied_with_best(score: np.ndarray, resampled: np.ndarray) -> np.ndarray:
    """Which of C settings are as good as the best, as far as N examples can tell: (C,) bool.

    `score` (C,), low is better, `resampled` (C, B): those whose difference to the best is within
    one standard error of that difference, the rule of Breiman et al. (1984) for what to prefer
    the simplest of. Wider, and with few examples next to nothing would be told apart. The best
    itself always is.
    """
    best = int(np.argmin(score))
    error = (resampled - resampled[best]).std(axis=1, ddof=1)
    tied: np.ndarray = score - score[best] <= error
    return tied
