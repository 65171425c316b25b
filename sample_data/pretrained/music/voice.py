"""Changes of a voice: speed, formants, room."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.signal
import soxr

from .sound import RATE

WINDOW, HOP = 1024, 256  # samples
CEPSTRUM = 40  # coefficients of the spectral envelope: up to 1.8 ms


def change_speed(wave: np.ndarray, speed: float) -> np.ndarray:
    """Samples (W,) played `speed` times as fast, (W / speed,): pitch and formants rise with it."""
    return np.asarray(soxr.resample(wave, RATE * speed, RATE), np.float32)


def shift_formants(wave: np.ndarray, ratio: float) -> np.ndarray:
    """Samples (W,) with the spectral envelope stretched by `ratio` along frequency, (W,).

    The envelope is that of the first coefficients of the cepstrum; pitch and time remain.
    """
    _, _, spectra = scipy.signal.stft(wave, nperseg=WINDOW, noverlap=WINDOW - HOP)
    cepstra = scipy.fft.irfft(np.log(np.abs(spectra) + 1e-6), axis=0)
    cepstra[CEPSTRUM : WINDOW - CEPSTRUM + 1] = 0.0
    envelopes = scipy.fft.rfft(cepstra, axis=0).real
    bins = np.arange(len(envelopes))
    moved = np.minimum(bins / ratio, bins[-1])
    below = np.minimum(moved.astype(int), bins[-1] - 1)
    rest = (moved - below)[:, None]
    stretched = (1 - rest) * envelopes[below] + rest * envelopes[below + 1]
    changed = spectra * np.exp(np.clip(stretched - envelopes, -5.0, 5.0))
    _, result = scipy.signal.istft(changed, nperseg=WINDOW, noverlap=WINDOW - HOP)
    return np.asarray(result[: len(wave)], np.float32)


def add_room(
    wave: np.ndarray, seconds: float, wet_db: float, generator: np.random.Generator
) -> np.ndarray:
    """Samples (W,) with reverberation that falls by 60 dB in `seconds`.

    The impulse response is noise that decays exponentially from 10 ms on; its energy is `wet_db`
    above that of the dry sound.
    """
    times = np.arange(1, round(seconds * RATE)) / RATE
    tail = generator.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    tail = scipy.signal.lfilter([0.3], [1.0, -0.7], tail)  # rooms absorb high frequencies
    tail *= 10 ** (wet_db / 20) / np.sqrt(np.sum(tail**2))
    response = np.concatenate([np.zeros(round(0.01 * RATE)), tail])
    wet = scipy.signal.fftconvolve(wave, response)[: len(wave)]
    return np.asarray(wave + wet, np.float32)
