"""How far two arrays of the same features are apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ganexplain.files.atomic import JsonObject


@dataclass(frozen=True)
class Agreement:
    """The largest and the RMS difference, the correlation, and the deviation of the features."""

    largest: float
    rms: float
    correlation: float
    deviation: float

    @property
    def share(self) -> float:
        """The RMS difference as a share of the deviation."""
        return self.rms / self.deviation if self.deviation else float(self.rms > 0)

    def to_json(self) -> JsonObject:
        """Its numbers by name."""
        return asdict(self)


def agreement(ours: np.ndarray, theirs: np.ndarray) -> Agreement:
    """How far ours are from theirs, arrays of one shape."""
    first, second = np.ravel(ours).astype(np.float64), np.ravel(theirs).astype(np.float64)
    difference = first - second
    deviations = first.std() * second.std()
    product = float(((first - first.mean()) * (second - second.mean())).mean())
    return Agreement(
        largest=float(np.abs(difference).max()),
        rms=float(np.sqrt(np.square(difference).mean())),
        correlation=float(product / deviations) if deviations else float(not difference.any()),
        deviation=float(second.std()),
    )
