"""Filterbanks: the triangles that sum spectral bins to mel bands, on the scale of a front end."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np

from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd


def hz_to_mel(hz: np.ndarray | float) -> np.ndarray:
    """Mel value of a frequency in Hz, 1127 ln(1 + f/700)."""
    return 1127.0 * np.log1p(np.asarray(hz, dtype=np.float64) / 700.0)


def hz_to_front_end_mel(hz: float, front_end: FrontEnd) -> float:
    """Mel value of a frequency in Hz on the scale of a front end."""
    return float(_on_scale(hz, front_end))


def _on_scale(hz: np.ndarray | float, front_end: FrontEnd) -> np.ndarray:
    if front_end.mel_scale == "linear":
        return np.asarray(hz, dtype=np.float64)
    if front_end.mel_scale == "slaney":
        import librosa

        return np.asarray(librosa.hz_to_mel(hz))
    return hz_to_mel(hz)


def mel_to_hz(mel: np.ndarray | float) -> np.ndarray:
    """Frequency in Hz of a mel value, inverse of `hz_to_mel`."""
    return 700.0 * np.expm1(np.asarray(mel, dtype=np.float64) / 1127.0)


def mel_frequencies(front_end: FrontEnd) -> np.ndarray:
    """Frequencies (F + 2,) in Hz, equally spaced in mel; band b has its peak at index b + 1.

    Bands that are spectral bins are one bin apart.
    """
    bands, low, high = front_end.mel_bands, front_end.lowest_hz, highest_hz(front_end)
    if front_end.filters == "none":
        width = front_end.sample_rate / front_end.transform_length
        return width * np.arange(front_end.bins.start - 1, front_end.bins.stop + 1)
    if front_end.mel_scale == "linear":
        return np.linspace(low, high, bands + 2)
    if front_end.mel_scale == "slaney":
        import librosa

        return np.asarray(librosa.mel_frequencies(bands + 2, fmin=low, fmax=high))
    return mel_to_hz(np.linspace(hz_to_mel(low), hz_to_mel(high), bands + 2))


def highest_hz(front_end: FrontEnd) -> float:
    """The upper corner of the highest band in Hz."""
    return front_end.highest_hz or front_end.sample_rate / 2


def used_bins(front_end: FrontEnd) -> int:
    """Number of the lowest spectral bins that the filterbank uses (372 for the defaults)."""
    all_bins = front_end.transform_length // 2 + 1
    if front_end.filters != "yaafe":
        return all_bins
    return min(all_bins, int(all_bins * 2 * front_end.highest_hz) // front_end.sample_rate)


@lru_cache(maxsize=8)
def mel_filterbank(front_end: FrontEnd) -> np.ndarray:
    """Triangular filters (bins, F), float32, each column of unit sum; bins = `used_bins`.

    Filters of other conventions are librosa's. A slope covers the bins between two corners (each
    is the first bin at or above its frequency) and is measured in Hz per bin, as in yaafe and the
    paper. Raises ValueError if a filter is empty (too many bands for the frame length).
    """
    if front_end.filters == "none":
        return _bins_alone(front_end)
    if front_end.triangles == "mel" or front_end.mel_scale == "linear":
        return _triangles(front_end)
    if front_end.filters != "yaafe":
        return _librosa_filterbank(front_end)
    grid = np.linspace(0.0, front_end.sample_rate / 2, front_end.transform_length // 2 + 1)[:, None]
    corners_hz = mel_frequencies(front_end)
    corners = np.searchsorted(grid[:, 0], corners_hz)
    position = np.arange(len(grid))[:, None]
    left, top, right = corners[:-2], corners[1:-1], corners[2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = (grid - corners_hz[:-2]) / (top - left)
        falling = (corners_hz[2:] - grid) / (right - top)
    filters = np.where(position < top, rising, falling)
    filters[(position < left) | (position >= right) | ~np.isfinite(filters)] = 0.0
    sums = filters.sum(axis=0)
    if not (sums > 0).all():
        raise ValueError(
            f"mel band {int(np.argmin(sums))} is empty; give fewer bands or longer frames"
        )
    return np.ascontiguousarray((filters / sums)[: used_bins(front_end)], dtype=np.float32)


def _bins_alone(front_end: FrontEnd) -> np.ndarray:
    return np.eye(front_end.transform_length // 2 + 1, dtype=np.float32)[:, front_end.bins]


def _triangles(front_end: FrontEnd) -> np.ndarray:
    """Triangles between corners that are equally spaced on the scale, straight over it or over Hz.

    Over mel as in HTK, kaldi (which leaves out the bin at half the rate, where they are 0) and
    TensorFlow.
    """
    bins = np.linspace(0.0, front_end.sample_rate / 2, front_end.transform_length // 2 + 1)
    hertz = mel_frequencies(front_end)
    corners = hertz
    if front_end.triangles == "mel":
        bins, corners = _on_scale(bins, front_end), _on_scale(hertz, front_end)
    left, top, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins[:, None] - left) / (top - left), (right - bins[:, None]) / (right - top)
    filters = np.maximum(np.minimum(rising, falling), 0.0)
    if front_end.filters == "slaney":
        filters *= 2.0 / (hertz[2:] - hertz[:-2])
    return np.ascontiguousarray(filters, dtype=np.float32)


def _librosa_filterbank(front_end: FrontEnd) -> np.ndarray:
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about empty filters, which librosa allows
        filters = librosa.filters.mel(
            sr=front_end.sample_rate,
            n_fft=front_end.transform_length,
            n_mels=front_end.mel_bands,
            fmin=front_end.lowest_hz,
            fmax=highest_hz(front_end),
            htk=front_end.mel_scale == "htk",
            norm="slaney" if front_end.filters == "slaney" else None,
        )
    return np.ascontiguousarray(filters.T, dtype=np.float32)


def check_filters(front_end: Input, where: str = "--input") -> None:
    """Raise UsageError, which begins with `where`, for a front end with an empty filter."""
    if not isinstance(front_end, FrontEnd):  # other inputs have no filters
        return
    try:
        filters = mel_filterbank(front_end)
        if not filters.any():
            raise ValueError("all mel bands are empty; give a wider range or longer frames")
    except ValueError as error:
        low, high = front_end.lowest_hz, highest_hz(front_end)
        raise UsageError(
            f"{where}: mel_bands = {front_end.mel_bands} from lowest_hz = {low:g} to highest_hz = "
            f"{high:g}: {error}"
        ) from error
