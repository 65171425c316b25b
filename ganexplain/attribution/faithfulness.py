"""Does an explanation say what the model does? Measures of one attribution, by the model itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.attribution.masking import SubsetScore


@dataclass(frozen=True)
class Curves:
    """Scores as parts go, the weightiest first, and as they come.

    `share` (n + 1,) of the input's area touched, 0 to 1; `deletion` and `insertion` (n + 1,):
    the first from the full input to the fill, the second from the fill to the full input.
    """

    share: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve: small where the parts named first carry the score."""
        return float(np.trapezoid(self.deletion, self.share))

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve: large where they do."""
        return float(np.trapezoid(self.insertion, self.share))


def curves(score: SubsetScore, weights: np.ndarray, sizes: np.ndarray) -> Curves:
    """Deletion and insertion (Petsiuk, Das and Saenko 2018) of parts of weights (n,).

    `sizes` (n,) are the parts' areas. Equal weights go in the order of their number. 2n passes.
    """
    order = np.argsort(-weights, kind="stable")
    count = len(weights)
    rank = np.empty(count, dtype=int)
    rank[order] = np.arange(count)
    inserted = rank[None, :] < np.arange(count + 1)[:, None]  # row k: the first k parts
    scores = score(np.concatenate([inserted, ~inserted[1:-1]]))
    rising, falling = scores[: count + 1], scores[count + 1 :]
    share = np.concatenate([[0.0], np.cumsum(sizes[order]) / sizes.sum()])
    return Curves(share, np.concatenate([rising[-1:], falling, rising[:1]]), rising)


def top_parts(weights: np.ndarray, top: int) -> np.ndarray:
    """Which parts (n,) of booleans are the `top` weightiest; those without weight are not."""
    chosen = np.zeros(len(weights), dtype=bool)
    chosen[np.argsort(-weights, kind="stable")[:top]] = True
    return chosen & (weights > 0)


def soft_share(weights: np.ndarray) -> np.ndarray:
    """Weights (n,) as shares in 0..1 to keep of each part: the positive ones over the largest."""
    positive = np.maximum(weights, 0.0)
    return positive / max(float(positive.max(initial=0.0)), 1e-30)


def drop(full: float, kept: float) -> float:
    """Relative loss of a probability, 0..1 (average drop of Chattopadhyay et al. 2018)."""
    return max(full - kept, 0.0) / max(full, 1e-12)


def complexity(weights: np.ndarray) -> float:
    """Entropy of |weights| (n,) over its maximum ln n: 0 one part alone, 1 all alike.

    NaN where a weight is not finite.
    """
    size = np.abs(weights)
    if not np.isfinite(size).all():
        return float("nan")
    if len(size) < 2 or size.sum() == 0:
        return 1.0 if size.sum() == 0 else 0.0
    p = size / size.sum()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum() / np.log(len(size)))
