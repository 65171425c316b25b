"""How much a unit's response varies over real excerpts: whether anything there drives it at all.

A distance to real responses that never change is small for whatever leaves the unit alone, so a
network that learned nothing scores well. Both bounds lie far from the shipped classifier
(tests/benchmarks/variation.py): over its training songs the deviation of fc9:0 and fc8:* is more
than half of their size (12 % at least in all layers) and 42 % and more of the layer's median
(17 %); with all weights shuffled, in 16 shuffles, that of fc9:0 is 1.6 % of its size at most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np

from ganexplain.errors import GanexplainError, short_repr

LEAST_OF_SIZE = 0.05  # standard deviation over root mean square
LEAST_OF_LAYER = 0.02  # standard deviation over the median of the layer's other units
HARDLY = "hardly responds to them, so a good score says little"
ROUNDING = 16 * float(np.finfo(np.float32).eps)  # of the values a response is read from


@dataclass(frozen=True)
class Variation:
    """Responses of a unit to `excerpts` real ones: `mean` and standard deviation `std`.

    `layer_std` is the median standard deviation of the other units of its layer, None where there
    are none; `size` the mean size of the values that the response is read from.
    """

    excerpts: int
    mean: float
    std: float
    layer_std: float | None
    size: float

    @classmethod
    def of(cls, response: np.ndarray, other_stds: np.ndarray, size: float) -> Variation:
        """Of responses (M,), the deviations (U,) of other units and the size of what is read."""
        values = response.astype(np.float64)
        layer = float(np.median(other_stds)) if len(other_stds) else None
        return cls(len(values), float(values.mean()), float(values.std(ddof=1)), layer, size)

    @classmethod
    def from_meta(cls, value: object) -> Variation | None:
        """Of the field of a meta, None without it; GanexplainError where it is something else."""
        if value is None:
            return None
        if isinstance(value, Mapping) and set(value) == {field.name for field in fields(cls)}:
            numbers = [n for name, n in value.items() if n is not None or name != "layer_std"]
            if all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
                return cls(**value)
        raise GanexplainError(f"response_variation is {short_repr(value)}; run responses again")

    def to_meta(self) -> dict[str, float | None]:
        """The field of a meta."""
        return asdict(self)

    @property
    def weakness(self) -> str:
        """What to know of a unit that hardly responds; empty for one that does."""
        size = math.hypot(self.mean, self.std)
        if self.std <= ROUNDING * self.size:
            share, meant = "rounding alone", "does not respond to them, so no score says anything"
        elif self.std < LEAST_OF_SIZE * size:
            share, meant = f"{self.std / size:.2%} of its size", HARDLY
        elif self.layer_std is not None and self.std < LEAST_OF_LAYER * self.layer_std:
            share = f"{self.std / self.layer_std:.2%} of what is usual in its layer"
            meant = HARDLY
        else:
            return ""
        return (
            f"the response to {self.excerpts} real excerpts is {self.mean:.4g} ± {self.std:.2g}, "
            f"{share}: the unit {meant}"
        )
