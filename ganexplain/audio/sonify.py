"""Converts log-mel to sound (method, section 6), with the window and framing of the front end.

exp -> non-negative magnitudes behind the filterbank -> fast Griffin-Lim from random phase.

Level: log-mel contains the absolute level, which is kept; only a waveform above `PEAK` is scaled
down to it.

Range: no waveform in [-1, 1] has a magnitude above the sum of its window, and the filters have
unit sum, so `highest_level` bounds all real log-mel (6.2 nat for the defaults). Generated values
may be hundreds of nat higher; they are clipped to that bound, so nothing overflows. Values at the
floor are silence.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from ganexplain.audio.filterbank import mel_filterbank
from ganexplain.audio.log_mel import is_plain, log_compress, log_expand, window
from ganexplain.audio.short_time import ShortTime
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput

PEAK = 0.99
FADE_SECONDS = 0.004  # at both ends, where the analysis windows are near zero
MOMENTUM = 0.99
FIT_ITERATIONS = 50
AT_FLOOR = 1e-3  # nat above the floor up to which values are the floor


def highest_level(front_end: FrontEnd) -> float:
    """The log-mel value in nat that no waveform in [-1, 1] exceeds, ln(sum of the window)."""
    if front_end.filters != "yaafe":  # whose sums are not 1
        loudest = window(front_end).sum(dtype=np.float64) ** front_end.power
        sums = mel_filterbank(front_end).sum(axis=0, dtype=np.float64)
        return float(log_compress(loudest * sums.max(initial=1.0), front_end))
    return float(np.log(window(front_end).sum(dtype=np.float64)))


def sonify(
    mel: np.ndarray, front_end: FrontEnd, iterations: int = 100, seed: int = 0
) -> np.ndarray:
    """Waveforms (N, samples), float32, of log-mel excerpts (N, F, T) in nat.

    T frames span `samples`, which is `front_end.excerpt_samples` for a whole excerpt. Griffin-Lim
    makes `iterations` steps from a random phase, which `seed` determines and which is the same for
    each example, so the sound of an example does not depend on the others.
    """
    return np.stack([_sonify_one(excerpt, front_end, iterations, seed) for excerpt in mel])


@singledispatch
def make_sounds(
    input_spec: Input, inputs: np.ndarray, iterations: int = 100, seed: int = 0
) -> np.ndarray:
    """Waveforms (N, samples), float32, of inputs (N, ...): one function for each kind with sound.

    `iterations` and `seed` are those of `sonify`. Raises UsageError for a kind without sound.
    """
    raise UsageError(f"{input_spec.plural} have no sound")


@make_sounds.register
def _of_log_mel(
    front_end: FrontEnd, inputs: np.ndarray, iterations: int = 100, seed: int = 0
) -> np.ndarray:
    return sonify(inputs, front_end, iterations, seed)


@make_sounds.register
def _of_waveforms(
    input_spec: WaveformInput, inputs: np.ndarray, iterations: int = 100, seed: int = 0
) -> np.ndarray:
    return np.stack([limit_peak(waveform) for waveform in inputs])


def _sonify_one(excerpt: np.ndarray, front_end: FrontEnd, iterations: int, seed: int) -> np.ndarray:
    spectrum = mel_to_magnitudes(_linear(excerpt, front_end), front_end)
    spectrum = spectrum if front_end.power == 1 else spectrum ** (1 / front_end.power)
    waveform = _griffin_lim(spectrum, front_end, iterations, seed)
    fade = max(1, round(FADE_SECONDS * front_end.sample_rate))
    ramp = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / fade) ** 2
    waveform[:fade] *= ramp
    waveform[-fade:] *= ramp[::-1]
    return limit_peak(waveform)


def limit_peak(waveform: np.ndarray) -> np.ndarray:
    """The waveform (samples,), float32, scaled down to a peak of at most `PEAK`."""
    peak = np.abs(waveform).max(initial=0.0)
    return (waveform * min(1.0, PEAK / max(peak, PEAK))).astype(np.float32)


def _linear(excerpt: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Mel magnitudes (or powers, as the front end has them) (F, T), float64, of log-mel.

    Values need not be physical or finite; the floor and NaN become zero.
    """
    nat = np.nan_to_num(np.asarray(excerpt, dtype=np.float64), nan=-np.inf, neginf=-np.inf)
    if front_end.logarithm == "ln" and is_plain(front_end):
        magnitudes = np.exp(np.minimum(nat, highest_level(front_end)))
        return np.where(nat > np.log(front_end.floor) + AT_FLOOR, magnitudes, 0.0)
    magnitudes = log_expand(np.minimum(nat, highest_level(front_end)), front_end)
    return np.where(nat > front_end.silence + AT_FLOOR * front_end.scale, magnitudes, 0.0)


def mel_to_magnitudes(mel: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Non-negative spectrum (frame_length // 2 + 1, T) whose mel magnitudes are `mel` (F, T).

    The fit minimises the Kullback-Leibler divergence by multiplicative updates (Richardson
    1972, Lucy 1974; the update of non-negative matrix factorisation for one fixed factor) from
    a smooth start. Unlike least squares it weights quiet and loud bands alike, and unlike the
    active-set solution it is smooth between the bands: on real music the error of the log-mel is
    0.06 to 0.1 nat, with `scipy.optimize.nnls` 0.3 to 0.5, and with `librosa.util.nnls`, which
    needs eight times as long, 0.05 to 0.15. Bins above the filterbank are zero.
    """
    from scipy.sparse import csr_array  # a tenth of a second

    filters = mel_filterbank(front_end).astype(np.float64)  # (bins, F)
    reach = filters.sum(axis=1, keepdims=True)
    covered = reach[:, 0] > 0
    spread = csr_array(filters[covered] / reach[covered])  # a bin is in two bands as a rule
    bands = csr_array(filters[covered].T)
    fit = spread @ mel
    for _ in range(FIT_ITERATIONS):
        modelled = bands @ fit
        ratio = np.divide(mel, modelled, out=np.zeros_like(mel), where=modelled > 0)
        fit *= spread @ ratio
    spectrum = np.zeros((front_end.frame_length // 2 + 1, mel.shape[1]))
    spectrum[: covered.size][covered] = fit
    return spectrum


def _griffin_lim(
    spectrum: np.ndarray, front_end: FrontEnd, iterations: int, seed: int
) -> np.ndarray:
    """Waveform (samples,) of the uncentred frames of a magnitude spectrum (bins, T).

    Fast Griffin-Lim (Perraudin, Balazs & Sondergaard 2013) with the rounding of librosa's.
    The first and last frame are repeated beyond the ends during the search of the phase, so each
    returned sample is covered by as many windows as in the middle, and none is divided by a
    window near zero.
    """
    hop = front_end.hop_length
    margin = -(-front_end.frame_length // hop)
    wanted = np.pad(spectrum.astype(np.float32), ((0, 0), (margin, margin)), mode="edge").T
    frames = ShortTime(window(front_end), hop, len(wanted), np.float32)
    angle = 2 * np.pi * np.random.default_rng(seed).random(wanted.T.shape).T
    estimate: np.ndarray = (np.cos(angle) + 1j * np.sin(angle)).astype(np.complex64, order="C")
    estimate *= wanted
    tiny, inertia = np.finfo(np.float32).tiny, np.float32(MOMENTUM / (1 + MOMENTUM))
    before = np.zeros_like(estimate)
    for _ in range(iterations):
        rebuilt = frames.spectrum(frames.waveform(estimate))
        estimate = rebuilt - inertia * before
        estimate *= np.float32(1) / (np.abs(estimate) + tiny)
        estimate *= wanted
        before = rebuilt
    waveform = frames.waveform(estimate)
    return np.asarray(waveform[margin * hop : -margin * hop], dtype=np.float64)
