"""Converts waveforms to log-mel, by default exactly as Schlueter & Grill 2015 (section 1).

Magnitudes of uncentred frames under a symmetric Hann window, triangles of unit sum on the mel
scale 1127 ln(1 + f/700), natural logarithm above a floor: 1 nat of magnitude is 8.69 dB. Other
conventions (librosa's, torchaudio's) are settings of the front end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.fft
from scipy.sparse import csr_array, eye_array

from ganexplain.audio.filterbank import check_filters, mel_filterbank
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import front_end_from_dict

BLOCK_FRAMES = 512  # frames transformed at once: 512 x 1024 float32 stay in the cache


@lru_cache(maxsize=8)
def _sparse_filterbank(front_end: FrontEnd) -> csr_array:
    """The filters (F, bins) as a sparse matrix.

    A sparse product sums in one order, for any block length and number of threads; a dense one
    differs in the last bits, and training amplifies such differences.
    """
    if front_end.filters == "none":
        bins = front_end.bins
        count = front_end.transform_length // 2 + 1
        return csr_array(eye_array(len(bins), count, k=bins.start, dtype=np.float32))
    return csr_array(mel_filterbank(front_end).T)


def window(front_end: FrontEnd) -> np.ndarray:
    """The window (frame_length,), float32; a shorter one is centred."""
    length = front_end.window_length or front_end.frame_length
    periodic = front_end.window == "periodic"
    shape = _WINDOWS[front_end.window_shape](length + periodic)[:length]
    before = (front_end.frame_length - length) // 2
    after = front_end.frame_length - length - before
    return np.pad(shape, (before, after)).astype(np.float32)


_WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "hann": np.hanning,
    "hamming": np.hamming,
    "povey": lambda length: np.hanning(length) ** 0.85,
    "blackman": np.blackman,
    "rectangular": np.ones,
}


def frame_count(samples: int, front_end: FrontEnd) -> int:
    """Whole frames in a signal with what is padded at its ends."""
    samples += sum(front_end.padding)
    return max(0, (samples - front_end.frame_length) // front_end.hop_length + 1)


def magnitudes(waveform: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Magnitude spectrum (T, transform_length // 2 + 1) of a waveform (samples,), float32."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, front_end.frame_length)
    frames = frames[:: front_end.hop_length]
    if front_end.remove_mean:
        frames = frames - frames.mean(axis=1, keepdims=True)
    if front_end.preemphasis and front_end.preemphasis_of == "frame":
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        frames = frames - np.float32(front_end.preemphasis) * before
    frames = frames * window(front_end)
    return np.abs(scipy.fft.rfft(frames, n=front_end.transform_length, axis=1))


def log_compress(mel: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """ln(max(mel, floor)) in float32, or the logarithm of the front end."""
    level = mel if is_plain(front_end) else mel * front_end.gain + front_end.offset
    level = np.maximum(level, np.float32(front_end.floor))
    if front_end.logarithm == "ln":
        level = np.log(level)
    elif front_end.logarithm != "none":
        level = np.log10(level) * (10 if front_end.logarithm == "db" else 1)
    if is_plain(front_end):
        return level
    return np.asarray(level * front_end.scale + front_end.shift, dtype=np.float32)


def log_expand(values: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """The inverse of `log_compress` for values above the floor, float64."""
    level = (np.asarray(values, dtype=np.float64) - front_end.shift) / front_end.scale
    if front_end.logarithm == "ln":
        level = np.exp(level)
    elif front_end.logarithm != "none":
        level = 10 ** (level / (10 if front_end.logarithm == "db" else 1))
    return np.maximum(level - front_end.offset, 0) / front_end.gain


def is_plain(front_end: FrontEnd) -> bool:
    """Whether a front end applies only the logarithm to a level, without scale or offset."""
    affine = front_end.gain, front_end.offset, front_end.scale, front_end.shift
    return affine == (1.0, 0.0, 1.0, 0.0)


def read_front_end(path: Path, values: object) -> Input:
    """The input in a checkpoint's `values`; GanexplainError if a mel filter would be empty."""
    found = front_end_from_dict(path, values)
    try:
        check_filters(found, "front_end")
    except UsageError as error:
        raise GanexplainError(f"{path}: {error}") from error
    return found


def check_audible(input_spec: Input) -> None:
    """UsageError that names the keys with which an input cannot be turned into sound."""
    if keys := input_spec.unheard:
        raise UsageError(
            f"--input: {' and '.join(keys)}: no sound can be made of such features; "
            "leave this out here, and give it with --input when explaining"
        )


def check_frame_by_frame(front_end: Input) -> None:
    """UsageError that names the keys with which values depend on the whole excerpt."""
    if keys := front_end.excerpt_keys:
        raise UsageError(
            f"--input: {', '.join(keys)}: values depend on the whole excerpt, not on one frame; "
            "leave this out here, and give it with --input when explaining"
        )


def log_mel(waveform: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Log-mel spectrogram (T, F) in nat, float32, of a mono waveform (samples,) in [-1, 1].

    A signal shorter than one frame has no frames.
    """
    return np.concatenate(
        [np.empty((0, front_end.mel_bands), np.float32), *log_mel_blocks([waveform], front_end)]
    )


def log_mel_blocks(blocks: Iterable[np.ndarray], front_end: FrontEnd) -> Iterator[np.ndarray]:
    """Yield log-mel blocks (t, F) of a signal in blocks; together they equal that of the whole."""
    check_frame_by_frame(front_end)
    filters = _sparse_filterbank(front_end)
    hop = front_end.hop_length
    rest = np.empty(0, dtype=np.float32)
    if front_end.preemphasis and front_end.preemphasis_of == "signal":
        blocks = _preemphasised(blocks, front_end.preemphasis)
    if any(front_end.padding):
        blocks = _padded(blocks, front_end.padding, front_end.pad_mode)
    start = 0
    for block in blocks:
        rest = np.concatenate([rest, np.asarray(block, dtype=np.float32)])
        frames = max(0, (rest.size - start - front_end.frame_length) // hop + 1)
        while frames:
            count = min(frames, BLOCK_FRAMES)
            stop = start + (count - 1) * hop + front_end.frame_length
            spectrum = magnitudes(rest[start:stop], front_end)[:, : filters.shape[1]]
            spectrum = spectrum if front_end.power == 1 else spectrum**front_end.power
            mel = (filters @ np.ascontiguousarray(spectrum.T)).T
            yield log_compress(np.ascontiguousarray(mel), front_end)
            start += count * hop
            frames -= count
        passed = min(start, rest.size)  # less than `start` where the next frame begins later
        rest, start = rest[passed:], start - passed


def _preemphasised(blocks: Iterable[np.ndarray], share: float) -> Iterator[np.ndarray]:
    """The blocks of a signal less that share of the sample before; the first one is kept."""
    last = np.zeros(1, dtype=np.float32)
    for block in blocks:
        samples = np.concatenate([last, np.asarray(block, dtype=np.float32)])
        yield samples[1:] - np.float32(share) * samples[:-1]
        last = samples[-1:]


def _padded(
    blocks: Iterable[np.ndarray], padding: tuple[int, int], mode: str
) -> Iterator[np.ndarray]:
    """The blocks of a signal with samples added before and behind it as by `numpy.pad`.

    A signal that is not longer than what is added is mirrored several times.
    """
    blocks = iter(blocks)
    before, after = padding
    most = max(padding)
    start = np.empty(0, dtype=np.float32)
    for block in blocks:  # mirroring an end needs as many samples beside its outermost one
        start = np.concatenate([start, block])
        if start.size > most:
            break
    else:
        mode = mode if start.size else "constant"
        yield np.pad(start, padding, mode=mode)  # type: ignore[call-overload]
        return
    yield np.pad(start, (before, 0), mode=mode)  # type: ignore[call-overload]
    end = start[-most - 1 :]
    for block in blocks:
        yield block
        end = np.concatenate([end, block])[-most - 1 :]
    yield np.pad(end, (0, after), mode=mode)[end.size :]  # type: ignore[call-overload]


def frame_times(frames: int, front_end: FrontEnd) -> np.ndarray:
    """Centre of each frame (T,) in seconds from the start of the signal."""
    centre = 0 if front_end.centred else front_end.frame_length / 2
    centre -= front_end.pad_start
    return (np.arange(frames) * front_end.hop_length + centre) / front_end.sample_rate
