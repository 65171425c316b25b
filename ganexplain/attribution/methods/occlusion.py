"""Occlusion (Zeiler and Fergus 2014): the loss of score without each segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.base import Attribution, Method, Question


def occlusion(score: SubsetScore, count: int) -> np.ndarray:
    """Return weights (n,): the full score minus the score without the part, by n + 1 passes.

    It is the limit of LIME with a narrow L2 kernel, whose weight is exp(-8) for each removed part
    at width 0.25.
    """
    kept = np.ones((count + 1, count), dtype=bool)
    kept[np.arange(count), np.arange(count)] = False
    scores = score(kept)
    return scores[-1] - scores[:-1]


@dataclass(frozen=True)
class Occlusion(Method):
    """The full score minus the score without the segment."""

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the weights."""
        return Attribution.from_weights(question, occlusion(question.score, question.parts.count))

    def passes(self, count: int) -> int:
        """Return one pass for each segment and one for the full input."""
        return count + 1


METHOD = Occlusion
