"""Exact occlusion: what the score loses when one part is left out."""

from __future__ import annotations

import numpy as np

from ganexplain.attribution.masking import SubsetScore


def occlusion(score: SubsetScore, count: int) -> np.ndarray:
    """Weights (n,): the full score less that without the part (Zeiler and Fergus 2014).

    n + 1 passes, nothing drawn: the limit of LIME with an L2 kernel, whose weight is
    exp(-8 per part left out) for width 0.25.
    """
    kept = np.ones((count + 1, count), dtype=bool)
    kept[np.arange(count), np.arange(count)] = False
    scores = score(kept)
    return scores[-1] - scores[:-1]
