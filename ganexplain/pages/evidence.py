"""What a report is made from, checked and in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganexplain.config import FrontEnd
from ganexplain.pages.notation import exact

CRITERIA = {"fid-response": "responses", "fid-features": "features"}  # by what settings rank


@dataclass(frozen=True)
class Score:
    """One configuration of the grid as `select` ranked it; `rank` counts from 1, the best."""

    learning_rate: float
    prior_weight: float
    iterations: int
    rank: int
    fid_response: float
    fid_features: float | None
    mean_response: float
    std_response: float

    @property
    def setting(self) -> str:
        """The setting in words."""
        return (
            f"learning rate {exact(self.learning_rate)}, prior weight {exact(self.prior_weight)}, "
            f"{self.iterations} iterations"
        )


@dataclass(frozen=True)
class Evidence:
    """Arrays of `explanations.npz` (`made`), real excerpts of the direction (`real`), ranking.

    `made` and `real` have the keys of the artifacts; `real` is sorted, strongest first, and
    holds `mel, response, file, start_s, audio`. `seeds` is how many examples are shown.
    """

    made: Mapping[str, np.ndarray]
    meta: Mapping[str, Any]
    real: Mapping[str, np.ndarray]
    scores: tuple[Score, ...]
    ranked_by: str
    front_end: FrontEnd
    seeds: int

    @property
    def upwards(self) -> bool:
        """Whether the response was raised, not lowered."""
        return bool(self.meta["direction"] == "max")

    @property
    def ranked_on(self) -> str:
        """What the distance that ranks is measured on, in a word."""
        return CRITERIA[self.ranked_by]

    @property
    def order(self) -> list[int]:
        """Configurations, best first."""
        return sorted(range(len(self.scores)), key=lambda i: self.scores[i].rank)

    @property
    def landmarks(self) -> dict[str, int]:
        """The configurations shown: best, median (element (C - 1) // 2 of the ranking), worst.

        A small grid has fewer than three different ones.
        """
        order = self.order
        named = {"best": order[0], "worst": order[-1], "median": order[(len(order) - 1) // 2]}
        seen: dict[str, int] = {}
        for name, index in named.items():
            if index not in seen.values():
                seen[name] = index
        return seen

    @property
    def shown(self) -> dict[str, np.ndarray]:
        """Log-mel excerpts (n, F, T) of each row of the page."""
        rows = {"real": self.real["mel"][: self.seeds], "start": self.made["start_mel"]}
        rows |= {name: self.made["mel"][index] for name, index in self.landmarks.items()}
        return {name: mel[: self.seeds] for name, mel in rows.items()}

    @property
    def steps(self) -> np.ndarray:
        """The iteration of each recorded value of the traces (S,)."""
        return np.arange(self.made["response_trace"].shape[2])
