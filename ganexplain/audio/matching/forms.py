"""What features are an affine function of: log levels, their cosine transform, or PCEN."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import scipy.fft

from ganexplain.inputs.excerpt_steps import ExcerptSteps
from ganexplain.inputs.log_mel import QUIETEST, FrontEnd


def levels_alone(front_end: FrontEnd) -> FrontEnd:
    """The front end with the same mel levels, and nothing behind them."""
    return replace(
        front_end, gain=1.0, offset=0.0, floor=1e-10, logarithm="ln", scale=1.0, shift=0.0,
        **vars(ExcerptSteps()),
    )  # fmt: skip


def form(levels: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Values (T, rows) of levels (T, F), of which features are an affine function, row by row.

    The floor counts for cepstra alone: elsewhere values at a floor are left out.
    """
    if front_end.logarithm == "pcen":
        return pcen(levels * front_end.gain, front_end)
    floor = front_end.floor if front_end.cepstra else QUIETEST
    values = np.log(np.maximum(levels.astype(np.float64) + front_end.offset, floor))
    if not front_end.cepstra:
        return values
    cosines = scipy.fft.dct(values, type=2, norm="ortho", axis=1)
    return np.asarray(cosines[:, : front_end.cepstra])


def pcen(levels: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Levels (T, F) after per-channel energy normalisation (Wang et al. 2017)."""
    time = front_end.pcen_seconds * front_end.frame_rate
    weight = (math.sqrt(1 + 4 * time**2) - 1) / (2 * time**2)
    smooth = np.empty_like(levels, dtype=np.float64)
    last = np.full(levels.shape[1], front_end.pcen_start) if front_end.pcen_start else levels[0]
    for frame, level in enumerate(levels):
        last = smooth[frame] = (1 - weight) * last + weight * level
    gained = levels * (smooth + front_end.pcen_eps) ** -front_end.pcen_gain
    bias, power = front_end.pcen_bias, front_end.pcen_power
    return np.asarray((gained + bias) ** power - bias**power)
