"""The grid of settings of a search, and the order of its rows and settings.

L pairs of learning rate and prior weight are searched from N starts each, in rows l * N + k. With
P iteration counts there are C = L * P settings, in which the count varies fastest.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.config import ExplainConfig
from ganexplain.files.fields import Fields


@dataclass(frozen=True)
class Grid:
    """The values of each setting, the number of examples N and the seed of the first."""

    learning_rate: Sequence[float]
    prior_weight: Sequence[float]
    iterations: Sequence[int]
    examples: int
    seed: int

    @classmethod
    def from_settings(cls, config: ExplainConfig) -> Grid:
        """The grid of the settings of `explain`."""
        rates, weights, iterations = config.learning_rate, config.prior_weight, config.iterations
        return cls(rates, weights, iterations, config.examples, config.seed)

    @classmethod
    def from_json(cls, fields: Fields) -> Grid:
        """The grid of the settings in a meta; errors as `Fields`."""
        return cls(
            fields.numbers("learning_rate"),
            fields.numbers("prior_weight"),
            fields.integers("iterations"),
            fields.integer("examples"),
            fields.integer("seed"),
        )

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """The L pairs of learning rate and prior weight."""
        return list(itertools.product(self.learning_rate, self.prior_weight))

    @property
    def rows(self) -> int:
        """L * N, the number of searches."""
        return len(self.pairs) * self.examples

    def of_rows(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Learning rates and prior weights (R,) of rows (R,)."""
        found = np.array(self.pairs, dtype=np.float64)[rows // self.examples]
        return found[:, 0], found[:, 1]

    def arrays(self) -> dict[str, np.ndarray]:
        """The settings (C,) and seeds (N,) of `explanations.npz`."""
        pairs, steps = np.array(self.pairs, dtype=np.float64), len(self.iterations)
        return {
            "learning_rate": np.repeat(pairs[:, 0], steps),
            "prior_weight": np.repeat(pairs[:, 1], steps),
            "iterations": np.tile(self.iterations, len(pairs)),
            "trajectory": np.repeat(np.arange(len(pairs)), steps),
            "seed": self.seed + np.arange(self.examples),
        }

    def by_setting(self, found: np.ndarray) -> np.ndarray:
        """Values (P, L * N, ...) of all rows at each iteration count, as (C, N, ...)."""
        split = found.reshape(len(self.iterations), -1, self.examples, *found.shape[2:])
        return np.ascontiguousarray(split.swapaxes(0, 1)).reshape(-1, *split.shape[2:])
