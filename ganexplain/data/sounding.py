"""When a single source sounds: spans above a level, by short-time energy."""

from __future__ import annotations

import numpy as np

BLOCK_SECONDS = 0.02


def sounding_spans(
    waveform: np.ndarray, sample_rate: int, threshold_db: float, join_gaps: float, shortest: float
) -> list[tuple[float, float]]:
    """Spans (start s, end s) in which a waveform (samples,) sounds, in order, disjoint.

    Blocks of 20 ms whose RMS is above `threshold_db` (dB, negative) relative to the loudest
    block sound. Pauses up to `join_gaps` s are bridged, then spans under `shortest` s dropped.
    """
    block = round(BLOCK_SECONDS * sample_rate)
    count = -(-waveform.size // block)
    padded = np.pad(waveform, (0, count * block - waveform.size)).reshape(count, block)
    level = np.sqrt(np.mean(np.square(padded, dtype=np.float64), axis=1))
    sounding = level > level.max(initial=0.0) * 10 ** (threshold_db / 20)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sounding.astype(np.int8), [0]])))
    spans = (edges.reshape(-1, 2) * block / sample_rate).tolist()
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= join_gaps + 1e-9:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined if end - start >= shortest]
