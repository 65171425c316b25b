"""Onsets, notes and the lattice of strides in log-mel, in closed form, and distances of them.

They show what the features of a classifier forgive: smeared onsets, notes that are too short or too
long, and the pattern that transposed convolutions leave.
"""

from __future__ import annotations

import numpy as np

AUDIBLE_NAT = 7.0  # 61 dB below the loudest value of an excerpt; what is softer is cut off
PEAK_FRAMES = 3  # an onset is the strongest within as many frames on either side
NEIGHBOURS = 3  # bands on either side of a partial
STANDS_OUT_NAT = 0.5  # 4.3 dB above the mean of these bands
PERIODS = (2, 4, 8, 16)  # of the lattice: strides of two, up to four times
LEAST_PERIODS = 4  # in an excerpt, so that there are bins beside the line
LINE_SIDE = (2, 3)  # bins beside a line that are compared with it; the window leaks into the first
SMALLEST = 1e-12  # power


def onset_strengths(mel: np.ndarray) -> np.ndarray:
    """The strengths (M,) in nat of all onsets of log-mel excerpts (N, F, T).

    The spectral flux of a frame is the mean over bands of the rise from the frame before. An onset
    is a frame whose flux is the largest within three frames on either side.
    """
    rise = np.diff(_audible(mel), axis=2).clip(min=0).mean(axis=1)
    padded = np.pad(rise, ((0, 0), (PEAK_FRAMES, PEAK_FRAMES)), constant_values=-1.0)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * PEAK_FRAMES + 1, axis=1)
    return np.asarray(rise[(rise > 0) & (rise == around.max(axis=2))])


def note_lengths(mel: np.ndarray) -> np.ndarray:
    """The lengths (M,) in frames of all notes of log-mel excerpts (N, F, T).

    A note is a run of frames in which a band is louder than both bands beside it, and by 0.5 nat
    louder than the mean of three bands on either side.
    """
    level = _audible(mel)
    bands = level.shape[1]
    padded = np.pad(level, ((0, 0), (NEIGHBOURS, NEIGHBOURS), (0, 0)), mode="edge")
    beside = [padded[:, NEIGHBOURS + k : NEIGHBOURS + k + bands] for k in _offsets()]
    higher = (level > beside[NEIGHBOURS - 1]) & (level > beside[NEIGHBOURS])
    stands_out = higher & (level > np.mean(beside, axis=0) + STANDS_OUT_NAT)
    edges = np.diff(np.pad(stands_out, ((0, 0), (0, 0), (1, 1))).astype(np.int8), axis=2)
    starts, ends = (np.nonzero(edges == sign)[2] for sign in (1, -1))
    return np.asarray(ends - starts)


def lattice(mel: np.ndarray) -> tuple[float, float]:
    """Power at the periods 2, 4, 8 and 16 over that beside them, in bands and in frames.

    Of log-mel excerpts (N, F, T), the mean over the periods; near 1 where no period stands out,
    as in recordings. Beside a period are two bins on either side, with their geometric mean.
    """
    return _line_power(mel.swapaxes(1, 2)), _line_power(mel)


def _line_power(signals: np.ndarray) -> float:
    """As `lattice`, along the last axis."""
    periods = [period for period in PERIODS if signals.shape[-1] >= LEAST_PERIODS * period]
    if not periods:
        return 1.0
    length = signals.shape[-1] // periods[-1] * periods[-1]
    centred = signals[..., :length] - signals[..., :length].mean(axis=-1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(centred * np.hanning(length + 1)[:-1], axis=-1)))
    mean = power.reshape(-1, power.shape[-1]).mean(axis=0) + SMALLEST
    shares = []
    for period in periods:
        line = length // period
        sides = [line + sign * k for k in LINE_SIDE for sign in (-1, 1)]
        beside = [mean[side] for side in sides if 0 < side < len(mean)]
        shares.append(mean[line] / np.exp(np.mean(np.log(beside))))
    return float(np.mean(shares))


def _audible(mel: np.ndarray) -> np.ndarray:
    floor = mel.max(axis=(1, 2), keepdims=True) - AUDIBLE_NAT
    return np.maximum(mel, floor).astype(np.float64)


def _offsets() -> list[int]:
    return [k for k in range(-NEIGHBOURS, NEIGHBOURS + 1) if k]
