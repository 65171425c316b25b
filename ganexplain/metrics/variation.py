"""How much a unit's response varies over real excerpts: whether anything there drives it at all.

A distance to real responses that never change is small for whatever leaves the unit alone, so a
network that learned nothing scores well. Both bounds lie far from the shipped classifier
(tests/benchmarks/variation.py): over its training songs the deviation of fc9:0 and fc8:* is more
than half of their size (12 % at least in all layers) and 42 % and more of the layer's median
(17 %); with all weights shuffled, in 16 shuffles, that of fc9:0 is 1.6 % of its size at most.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from ganexplain.files.fields import Fields

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
    def from_json(cls, fields: Fields, name: str) -> Variation | None:
        """Of a field of an object, None without it; errors as `Fields`."""
        if name not in fields:
            return None
        found = fields.child(name)
        return cls(
            excerpts=found.integer("excerpts"),
            mean=found.number("mean"),
            std=found.number("std"),
            layer_std=found.optional(found.number, "layer_std"),
            size=found.number("size"),
        )

    def to_json(self) -> dict[str, float | None]:
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
