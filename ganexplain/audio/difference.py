"""What changed from one log-mel excerpt to another: in which range, when, and by how many dB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganexplain.audio.log_mel import frame_times, mel_frequencies
from ganexplain.inputs.log_mel import FrontEnd

HEARD_DB = 60.0  # what is further below the loudest of both excerpts counts as that far below
RANGES_HZ = {"low": (0.0, 300.0), "middle": (300.0, 2000.0), "high": (2000.0, np.inf)}
STRIP_BANDS = 8  # a tenth of the bands
STRIP_SECONDS = 0.25


@dataclass(frozen=True)
class Change:
    """Mean change in dB of the `RANGES_HZ`, and the strip of bands and the time it is largest in.

    `band_hz` from the peak of its first band to that of its last, with the mean change `band_db`;
    `time_s` from the start of the excerpt, with the mean absolute change `time_db`.
    """

    ranges_db: Mapping[str, float]
    band_hz: tuple[float, float]
    band_db: float
    time_s: tuple[float, float]
    time_db: float

    def rounded(self) -> Change:
        """As it is reported: whole Hz, hundredths of dB and seconds."""
        return Change(
            ranges_db={name: round(by, 2) for name, by in self.ranges_db.items()},
            band_hz=(round(self.band_hz[0]), round(self.band_hz[1])),
            band_db=round(self.band_db, 2),
            time_s=(round(self.time_s[0], 2), round(self.time_s[1], 2)),
            time_db=round(self.time_db, 2),
        )


def decibels(before: np.ndarray, after: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Change (F, T) in dB of what can be heard, from one log-mel excerpt (F, T) to another."""
    unit = front_end.decibels_per_unit
    floor = max(float(before.max()), float(after.max())) - HEARD_DB / unit
    changed: np.ndarray = unit * (np.maximum(after, floor) - np.maximum(before, floor))
    return changed


def change(before: np.ndarray, after: np.ndarray, front_end: FrontEnd) -> Change:
    """The change from one log-mel excerpt (F, T) to another."""
    by = decibels(before.astype(np.float64), after.astype(np.float64), front_end)
    peaks = mel_frequencies(front_end)[1:-1]
    ranges = {
        name: float(by[(peaks >= low) & (peaks < high)].mean())
        for name, (low, high) in RANGES_HZ.items()
    }
    strips = _running_mean(by.mean(axis=1), STRIP_BANDS)
    band = int(np.abs(strips).argmax())
    frames = max(1, round(STRIP_SECONDS * front_end.frame_rate))
    moments = _running_mean(np.abs(by).mean(axis=0), frames)
    moment = int(moments.argmax())
    times = frame_times(by.shape[1], front_end)
    return Change(
        ranges_db=ranges,
        band_hz=(float(peaks[band]), float(peaks[band + STRIP_BANDS - 1])),
        band_db=float(strips[band]),
        time_s=(float(times[moment]), float(times[moment + frames - 1])),
        time_db=float(moments[moment]),
    )


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, width).mean(axis=1)
