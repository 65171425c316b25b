"""The variation of a unit's response over real excerpts: whether they drive the unit at all.

If real responses do not vary, any input that does not drive the unit has a small distance to
them, so a network that learned nothing has good scores. Both bounds are far from the shipped
classifier (tests/benchmarks/variation.py): over its training songs the deviation of fc9:0 and
fc8:* is more than half of their size (at least 12 % in all layers) and at least 42 % of the
layer's median (17 %); with all weights shuffled, in 16 shuffles, that of fc9:0 is at most 1.6 % of
its size.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from ganexplain.files.fields import Fields

LEAST_OF_SIZE = 0.05  # standard deviation over root mean square
LEAST_OF_LAYER = 0.02  # standard deviation over the median of the layer's other units
HARDLY = "hardly responds to them, so a good score says little"
ROUNDING = 16 * float(np.finfo(np.float32).eps)  # relative to the values that are read


@dataclass(frozen=True)
class Variation:
    """Mean and standard deviation of a unit's responses to a number of real `excerpts`.

    `layer_std` is the median standard deviation of the other units of its layer, None without
    others; `size` is the mean size of the values from which the response is read.
    """

    excerpts: int
    mean: float
    std: float
    layer_std: float | None
    size: float

    @classmethod
    def from_json(cls, fields: Fields, name: str) -> Variation | None:
        """The variation in a field of an object, None without it; errors as `Fields`."""
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
        """A warning about a unit that hardly responds, or an empty string."""
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
