"""What the responses of a unit share with the outputs of its network and with other units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ganexplain.errors import GanexplainError
from ganexplain.files.fields import Fields
from ganexplain.metrics.moments import Blocks, CentredTriangle, Mapped, Moments

ALIKE = 0.9  # |correlation| from which two units of a layer say the same
EXCERPTS_PER_NUMBER = 10  # fewer fit any response by chance
POWERS = (2, 3)  # of outputs: of a rectified layer a line in the output leaves a curve of it
ALL = 1 - 1e-6  # share from which only rounding is left


@dataclass(frozen=True)
class Regressors:
    """Numbers (H,) whose weighted sums are curves of outputs (K,): these, squares and cubes.

    Outputs are taken in standard `deviation`s (K,) from their `mean` (K,); constant ones, of
    deviation 0, are left out. If M excerpts cannot fit so many numbers, there are no cubes, no
    squares (fewer `powers`), or only the first principal components, along `axes`.
    """

    mean: np.ndarray
    deviation: np.ndarray
    powers: tuple[int, ...] = (1,)
    axes: np.ndarray | None = None

    @classmethod
    def of(cls, blocks: Blocks) -> Regressors:
        """Those for the outputs (m, K) of all blocks together."""
        moments = Moments.of(blocks)
        found = cls(moments.mean, moments.deviations())
        most, varied = (
            max(1, moments.count // EXCERPTS_PER_NUMBER),
            int((found.deviation > 0).sum()),
        )
        if varied <= most:
            powers = tuple(power for power in POWERS if power * varied <= most)
            return replace(found, powers=(1, *powers))
        _, axes = CentredTriangle.of(Mapped(found, blocks)).axes()
        return replace(found, axes=axes[:most].T)

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """The numbers (m, H) for outputs (m, K)."""
        varied = self.deviation > 0
        standard = (outputs - self.mean)[:, varied] / self.deviation[varied]
        if self.axes is not None:
            return np.asarray(standard @ self.axes)
        return np.concatenate([standard**power for power in self.powers], axis=1)


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
        cls, correlations: np.ndarray, unit: int | None, explained: float, size: tuple[int, int]
    ) -> Sharing:
        """That of a unit with `correlations` (U,) with the units of its layer.

        `unit` is its own number among them, None for several or all; `size` is that of the
        regression (M, H).
        """
        alike = [k for k, value in enumerate(correlations) if k != unit and abs(value) >= ALIKE]
        alike.sort(key=lambda k: -abs(correlations[k]))
        return cls(*size, explained, {k: float(correlations[k]) for k in alike})

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
