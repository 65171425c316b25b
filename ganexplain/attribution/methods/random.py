"""Random maps, which do not depend on the network: the floor of all measures."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.runs.machine import random_stream


@dataclass(frozen=True)
class RandomMap(Method):
    """Random weights of the segments, for comparison."""

    random = True

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return weights of a uniform distribution."""
        weights = random_stream(seed, "random map").random(question.parts.count)
        return Attribution.from_weights(question, weights)

    def passes(self, count: int) -> int:
        """Return 0."""
        return 0


METHOD = RandomMap
