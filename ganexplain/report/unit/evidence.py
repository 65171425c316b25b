"""The data of the report of one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganexplain.artifacts.explanations import ExplanationMeta
from ganexplain.artifacts.figures import Score
from ganexplain.artifacts.prediction import Prediction, UnitPrediction
from ganexplain.artifacts.responses import Decided
from ganexplain.artifacts.selection import Selection
from ganexplain.inputs.base import Input
from ganexplain.inputs.words import Words
from ganexplain.metrics.scores import SCORES, ScoreKind
from ganexplain.metrics.sharing import Sharing

MOST_EXPLORED = 64  # most settings with examples on a page


@dataclass(frozen=True)
class Evidence:
    """Arrays of `explanations.npz` (`made`), real excerpts of the direction (`real`), ranking.

    `made` and `real` have the keys of the artifacts. `real` is sorted, strongest first, with `mel`,
    `response`, `file`, `start_s` and, for log-mel, `audio`; so is `held_out`, which may be empty.
    `beyond` has the real excerpts that are strongest beyond the outputs, or is empty; of a search
    that fixed the outputs, `real` has them. `sharing` is what responses share with the outputs.
    `driven` contains `mel` and `response` of controls by name. `seeds` is the number of displayed
    examples. `validation` is a test of them, and `prediction` its entry of the unit. `decided`
    counts the decisions for the unit's class.
    """

    made: Mapping[str, np.ndarray]
    meta: ExplanationMeta
    real: Mapping[str, np.ndarray]
    held_out: Mapping[str, np.ndarray]
    beyond: Mapping[str, np.ndarray]
    sharing: Sharing | None
    driven: Mapping[str, Mapping[str, np.ndarray]]
    selection: Selection
    front_end: Input
    seeds: int
    prediction: UnitPrediction | None = None
    validation: Prediction | None = None
    decided: Decided | None = None

    @property
    def words(self) -> Words:
        """The words for the page's examples."""
        return self.front_end.words

    @property
    def playable(self) -> bool:
        """Whether there is sound to listen to."""
        return self.front_end.sound_rate > 0

    @property
    def upwards(self) -> bool:
        """Whether the search raised the response."""
        return self.meta.direction == "max"

    @property
    def held_out_is_stronger(self) -> bool:
        """Whether real excerpts of the other splits drive the unit more than these."""
        if not self.held_out:
            return False
        sign = 1 if self.upwards else -1
        theirs, ours = self.held_out["response"], self.real["response"]
        return bool(sign * theirs.mean(dtype=np.float64) > sign * ours.mean(dtype=np.float64))

    @property
    def mixed_from(self) -> str:
        """The recordings whose mixtures were searched, or an empty string for a GAN."""
        return str(self.meta.settings.get("prior_from") or "")

    @property
    def absence(self) -> str:
        """Why the real excerpts cannot show what drives the unit, or an empty string."""
        return self.decided.absence(self.upwards) if self.decided else ""

    @property
    def extreme(self) -> str:
        """Which responses the real excerpts have, such as `highest responses`."""
        word = "highest" if self.upwards else "lowest"
        beyond = " beyond what the outputs explain" if self.meta.beyond else ""
        return f"{word} responses{beyond}"

    @property
    def scores(self) -> tuple[Score, ...]:
        """The settings in the order of the arrays."""
        return self.selection.scores

    @property
    def chosen(self) -> Score:
        """The chosen setting."""
        return self.scores[self.selection.chosen]

    @property
    def kind(self) -> ScoreKind:
        """The score by which settings are ranked."""
        return SCORES[self.selection.by]

    @property
    def order(self) -> list[int]:
        """Indices of the settings, best first."""
        return sorted(range(len(self.scores)), key=lambda i: self.scores[i].rank)

    @property
    def landmarks(self) -> dict[str, int]:
        """Indices of the displayed settings: chosen, best, worst and median (rank (C - 1) // 2).

        A setting with several of these names has the first one.
        """
        order = self.order
        named = {"chosen": self.selection.chosen, "best": order[0], "worst": order[-1]}
        named |= {"median": order[(len(order) - 1) // 2]}
        seen: dict[str, int] = {}
        for name, index in named.items():
            if index not in seen.values():
                seen[name] = index
        return seen

    @property
    def explored(self) -> list[int]:
        """Indices of settings with examples on the page: all, or, if there are many, the landmarks
        and settings at equal distances in the ranking.
        """
        count = len(self.scores)
        if count <= MOST_EXPLORED:
            return list(range(count))
        spread = np.linspace(0, count - 1, MOST_EXPLORED - len(self.landmarks)).round().astype(int)
        return sorted({self.order[k] for k in spread} | set(self.landmarks.values()))

    @property
    def shown(self) -> dict[str, np.ndarray]:
        """Inputs (n, ...) of each row of the page, in their order."""
        landmarks = {name: self.made["mel"][index] for name, index in self.landmarks.items()}
        rows = {"real": self.real["mel"], "chosen": landmarks.pop("chosen")}
        rows |= {"start": self.made["start_mel"]}
        if self.beyond:
            rows["beyond"] = self.beyond["mel"]
        if self.held_out:
            rows["held_out"] = self.held_out["mel"]
        rows |= {name: arrays["mel"] for name, arrays in self.driven.items()}
        rows |= {n: landmarks[n] for n in ("best", "median", "worst") if n in landmarks}
        return {name: mel[: self.seeds] for name, mel in rows.items()}

    @property
    def steps(self) -> np.ndarray:
        """The iteration of each recorded value of the traces (S,)."""
        return np.arange(self.made["response_trace"].shape[2])
