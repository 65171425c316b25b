"""Which of the causes do the examples of a network show? One is named, of all that were planted.

Singing moves the measures of some causes as far as planting them does, so no measure alone tells
whether a network hears its cause. But planting a cause changes other measures, too (a late onset
lowers the level, a coder takes the upper bands away), and each in its own way. Of all causes, the
one is named whose changes of all measures are most like those between the examples of a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from benchmarks.planted_causes import CAUSES
from benchmarks.planted_networks import Sounds, plant
from benchmarks.planted_questions import Drawn

Measured = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Signatures:
    """What planting each of C causes changes in C measures, (C, C), on average.

    `covariance` (C, C) is that of the measures over real excerpts in which nothing is planted.
    """

    causes: Sequence[str]
    effects: np.ndarray
    covariance: np.ndarray

    def likeness(self, change: np.ndarray) -> np.ndarray:
        """Cosine (C,) between a change (C,) of the measures and that which each cause makes.

        It is that of Mahalanobis' metric: a change counts by the spread of real excerpts, and
        measures that go together count once, in whatever units they are.
        """
        whiten = np.linalg.inv(np.linalg.cholesky(self.covariance))
        made, found = whiten @ self.effects.T, whiten @ change
        cosine: np.ndarray = found @ made / np.linalg.norm(made, axis=0) / np.linalg.norm(found)
        return cosine

    def share(self, change: np.ndarray, cause: str) -> float:
        """A change of the measure of one cause, in units of what planting it changes."""
        number = self.causes.index(cause)
        return float(change[number] / self.effects[number, number])

    def name(self, change: np.ndarray) -> str:
        """The cause whose change is most like a change (C,)."""
        return self.causes[int(np.argmax(self.likeness(change)))]

    def to_json(self) -> dict[str, Any]:
        """The record in a result."""
        return {
            "causes": list(self.causes),
            "effects": self.effects.tolist(),
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Signatures:
        """Read what `to_json` wrote."""
        effects, covariance = (np.array(record[key]) for key in ("effects", "covariance"))
        return cls(tuple(record["causes"]), effects, covariance)

    def change(self, high: Measured, low: Measured) -> np.ndarray:
        """How far the mean measures (C,) of some excerpts are above those of others."""
        return np.array([np.mean(high[key]) - np.mean(low[key]) for key in self.causes])


def signatures(sounds: Sounds, seed: int) -> Signatures:
    """Plant each cause in sounds, and measure all."""
    sets = [plant(cause, sounds, seed) for cause in CAUSES.values()]
    effects = [(_measures(each.present) - _measures(each.absent)).mean(axis=1) for each in sets]
    return Signatures(tuple(CAUSES), np.array(effects), np.cov(_measures(sets[0].clean)))


def measured(mel: np.ndarray) -> dict[str, list[float]]:
    """Each measure of each excerpt (N, F, T)."""
    return dict(zip(CAUSES, _measures(mel).tolist(), strict=True))


def heard(present: np.ndarray, absent: np.ndarray, clean: np.ndarray, singing: np.ndarray) -> float:
    """What planting a cause changes in a twin's outputs (N,), in units of what singing changes.

    `clean` are the outputs for excerpts without causes, in some of which somebody sings, (N,) bool.
    """
    return float((present - absent).mean() / (clean[singing].mean() - clean[~singing].mean()))


def examples_measured(
    most: Mapping[str, Drawn], least: Mapping[str, Drawn], sounds: Sounds, seed: int
) -> dict[str, Any]:
    """Each measure of what drives each network most and least, and the signatures of sounds."""
    found = {
        name: {
            "max": measured(most[name].chosen),
            "min": measured(least[name].chosen),
            "real max": measured(most[name].real),
            "real min": measured(least[name].real),
        }
        for name in least
    }
    return {"examples": found, "signatures": signatures(sounds, seed).to_json()}


def _measures(mel: np.ndarray) -> np.ndarray:
    """Each measure (C, N) of excerpts (N, F, T)."""
    return np.stack([cause.measure(mel) for cause in CAUSES.values()])
