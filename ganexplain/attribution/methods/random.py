"""A map that knows nothing of the network: the floor for the measures of others."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.runs.machine import random_stream


@dataclass(frozen=True)
class RandomMap(Method):
    """Random weights of the segments, for comparison."""

    random = True

    def ask(self, question: Question, seed: int) -> Attribution:
        """Weights of a uniform distribution."""
        weights = random_stream(seed, "random map").random(question.parts.count)
        return Attribution.of_weights(question, weights)

    def passes(self, count: int) -> int:
        """None."""
        return 0


METHOD = RandomMap
