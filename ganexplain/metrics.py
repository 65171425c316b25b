"""Frame-wise measures of a detector, with the protocol of Schlueter & Grill 2015 (method, 2.3)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter
from scipy.stats import rankdata

MEDIAN_FRAMES = 56  # 0.8 s at 70 frames a second


def smooth(probability: np.ndarray) -> np.ndarray:
    """Median over 56 frames along the first axis of (T,) or (T, K), edges repeated."""
    size = (MEDIAN_FRAMES,) + (1,) * (probability.ndim - 1)
    return median_filter(probability, size=size, mode="nearest")


def threshold_grid() -> np.ndarray:
    """The candidate thresholds of the authors: hundredths, and powers of ten at both ends."""
    ends = np.array([1e-5, 1e-4, 1e-3])
    return np.concatenate([ends, np.arange(1, 100) / 100, 1 - ends[::-1]])


def best_threshold(probability: np.ndarray, truth: np.ndarray) -> float:
    """The threshold of the grid with the highest accuracy for (T,) against booleans (T,).

    The middle of the best ones where several tie.
    """
    grid = threshold_grid()
    accuracy = np.array([np.mean((probability > t) == truth) for t in grid])
    best = np.flatnonzero(accuracy == accuracy.max())
    return float(grid[best[len(best) // 2]])


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half (Mann-Whitney); NaN with one class only.

    `truth` (T,) of booleans, or of numbers of which 0 is false.
    """
    truth = np.asarray(truth, dtype=bool)
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def detection_figures(
    probability: np.ndarray, truth: np.ndarray, threshold: float
) -> dict[str, float]:
    """Frame error, precision, recall, specificity, F1 (all 0..1) and AUROC of a two-class detector.

    `probability` (T,) of the positive class against booleans `truth` (T,).
    """
    said = probability > threshold
    hit, false_alarm = int((said & truth).sum()), int((said & ~truth).sum())
    miss, reject = int((~said & truth).sum()), int((~said & ~truth).sum())
    return {
        "frames": float(truth.size),
        "frame_error": (false_alarm + miss) / max(truth.size, 1),
        "precision": hit / max(hit + false_alarm, 1),
        "recall": hit / max(hit + miss, 1),
        "specificity": reject / max(reject + false_alarm, 1),
        "f1": 2 * hit / max(2 * hit + false_alarm + miss, 1),
        "auroc": auroc(probability, truth),
    }


def multiclass_figures(probability: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Frame error of the largest probability (T, K) and the mean one-against-rest AUROC.

    The mean is over the classes that some frame has and some has not; NaN where there is none.
    """
    areas = [auroc(probability[:, k], label == k) for k in range(probability.shape[1])]
    areas = [area for area in areas if not np.isnan(area)] or [float("nan")]
    return {
        "frames": float(label.size),
        "frame_error": float(np.mean(probability.argmax(axis=1) != label)),
        "auroc": float(np.mean(areas)),
    }
