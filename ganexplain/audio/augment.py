"""Augments training excerpts (Schlueter & Grill 2015; method, section 2.2).

Time stretch and pitch shift are one affine map of the linear magnitude spectrogram, sampled
with quadratic splines. Splines are linear in the interpolated values and the map does not mix
the axes, so it is two matrix products: time on the left, and on the right frequency, with its
prefilter, multiplied with the mel filterbank. Before that, another sound may be added to the
samples; after it, an equaliser adds a Gaussian bump and a gain adds a constant in the log-mel
domain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.ndimage import spline_filter1d

from ganexplain.audio.filterbank import mel_filterbank, mel_frequencies, used_bins
from ganexplain.audio.log_mel import log_compress, magnitudes
from ganexplain.inputs.log_mel import FrontEnd

STRETCH = 0.3  # time and frequency scale by 1 - 0.3 .. 1 + 0.3
EQ_HZ = (150.0, 8000.0)
EQ_DB = 10.0
EQ_WIDTH, EQ_WIDTH_RANGE = 5.0, 2.0  # semitones
ADDED_DB = (-15.0, 5.0)  # level of an added sound relative to that of the excerpt
NAT_PER_DB = math.log(10) / 20


@dataclass(frozen=True)
class Alteration:
    """One random alteration: factors of duration and pitch, one equaliser bump, and gains."""

    time_scale: float
    pitch_scale: float
    eq_hz: float
    eq_semitones: float
    eq_db: float
    level_db: float = 0.0
    added_db: float = 0.0


def draw_alteration(
    stream: np.random.Generator, share: float = 1.0, level: float = 0.0
) -> Alteration:
    """Draw an alteration as in the paper, and a gain of up to `level` dB.

    Only a `share` (0..1) of the alterations change time, pitch and spectrum: resampled excerpts
    are a little smoother than those of later inputs, so the network should be trained on both. The
    width of the bump is uniform, as described in the paper; the authors' code draws it from a
    normal distribution.
    """
    low, high = np.log(EQ_HZ)
    alteration = Alteration(
        time_scale=1 + stream.uniform(-STRETCH, STRETCH),
        pitch_scale=1 + stream.uniform(-STRETCH, STRETCH),
        eq_hz=float(np.exp(stream.uniform(low, high))),
        eq_semitones=EQ_WIDTH + EQ_WIDTH_RANGE * stream.uniform(-1, 1),
        eq_db=stream.uniform(-EQ_DB, EQ_DB),
        level_db=stream.uniform(-level, level),
        added_db=stream.uniform(*ADDED_DB),
    )
    if stream.random() < share:
        return alteration
    return replace(alteration, time_scale=1.0, pitch_scale=1.0, eq_db=0.0)


def frames_needed(front_end: FrontEnd) -> int:
    """Frames of sound needed for the strongest stretch, an odd number (165 for the defaults)."""
    half = front_end.excerpt_frames // 2
    return 2 * math.ceil(half / (1 - STRETCH)) + 1


def spline_matrix(positions: np.ndarray, size: int) -> np.ndarray:
    """Weights (P, size), float32, from quadratic spline coefficients to values at `positions` (P,).

    Positions are in samples; outside of 0 .. size - 1 the weights are zero.
    """
    weights = np.zeros((len(positions), size), dtype=np.float32)
    nearest = np.rint(positions).astype(int)
    offset = positions - nearest
    shares = (0.5 * (0.5 - offset) ** 2, 0.75 - offset**2, 0.5 * (0.5 + offset) ** 2)
    inside = (positions >= 0) & (positions <= size - 1)
    rows = np.arange(len(positions))
    for shift, share in zip((-1, 0, 1), shares, strict=True):
        column = np.abs(nearest + shift)  # mirrored at the ends, as the prefilter assumes
        column = np.where(column > size - 1, 2 * (size - 1) - column, column)
        np.add.at(weights, (rows[inside], column[inside]), share[inside])
    return weights


@lru_cache(maxsize=4)
def spline_prefilter(size: int) -> np.ndarray:
    """The matrix (size, size), float32, from values to their quadratic spline coefficients."""
    return spline_filter1d(np.eye(size), order=2, axis=0, output=np.float32, mode="mirror")


def equaliser(alteration: Alteration, front_end: FrontEnd) -> np.ndarray:
    """Gain of the bump at each band's centre (F,), in nat."""
    centres = mel_frequencies(front_end)[1:-1]
    semitones = 12 * np.log2(centres / alteration.eq_hz)
    bump = np.exp(-0.5 * (semitones / alteration.eq_semitones) ** 2)
    return (alteration.eq_db * NAT_PER_DB * bump).astype(np.float32)


def alter_excerpt(
    waveform: np.ndarray,
    centre: int,
    alteration: Alteration,
    front_end: FrontEnd,
    added: np.ndarray | None = None,
) -> np.ndarray:
    """Log-mel (F, T) in nat of the altered sound around frame `centre` of a waveform (samples,).

    There is digital silence beyond the ends of the waveform. Bins from above half the sample rate
    are zero. `added` are samples of another sound, as from `samples_around`, which is mixed in.
    """
    source = frames_needed(front_end)
    samples = samples_around(waveform, centre, front_end)
    if added is not None:
        samples = mix_at_level(samples, added, alteration.added_db)
    spectrum = magnitudes(samples, front_end)
    length, bins = front_end.excerpt_frames, spectrum.shape[1]
    frames = (np.arange(length) - length // 2) / alteration.time_scale + source // 2
    in_time = spline_matrix(frames, source)
    in_pitch = spline_matrix(np.arange(used_bins(front_end)) / alteration.pitch_scale, bins)
    in_bands = spline_prefilter(bins).T @ (in_pitch.T @ mel_filterbank(front_end))
    mel = in_time @ spline_filter1d(
        spectrum @ in_bands, order=2, axis=0, output=np.float32, mode="mirror"
    )
    gain = equaliser(alteration, front_end) + np.float32(alteration.level_db * NAT_PER_DB)
    return log_compress(mel, front_end).T + gain[:, None]


def samples_around(waveform: np.ndarray, centre: int, front_end: FrontEnd) -> np.ndarray:
    """The samples (S,) needed to alter an excerpt around a frame, with silence beyond the ends."""
    frames = frames_needed(front_end)
    start = (centre - frames // 2) * front_end.hop_length
    stop = start + (frames - 1) * front_end.hop_length + front_end.frame_length
    piece = waveform[max(start, 0) : max(stop, 0)]
    return np.pad(piece, (max(-start, 0), max(stop - max(start, 0) - piece.size, 0)))


def mix_at_level(samples: np.ndarray, added: np.ndarray, level_db: float) -> np.ndarray:
    """Samples (S,) mixed with others (S,) at `level_db` relative to them; silence adds nothing."""
    own, other = (float(np.sqrt(np.mean(np.square(s)))) for s in (samples, added))
    if not own or not other:
        return samples
    return samples + np.float32(own / other * 10 ** (level_db / 20)) * added


def alter_excerpts(
    waveforms: Sequence[np.ndarray],
    centres: np.ndarray,
    alterations: Sequence[Alteration],
    added: np.ndarray,
    front_end: FrontEnd,
) -> np.ndarray:
    """Log-mel (N, F, T) around `centres` (N, 2+) of recording and frame, with N alterations.

    `added` (N, 2) has the recording and frame of the sound to add, -1 for none.
    """
    excerpts = []
    for (i, frame), alteration, (j, other) in zip(centres[:, :2], alterations, added, strict=True):
        sound = samples_around(waveforms[j], int(other), front_end) if j >= 0 else None
        excerpts.append(alter_excerpt(waveforms[i], int(frame), alteration, front_end, sound))
    return np.stack(excerpts)
