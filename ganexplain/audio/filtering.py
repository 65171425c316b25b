"""Filters defined on the cells of a log-mel excerpt: shares to keep, or changes of level."""

from __future__ import annotations

import numpy as np

from ganexplain.audio.filterbank import mel_filterbank
from ganexplain.audio.log_mel import window
from ganexplain.audio.short_time import ShortTime
from ganexplain.inputs.log_mel import FrontEnd


def filter_by_share(waveform: np.ndarray, share: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """The waveform (samples,) with each cell of its log-mel (F, T) scaled by a share in 0..1.

    `waveform` spans the T frames. Its short-time Fourier transform, with the front end's window
    and hop, is multiplied by the shares: in each bin by the mean of the bands that contain it,
    weighted by their filters, and below and above all bands by the nearest. The result is linear
    in `share`, so the sounds of `share` and `1 - share` add up to the waveform.
    """
    hop, length = front_end.hop_length, front_end.transform_length
    margin = -(-length // hop)  # frames added at both ends, so that windows cover each sample
    added = length - front_end.frame_length  # by a transform that is longer than the frames
    around = (added // 2, added - added // 2)
    shape = np.pad(window(front_end), around)
    first = margin * hop + around[0]
    padded = np.pad(waveform.astype(np.float64), (first, margin * hop + around[1]))
    frames = ShortTime(shape, hop, (padded.size - length) // hop + 1)
    gain = bin_shares(front_end) @ np.asarray(share, dtype=np.float64)
    after = frames.count - margin - gain.shape[1]
    gain = np.pad(gain, ((0, 0), (margin, after)), mode="edge")
    sound = frames.waveform(frames.spectrum(padded) * gain.T)
    return sound[first : first + waveform.size].astype(np.float32)


def bin_shares(front_end: FrontEnd) -> np.ndarray:
    """Weights (bins, F) of the bands in each spectral bin; each row has unit sum."""
    filters = mel_filterbank(front_end).astype(np.float64)
    bins = front_end.transform_length // 2 + 1
    shares = np.zeros((bins, front_end.mel_bands))
    shares[: len(filters)] = filters
    covered = np.flatnonzero(shares.sum(axis=1) > 0)
    shares[: covered[0], 0] = 1.0
    shares[covered[-1] + 1 :, -1] = 1.0
    for bin_ in np.flatnonzero(shares.sum(axis=1) == 0):
        shares[bin_] = shares[covered[np.argmin(np.abs(covered - bin_))]]
    return shares / shares.sum(axis=1, keepdims=True)


def filter_by_change(sound: np.ndarray, by: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """The waveform (samples,), float32, with its T frames changed by `by` (F, T) dB.

    Each spectral bin changes by the mean of the bands that contain it, weighted by their filters;
    a bin in no band does not change. Overlapping frames are joined by least squares (Griffin & Lim
    1984), so the waveform is unchanged where `by` is zero. The change of the first and last frame
    extends beyond the ends. Samples behind the last frame are removed.
    """
    hop, length = front_end.hop_length, front_end.frame_length
    margin = -(-length // hop)
    filters = mel_filterbank(front_end).astype(np.float64)
    reach = filters.sum(axis=1, keepdims=True)
    gain = np.zeros((length // 2 + 1, by.shape[1]))
    np.divide(filters @ by, reach, out=gain[: len(filters)], where=reach > 0)
    gain = 10 ** (np.pad(gain, ((0, 0), (margin, margin)), mode="edge").T / 20)
    samples = (by.shape[1] - 1) * hop + length
    padded = np.pad(sound[:samples].astype(np.float64), margin * hop)
    frames = ShortTime(window(front_end).astype(np.float64), hop, len(gain))
    changed = frames.waveform(frames.spectrum(padded) * gain)
    return changed[margin * hop : margin * hop + samples].astype(np.float32)
