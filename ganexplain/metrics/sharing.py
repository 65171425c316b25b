"""What the responses of a unit share with the outputs of its network and with other units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganexplain.errors import GanexplainError
from ganexplain.files.fields import Fields
from ganexplain.metrics.regression import explained_share

ALIKE = 0.9  # |correlation| from which two units of a layer say the same
EXCERPTS_PER_NUMBER = 10  # fewer fit any response by chance
POWERS = (2, 3)  # of outputs: of a rectified layer a line in the output leaves a curve of it
ALL = 1 - 1e-6  # share from which only rounding is left


def regressors(outputs: np.ndarray) -> np.ndarray:
    """Numbers (M, H) whose weighted sums are curves of outputs (M, K): these, squares and cubes.

    Outputs are taken in standard deviations; constant ones are left out. If M excerpts cannot fit
    so many numbers, there are no cubes, no squares, or only the first principal components.
    """
    centred = outputs - outputs.mean(axis=0, dtype=np.float64)
    deviation = centred.std(axis=0)
    standard = centred[:, deviation > 0] / deviation[deviation > 0]
    most = max(1, len(outputs) // EXCERPTS_PER_NUMBER)
    if standard.shape[1] <= most:
        powers = [standard**power for power in POWERS if power * standard.shape[1] <= most]
        return np.concatenate([standard, *powers], axis=1)
    _, _, axes = np.linalg.svd(standard, full_matrices=False)
    return np.asarray(standard @ axes[:most].T)


@dataclass(frozen=True)
class Sharing:
    """The share of a unit's variance over real `excerpts` that the outputs explain.

    They explain it as weighted sums of as many `numbers` as `regressors` makes of them.
    `alike` has the correlations with the units of its layer of at least `ALIKE` in size, by number,
    the largest first.
    """

    excerpts: int
    numbers: int
    explained: float
    alike: Mapping[int, float]

    @classmethod
    def of(
        cls, response: np.ndarray, numbers: np.ndarray, layer: np.ndarray, unit: int | None
    ) -> Sharing:
        """That of responses (M,) with numbers (M, H) of the outputs and units (M, U) of the layer.

        `unit` is the column of the unit itself, None for several or all.
        """
        explained = float(explained_share(response, numbers))
        found = {
            k: float(value)
            for k, value in enumerate(correlations(response, layer))
            if k != unit and abs(value) >= ALIKE
        }
        alike = dict(sorted(found.items(), key=lambda item: -abs(item[1])))
        return cls(len(response), numbers.shape[1], explained, alike)

    @classmethod
    def from_json(cls, fields: Fields, name: str) -> Sharing | None:
        """The one in a field of an object, None without it; errors as `Fields`."""
        if name not in fields:
            return None
        found = fields.child(name)
        alike = found.child("alike")
        numbers = [key for key in alike if key.isdecimal()]
        if len(numbers) < len(list(alike)):
            raise GanexplainError(f"{alike.place} names what is no number of a unit; make it again")
        return cls(
            excerpts=found.integer("excerpts"),
            numbers=found.optional(found.integer, "numbers") or 0,
            explained=found.share("explained"),
            alike={int(key): alike.number(key) for key in numbers},
        )

    def to_json(self) -> dict[str, int | float | dict[str, float]]:
        """The field of a meta."""
        return {
            "excerpts": self.excerpts,
            "numbers": self.numbers,
            "explained": self.explained,
            "alike": {str(number): value for number, value in self.alike.items()},
        }

    @property
    def is_all(self) -> bool:
        """Whether nothing of the unit is left beyond the outputs."""
        return self.explained >= ALL


def correlations(response: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Correlations (U,) of responses (M,) with those (M, U) of others; 0 for constant ones."""
    one = response - response.mean(dtype=np.float64)
    many = others - others.mean(axis=0, dtype=np.float64)
    size = np.sqrt(np.square(one).sum() * np.square(many).sum(axis=0))
    return np.asarray(np.divide(one @ many, size, out=np.zeros_like(size), where=size > 0))
