"""When a single source sounds: spans above a level, by short-time energy."""

from __future__ import annotations

import numpy as np

BLOCK_SECONDS = 0.02


def block_levels(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """RMS of each 20 ms of a sound (samples,) or (samples, channels), over all channels.

    Of the channels, not of their mean, in which they may cancel.
    """
    block = round(BLOCK_SECONDS * sample_rate)
    count = -(-len(sound) // block)
    outside = [(0, count * block - len(sound)), *[(0, 0)] * (sound.ndim - 1)]
    blocks = np.pad(sound, outside).reshape(count, -1)
    return np.sqrt(np.mean(np.square(blocks, dtype=np.float64), axis=1))


def sounding_spans(
    sound: np.ndarray,
    sample_rate: int,
    threshold_db: float,
    join_gaps: float,
    shortest: float,
    least: float = 0.0,
) -> list[tuple[float, float]]:
    """Spans (start s, end s) in which a sound (samples,) or (samples, channels) sounds, in order.

    Blocks of 20 ms sound whose RMS is above `least`, and above `threshold_db` (dB, negative)
    relative to the loudest block. Pauses up to `join_gaps` s are bridged, then spans under
    `shortest` s dropped.
    """
    block = round(BLOCK_SECONDS * sample_rate)
    level = block_levels(sound, sample_rate)
    sounding = level > max(level.max(initial=0.0) * 10 ** (threshold_db / 20), least)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], sounding.astype(np.int8), [0]])))
    spans = (edges.reshape(-1, 2) * block / sample_rate).tolist()
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= join_gaps + 1e-9:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined if end - start >= shortest]
