"""Occlusion (Zeiler and Fergus 2014) of segments: what the score loses without each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.base import Attribution, Method, Question


def occlusion(score: SubsetScore, count: int) -> np.ndarray:
    """Weights (n,): the full score less that without the part (Zeiler and Fergus 2014).

    n + 1 passes, nothing drawn: the limit of LIME with an L2 kernel, whose weight is
    exp(-8 per part left out) for width 0.25.
    """
    kept = np.ones((count + 1, count), dtype=bool)
    kept[np.arange(count), np.arange(count)] = False
    scores = score(kept)
    return scores[-1] - scores[:-1]


@dataclass(frozen=True)
class Occlusion(Method):
    """The full score less that without the segment."""

    def ask(self, question: Question, seed: int) -> Attribution:
        """Weights."""
        return Attribution.of_weights(question, occlusion(question.score, question.parts.count))

    def passes(self, count: int) -> int:
        """One a segment, and one of all."""
        return count + 1


METHOD = Occlusion
