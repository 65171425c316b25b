"""The level of a recording relative to the recordings that a classifier was trained on."""

from __future__ import annotations

import math

import numpy as np

ACTIVE = 40 * math.log(10) / 20  # nat: frames further below the loudest frame are ignored
SHARE = 95  # percentile over frames
USUAL = 1.5  # training deviations by which the loudest band of a song exceeds its training mean
LIMITS = (0.7, 2.4)  # usual range of the same; 139 songs lie between 0.79 and 2.19
DB_PER_NAT = 20 / math.log(10)


def level_against_training(mel: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    """Level in dB of log-mel (T, F) in nat relative to training; 0 within the usual range.

    `mean` and `deviation` (F,) are those of the bands in training, which each checkpoint contains.
    The level is that of the most prominent band, so a single voice or instrument is comparable to
    a mix; frames without sound are ignored.
    """
    loudness = mel.mean(axis=1)
    frames = mel[loudness >= loudness.max() - ACTIVE]
    reached = ((np.percentile(frames, SHARE, axis=0) - mean) / deviation).max()
    if LIMITS[0] <= reached <= LIMITS[1]:
        return 0.0
    return float((reached - USUAL) * np.mean(deviation) * DB_PER_NAT)
