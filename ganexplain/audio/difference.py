"""The change from one log-mel excerpt to another in dB, by frequency range and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganexplain.audio.filterbank import mel_frequencies
from ganexplain.audio.log_mel import frame_times
from ganexplain.inputs.log_mel import FrontEnd

AUDIBLE_DB = 60.0  # lower values are raised to this distance below the maximum of both excerpts
RANGES_HZ = {"low": (0.0, 300.0), "middle": (300.0, 2000.0), "high": (2000.0, np.inf)}
STRIP_BANDS = 8  # a tenth of the bands
STRIP_SECONDS = 0.25


@dataclass(frozen=True)
class LevelChange:
    """Mean change in dB in `RANGES_HZ`, and the strip of bands and the time of the largest change.

    A range without bands is left out.
    `band_hz` are the peaks of the strip's first and last band, `band_db` is its mean change;
    `time_s` are seconds from the start of the excerpt, `time_db` is the mean absolute change then.
    """

    ranges_db: Mapping[str, float]
    band_hz: tuple[float, float]
    band_db: float
    time_s: tuple[float, float]
    time_db: float

    def rounded(self) -> LevelChange:
        """The change as it is reported: in whole Hz, hundredths of dB and seconds."""
        return LevelChange(
            ranges_db={name: round(by, 2) for name, by in self.ranges_db.items()},
            band_hz=(round(self.band_hz[0]), round(self.band_hz[1])),
            band_db=round(self.band_db, 2),
            time_s=(round(self.time_s[0], 2), round(self.time_s[1], 2)),
            time_db=round(self.time_db, 2),
        )


def level_change_db(before: np.ndarray, after: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Audible change (F, T) in dB from one log-mel excerpt (F, T) to another."""
    unit = front_end.decibels_per_unit
    floor = max(float(before.max()), float(after.max())) - AUDIBLE_DB / unit
    changed: np.ndarray = unit * (np.maximum(after, floor) - np.maximum(before, floor))
    return changed


def measure_change(before: np.ndarray, after: np.ndarray, front_end: FrontEnd) -> LevelChange:
    """The change from one log-mel excerpt (F, T) to another."""
    by = level_change_db(before.astype(np.float64), after.astype(np.float64), front_end)
    return _summary(by, np.abs(_strips(by)), front_end)


def measure_edit(by: np.ndarray, front_end: FrontEnd) -> LevelChange:
    """The changes (F, T) in dB of an edit; its strip is where most changes, up or down."""
    by = by.astype(np.float64)
    return _summary(by, _strips(np.abs(by)), front_end)


def _strips(by: np.ndarray) -> np.ndarray:
    """Means over all frames and the bands of each strip."""
    return _running_mean(by.mean(axis=1), min(STRIP_BANDS, len(by)))


def _summary(by: np.ndarray, size: np.ndarray, front_end: FrontEnd) -> LevelChange:
    """The summary of changes (F, T), with the strip of the largest `size`."""
    peaks = mel_frequencies(front_end)[1:-1]
    inside = {name: (peaks >= low) & (peaks < high) for name, (low, high) in RANGES_HZ.items()}
    ranges = {name: float(by[rows].mean()) for name, rows in inside.items() if rows.any()}
    band, width = int(size.argmax()), min(STRIP_BANDS, len(by))
    frames = min(max(1, round(STRIP_SECONDS * front_end.frame_rate)), by.shape[1])
    moments = _running_mean(np.abs(by).mean(axis=0), frames)
    moment = int(moments.argmax())
    times = frame_times(by.shape[1], front_end)
    return LevelChange(
        ranges_db=ranges,
        band_hz=(float(peaks[band]), float(peaks[band + width - 1])),
        band_db=float(_strips(by)[band]),
        time_s=(float(times[moment]), float(times[moment + frames - 1])),
        time_db=float(moments[moment]),
    )


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, width).mean(axis=1)
