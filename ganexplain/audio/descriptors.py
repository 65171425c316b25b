"""What a log-mel sounds like in numbers, without a network: its spectrum and its modulation."""

from __future__ import annotations

import numpy as np

PARTS = 3  # mean, deviation and modulation


def descriptors(inputs: np.ndarray) -> np.ndarray:
    """Descriptors (N, 2 F + M) of log-mel (N, F, T), or of pictures as rows of their channels.

    They are the mean and the deviation of each band over time, and the modulation spectrum: the
    mean over the bands of the magnitudes of their M = T // 2 frequencies above zero.
    """
    rows = np.asarray(inputs, dtype=np.float64).reshape(len(inputs), -1, inputs.shape[-1])
    frames = rows.shape[-1]
    mean = rows.mean(axis=2)
    waves = np.abs(np.fft.rfft(rows - mean[..., None], axis=2))[..., 1:] / frames
    return np.concatenate([mean, rows.std(axis=2), waves.mean(axis=1)], axis=1)
