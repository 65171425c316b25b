"""A change of log-mel made to a recording itself: a filter that varies in time, phases kept."""

from __future__ import annotations

import numpy as np
import scipy.fft

from ganexplain.audio.log_mel import mel_filterbank, window
from ganexplain.inputs.kinds import FrontEnd


def retouched(sound: np.ndarray, by: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """The waveform (samples,), float32, with its T frames changed by (F, T) dB.

    A spectral bin is raised by the mean of the bands that read it, weighted as they do; one that
    none reads stays. Overlapping frames are joined by least squares (Griffin & Lim 1984), so
    where nothing is to change the waveform stays as it is. The outer frames' change holds beyond
    both ends. Samples behind the last frame are lost.
    """
    hop, length = front_end.hop_length, front_end.frame_length
    held = -(-length // hop)
    filters = mel_filterbank(front_end).astype(np.float64)
    reach = filters.sum(axis=1, keepdims=True)
    gain = np.zeros((length // 2 + 1, by.shape[1]))
    np.divide(filters @ by, reach, out=gain[: len(filters)], where=reach > 0)
    gain = 10 ** (np.pad(gain, ((0, 0), (held, held)), mode="edge").T / 20)
    samples = (by.shape[1] - 1) * hop + length
    padded = np.pad(sound[:samples].astype(np.float64), held * hop)
    shape = window(front_end).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][: len(gain)]
    changed = scipy.fft.irfft(scipy.fft.rfft(frames * shape) * gain, length) * shape
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    for k, frame in enumerate(changed):
        total[k * hop : k * hop + length] += frame
        weight[k * hop : k * hop + length] += shape**2
    inside = slice(held * hop, held * hop + samples)
    return (total[inside] / weight[inside]).astype(np.float32)
