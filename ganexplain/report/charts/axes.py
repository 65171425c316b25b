"""Axes of plots: positions of values between 0 and 1, and ticks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ganexplain.audio.filterbank import highest_hz, hz_to_front_end_mel
from ganexplain.inputs.log_mel import FrontEnd

CROWDED = 5.0  # times the level of interest up to which an axis is linear, not asinh
HZ_TICKS = (100, 500, 1000, 2000, 4000, 8000, 16000)


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`; with a `knee` it is linear below it and logarithmic above."""

    low: float
    high: float
    knee: float | None = None

    def _transform(self, values: np.ndarray | float) -> np.ndarray:
        linear = np.asarray(values, dtype=np.float64)
        return linear if self.knee is None else np.arcsinh(linear / self.knee)

    def position(self, values: np.ndarray | float) -> np.ndarray:
        """Return positions of values, 0 at `low` and 1 at `high`, clipped to that range."""
        low, high = self._transform(self.low), self._transform(self.high)
        return np.clip((self._transform(values) - low) / (high - low), 0.0, 1.0)

    def ticks(self, gap: float = 0.16) -> list[float]:
        """Return round values that are at least `gap` of the axis apart."""
        if self.knee is None:
            return linear_ticks(self.low, self.high, max(2, int(1 / gap)))
        powers = [10.0**k for k in range(-3, 40)]
        candidates = [0.0]
        for factor in (1, 5, 2):
            for power in powers:
                candidates += [factor * power, -factor * power]
        chosen: list[float] = []
        for value in candidates:
            if not self.low <= value <= self.high or 0 < abs(value) < self.knee / 4:
                continue
            place = float(self.position(value))
            if all(abs(place - float(self.position(other))) >= gap for other in chosen):
                chosen.append(value)
        return sorted(chosen)


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Return at most about `count` round values from `low` to `high`."""
    from matplotlib.ticker import MaxNLocator  # slow to import

    ticks = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [round(float(t), 10) for t in ticks if low - slack <= t <= high + slack]


def fitted_axis(values: Iterable[np.ndarray], level: float) -> Axis:
    """Return an axis for `values`, linear, or asinh beyond `level` if some are much larger."""
    flat = np.concatenate([np.ravel(v) for v in values]).astype(np.float64)
    flat = flat[np.isfinite(flat)]
    low, high = float(min(flat.min(), 0.0)), float(flat.max())
    knee = max(abs(level), 1e-6)
    if max(high, -low) <= CROWDED * knee:
        margin = 0.04 * max(high - low, 1e-6)
        return Axis(low - (margin if low < 0 else 0.0), high + margin)
    return Axis(low * 1.2, high * 1.2, knee)


def hz_ticks(front_end: FrontEnd) -> list[tuple[float, str]]:
    """Return (height, label) of round frequencies, in bands from the lower edge of band 0.

    Band b has its peak at corner b + 1 of the filterbank and is drawn from b to b + 1.
    """
    low, high = (
        hz_to_front_end_mel(hz, front_end) for hz in (front_end.lowest_hz, highest_hz(front_end))
    )
    spacing = (high - low) / (front_end.mel_bands + 1)
    ticks = []
    for hertz in HZ_TICKS:
        height = float((hz_to_front_end_mel(hertz, front_end) - low) / spacing) - 0.5
        if 0 <= height <= front_end.mel_bands - 1:
            label = f"{hertz // 1000}k" if hertz >= 1000 else str(hertz)
            ticks.append((height, label))
    return ticks


def frame_edges(frames: int, front_end: FrontEnd) -> tuple[float, float]:
    """Return the seconds at the left edge of the first frame and the right edge of the last."""
    left = (front_end.frame_length - front_end.hop_length) / 2 / front_end.sample_rate
    return left, left + frames / front_end.frame_rate
