"""How the values of features depend on the level of a sound, asked of what computes them.

With an offset before the logarithm features are y = s ln(gain mel + offset) + shift, so that
exp(y / s) is a constant and a term that grows as the power of the level. Of features at two levels
and without sound the scale s is found for which it does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SCALES = np.geomspace(0.02, 50.0, 800)  # that are tried at first
FINER = 60  # between two of them
LARGEST_EXPONENT = 600.0
AUDIBLE = 0.05  # of the range of values by which those that are compared are above silence
STRAIGHT = 3e-3  # deviation of a logarithmic ratio up to which a curve is of this kind
FEWEST = 100  # values that are compared
NOISE = 0.01  # share of the offset below which a level is lost in rounding


@dataclass(frozen=True)
class LevelCurve:
    """y = `scale` ln(mel + `offset`), up to a factor of the mel levels."""

    scale: float
    offset: float

    def log_levels(self, features: np.ndarray) -> np.ndarray:
        """The logarithms of the levels of features; of those lost in rounding the lowest."""
        level = np.exp(features.astype(np.float64) / self.scale) - self.offset
        return np.log(np.maximum(level, NOISE * self.offset))


def level_curve(full: np.ndarray, half: np.ndarray, silence: float) -> LevelCurve | None:
    """The curve of features of a sound, of the same at half its level, and without any.

    None if they have another one, such as a logarithm without an offset.
    """
    full, half = np.ravel(full).astype(np.float64), np.ravel(half).astype(np.float64)
    least = silence + AUDIBLE * (full.max() - silence)
    heard = (full > least) & (half > silence)
    if heard.sum() < FEWEST:
        return None
    full, half = full[heard], half[heard]
    if np.std(full - half) < STRAIGHT * np.mean(full - half):  # a plain logarithm
        return None
    least_scale = max(np.abs(full).max(), abs(silence)) / LARGEST_EXPONENT

    def bend(scale: float) -> tuple[float, float]:
        """Deviation and mean of the logarithmic ratio of levels."""
        if scale < least_scale:
            return math.inf, 0.0
        ground = math.exp(silence / scale)
        ratios = np.log(np.exp(full / scale) - ground) - np.log(np.exp(half / scale) - ground)
        return float(ratios.std()), float(ratios.mean())

    step = SCALES[1] / SCALES[0]
    best = min(SCALES, key=lambda each: bend(each)[0])
    best = min(np.geomspace(best / step, best * step, 2 * FINER), key=lambda each: bend(each)[0])
    deviation, ratio = bend(best)
    powers = [power for power in (1, 2) if abs(ratio / math.log(2) - power) < STRAIGHT * 10]
    if deviation > STRAIGHT or not powers:
        return None
    return LevelCurve(float(best), math.exp(silence / best))
