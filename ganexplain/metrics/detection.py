"""Frame-wise measures of a detector, with the protocol of Schlueter & Grill 2015 (method, 2.3)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

MEDIAN_FRAMES = 56  # 0.8 s at 70 frames a second


def smooth(probability: np.ndarray) -> np.ndarray:
    """Median over 56 frames along the first axis of (T,) or of class probabilities (T, K).

    Edges are repeated. Medians of several classes need not add up to 1: of two classes the second
    has its median and the first the rest; more classes are divided by their sum.
    """
    size = (MEDIAN_FRAMES,) + (1,) * (probability.ndim - 1)
    median: np.ndarray = median_filter(probability, size=size, mode="nearest")
    if probability.ndim == 1 or probability.shape[1] == 1:
        return median
    if probability.shape[1] == 2:
        return np.stack([1 - median[:, 1], median[:, 1]], axis=1)
    total = median.sum(axis=1, keepdims=True)
    return np.where(total > 0, median / np.where(total > 0, total, 1), 1 / probability.shape[1])


def threshold_grid() -> np.ndarray:
    """The candidate thresholds of the authors: hundredths, and powers of ten at both ends."""
    ends = np.array([1e-5, 1e-4, 1e-3])
    return np.concatenate([ends, np.arange(1, 100) / 100, 1 - ends[::-1]])


def best_threshold(probability: np.ndarray, truth: np.ndarray) -> float:
    """The threshold of the grid with the highest accuracy for (T,) against booleans (T,).

    If several are equally good, it is the one in the middle.
    """
    grid = threshold_grid()
    accuracy = np.array([np.mean((probability > t) == truth) for t in grid])
    best = np.flatnonzero(accuracy == accuracy.max())
    return float(grid[best[len(best) // 2]])


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half (Mann-Whitney); NaN with one class only.

    `truth` (T,) has booleans, or numbers where 0 is false.
    """
    from scipy.stats import rankdata  # half a second

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

    `probability` (T,) is that of the positive class, `truth` (T,) has booleans. Precision, recall
    and F1 are NaN without a positive frame, specificity is NaN without a negative one. The
    precision of a detector that finds no positive frame is 0.
    """
    positive = probability > threshold
    hit, false_alarm = int((positive & truth).sum()), int((positive & ~truth).sum())
    miss, reject = int((~positive & truth).sum()), int((~positive & ~truth).sum())
    has_positives, has_negatives = hit + miss > 0, reject + false_alarm > 0
    return {
        "frames": float(truth.size),
        "frame_error": (false_alarm + miss) / max(truth.size, 1),
        "precision": hit / max(hit + false_alarm, 1) if has_positives else float("nan"),
        "recall": hit / (hit + miss) if has_positives else float("nan"),
        "specificity": reject / (reject + false_alarm) if has_negatives else float("nan"),
        "f1": 2 * hit / (2 * hit + false_alarm + miss) if has_positives else float("nan"),
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
