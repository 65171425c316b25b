"""Vocal labels: from a dry stem to `start end sing|nosing` lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d

HOP = 0.005  # seconds between decisions
WINDOW = 0.02  # seconds over which the level is measured
THRESHOLD = -38.0  # dB relative to the 95th percentile of the sounding stem's level
JOIN = 0.2  # gaps up to this many seconds are closed
DROP = 0.1  # shorter sung pieces are dropped

Segments = list[tuple[float, float]]


def sung_segments(stem: np.ndarray, rate: int) -> Segments:
    """Seconds where the short-time level of a dry stem is above the threshold."""
    power = uniform_filter1d(stem**2, int(WINDOW * rate))
    level = np.sqrt(np.maximum(power, 0))[:: int(HOP * rate)]
    sounding = level[level > level.max() * 0.01]
    if len(sounding) == 0:
        return []
    active = level > np.percentile(sounding, 95) * 10 ** (THRESHOLD / 20)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(int), [0]])))
    joined: Segments = []
    for begin, end in edges.reshape(-1, 2) * HOP:
        if joined and begin - joined[-1][1] <= JOIN:
            joined[-1] = (joined[-1][0], float(end))
        else:
            joined.append((float(begin), float(end)))
    return [(a, b) for a, b in joined if b - a >= DROP]


def sung_mask(segments: Segments, size: int, rate: int) -> np.ndarray:
    """True for the samples inside the segments."""
    mask = np.zeros(size, bool)
    for begin, end in segments:
        mask[int(begin * rate) : int(end * rate)] = True
    return mask


def label_lines(segments: Segments, seconds: float) -> list[tuple[float, float, str]]:
    """Contiguous labels from 0 to the end of the file, rounded to milliseconds."""
    marks: list[tuple[float, float, str]] = []
    now, finish = 0.0, round(seconds, 3)
    for begin, end in segments:
        begin, end = round(max(begin, 0.0), 3), round(min(end, seconds), 3)
        if begin > now:
            marks.append((now, begin, "nosing"))
        marks.append((begin, end, "sing"))
        now = end
    if finish > now:
        marks.append((now, finish, "nosing"))
    return marks


def write_labels(path: Path, segments: Segments, seconds: float) -> None:
    """Write a label file."""
    path.write_text(
        "".join(f"{a:.3f} {b:.3f} {label}\n" for a, b, label in label_lines(segments, seconds))
    )
