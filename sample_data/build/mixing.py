"""Backings, rooms and mastering: everything between a dry voice and a finished file."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

RATE = 22050
PEAK = 0.85  # of full scale, before the codec

MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def resample(wave: np.ndarray, rate: int, to: int = RATE) -> np.ndarray:
    """Polyphase resampling by the exact ratio."""
    ratio = Fraction(to, rate)
    return wave if ratio == 1 else resample_poly(wave, ratio.numerator, ratio.denominator)


def read_cut(ingredients: Path, source: str, start: float, seconds: float | None) -> np.ndarray:
    """A mono cut at `RATE`; `archive!member` reads a member of a zip (pk3) archive."""
    name, _, member = source.partition("!")
    path = ingredients / name
    handle = io.BytesIO(zipfile.ZipFile(path).read(member)) if member else path
    with sf.SoundFile(handle) as audio:
        rate = audio.samplerate
        audio.seek(int(start * rate))
        frames = -1 if seconds is None else int(np.ceil(seconds * rate)) + 64
        wave = audio.read(frames, dtype="float64", always_2d=True).mean(axis=1)
    wave = resample(wave, rate)
    return wave if seconds is None else wave[: round(seconds * RATE)]


def chroma_of(wave: np.ndarray) -> tuple[np.ndarray, float]:
    """Pitch-class profile and tuning (cents away from A = 440 Hz) of a recording."""
    size = 8192
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[:: size // 2] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    inner = power[:, 1:-1]
    peaks = (
        (inner > power[:, :-2])
        & (inner > power[:, 2:])
        & (hertz[1:-1] > 110)
        & (hertz[1:-1] < 2000)
    )
    rows, bins = np.nonzero(peaks)
    left, mid, right = (np.log(power[rows, bins + k] + 1e-12) for k in range(3))
    shift = 0.5 * (left - right) / (left - 2 * mid + right + 1e-12)
    pitch = 69 + 12 * np.log2((bins + 1 + shift) * RATE / size / 440)
    weight = np.sqrt(power[rows, bins + 1])
    tuning = float(np.angle(np.sum(weight * np.exp(2j * np.pi * pitch))) / (2 * np.pi))
    classes = np.round(pitch - tuning).astype(int) % 12
    return np.bincount(classes, weights=weight, minlength=12), 100 * tuning


def estimate_key(wave: np.ndarray) -> tuple[int, str, float]:
    """Tonic, "major" or "minor", and tuning in cents (Krumhansl profiles)."""
    chroma, tuning = chroma_of(wave)
    scores = {
        (tonic, name): np.corrcoef(chroma, np.roll(profile, tonic))[0, 1]
        for name, profile in (("major", MAJOR), ("minor", MINOR))
        for tonic in range(12)
    }
    tonic, scale = max(scores, key=lambda key: scores[key])
    return tonic, scale, tuning


def estimate_beat(wave: np.ndarray) -> tuple[float, float]:
    """Tempo in beats a minute and the time of a beat, from the onset strength."""
    hop = 220
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::hop] * np.hanning(1024)
    power = np.log1p(1000 * np.abs(np.fft.rfft(frames, axis=1)))
    onset = np.clip(np.diff(power, axis=0), 0, None).sum(axis=1)
    onset -= uniform_filter1d(onset, 101)
    rate = RATE / hop
    spectrum = np.abs(np.fft.rfft(onset, 2 * len(onset))) ** 2
    auto = np.fft.irfft(spectrum)[: len(onset)]
    lags = np.arange(int(rate * 60 / 180), int(rate * 60 / 55))
    weight = np.exp(-0.5 * (np.log2(60 * rate / lags / 100) / 0.8) ** 2)
    lag = int(lags[np.argmax(auto[lags] * weight)])
    phase = int(np.argmax([onset[k::lag].sum() for k in range(lag)]))
    return 60 * rate / lag, (phase + 1) / rate


def biquad(
    wave: np.ndarray, kind: str, hertz: float, gain: float, width: float = 1.0
) -> np.ndarray:
    """One equaliser band ("peak", "low" or "high" shelf), gain in dB."""
    amp = 10 ** (gain / 40)
    w = 2 * np.pi * hertz / RATE
    alpha = np.sin(w) / 2 * (1 / width if kind == "peak" else np.sqrt(2))
    cos = np.cos(w)
    if kind == "peak":
        b = [1 + alpha * amp, -2 * cos, 1 - alpha * amp]
        a = [1 + alpha / amp, -2 * cos, 1 - alpha / amp]
    else:
        s = 1 if kind == "low" else -1
        root = 2 * np.sqrt(amp) * alpha
        b = [
            amp * (amp + 1 - s * (amp - 1) * cos + root),
            s * 2 * amp * (amp - 1 - s * (amp + 1) * cos),
            amp * (amp + 1 - s * (amp - 1) * cos - root),
        ]
        a = [
            amp + 1 + s * (amp - 1) * cos + root,
            -s * 2 * (amp - 1 + s * (amp + 1) * cos),
            amp + 1 + s * (amp - 1) * cos - root,
        ]
    sos = np.array([b + a]) / a[0]
    return sosfilt(sos, wave)


def compress(wave: np.ndarray, threshold: float, ratio: float, attack: float = 0.01) -> np.ndarray:
    """Feed-forward compressor; threshold in dB relative to the wave's own RMS."""
    size = max(int(attack * RATE), 1)
    level = np.sqrt(np.maximum(uniform_filter1d(wave**2, 4 * size), 1e-12))
    loud = np.sqrt(np.mean(wave**2) + 1e-12)
    over = np.clip(20 * np.log10(level / loud) - threshold, 0, None)
    gain = uniform_filter1d(-over * (1 - 1 / ratio), 2 * size)
    return wave * 10 ** (gain / 20)


def room(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Impulse response of a room: a few early reflections, then decaying noise, duller with time.

    Without its direct sound, energy 1.
    """
    size = int(min(seconds * 1.2, 3.0) * RATE)
    times = np.arange(size) / RATE
    noise = rng.standard_normal(size)
    dull = sosfilt(butter(1, rng.uniform(1800, 5000), fs=RATE, output="sos"), noise)
    mix = np.exp(-times / (0.25 * seconds))
    tail = (noise * mix * 0.5 + dull * (1 - mix)) * 10 ** (-3 * times / seconds)
    tail[: int(rng.uniform(0.008, 0.03) * RATE)] = 0
    for delay in rng.uniform(0.006, 0.05, 6):
        tail[int(delay * RATE)] += rng.choice([-1, 1]) * rng.uniform(1, 4)
    tail = sosfilt(butter(2, 150, "highpass", fs=RATE, output="sos"), tail)
    return tail / np.sqrt(np.sum(tail**2))


def reverberate(
    wave: np.ndarray, rng: np.random.Generator, seconds: float, wet: float
) -> np.ndarray:
    """Add a room at `wet` dB relative to the dry wave."""
    tail = fftconvolve(wave, room(rng, seconds))[: len(wave)]
    return wave + tail * 10 ** (wet / 20)


def echo(wave: np.ndarray, delay: float, level: float) -> np.ndarray:
    """Two fading repeats."""
    out = wave.copy()
    for repeat in (1, 2):
        shift = int(delay * repeat * RATE)
        out[shift:] += wave[:-shift] * 10 ** (level * repeat / 20)
    return out


def rms(wave: np.ndarray) -> float:
    """Root mean square, never zero."""
    return float(np.sqrt(np.mean(wave**2) + 1e-20))


def dress_voice(voice: np.ndarray, rng: np.random.Generator, wet: bool) -> np.ndarray:
    """The voice's own channel: equaliser, compressor, room, sometimes an echo."""
    voice = sosfilt(butter(2, rng.uniform(60, 120), "highpass", fs=RATE, output="sos"), voice)
    voice = biquad(voice, "peak", rng.uniform(200, 500), rng.uniform(-4, 3), 0.8)
    voice = biquad(voice, "high", rng.uniform(3500, 6500), rng.uniform(-3, 6))
    voice = compress(voice, rng.uniform(-4, 4), rng.uniform(1.3, 4.0))
    if not wet:
        return reverberate(voice, rng, rng.uniform(0.15, 0.4), rng.uniform(-30, -18))
    if rng.random() < 0.25:
        voice = echo(voice, rng.uniform(0.15, 0.4), rng.uniform(-20, -12))
    return reverberate(voice, rng, rng.uniform(0.5, 2.2), rng.uniform(-20, -9))


def audible(wave: np.ndarray) -> np.ndarray:
    """The band in which voices are heard: what a bass or a cymbal adds does not mask them."""
    return sosfilt(butter(2, (300, 4500), "bandpass", fs=RATE, output="sos"), wave)


def balance(voice: np.ndarray, backing: np.ndarray, sung: np.ndarray, level: float) -> np.ndarray:
    """Mix so that while it sings the voice is `level` dB above the backing, in the audible band."""
    gain = rms(audible(backing)[sung]) / rms(audible(voice)[sung]) * 10 ** (level / 20)
    return backing + voice * gain


def limit(wave: np.ndarray, peak: float) -> np.ndarray:
    """Look-ahead limiter."""
    size = int(0.004 * RATE) | 1
    need = np.minimum(1.0, peak / (maximum_filter1d(np.abs(wave), size) + 1e-12))
    gain = uniform_filter1d(minimum_filter1d(need, size), size)
    return np.clip(wave * gain, -peak, peak)


def master(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The chain of every file: equaliser, compressor, saturation, hiss, level, limiter."""
    wave = wave / rms(wave) * 0.1
    wave = biquad(wave, "low", rng.uniform(80, 250), rng.uniform(-4, 4))
    wave = biquad(
        wave,
        "peak",
        np.exp(rng.uniform(np.log(400), np.log(4500))),
        rng.uniform(-4, 4),
        rng.uniform(0.5, 1.5),
    )
    wave = biquad(wave, "high", rng.uniform(3000, 7000), rng.uniform(-6, 5))
    wave = sosfilt(butter(2, rng.uniform(25, 60), "highpass", fs=RATE, output="sos"), wave)
    if rng.random() < 0.35:
        wave = sosfilt(butter(5, rng.uniform(6500, 10500), fs=RATE, output="sos"), wave)
    wave = compress(wave, rng.uniform(-3, 6), rng.uniform(1.2, 3.5), rng.uniform(0.005, 0.03))
    drive = rng.uniform(0.2, 1.4)
    wave = np.tanh(drive * wave / (rms(wave) * 6)) / drive
    wave = wave / rms(wave) * 10 ** (rng.uniform(-28, -13) / 20)
    hiss = sosfilt(
        butter(1, rng.uniform(1000, 6000), fs=RATE, output="sos"), rng.standard_normal(len(wave))
    )
    wave = wave + hiss / rms(hiss) * rms(wave) * 10 ** (rng.uniform(-62, -42) / 20)
    excess = np.percentile(np.abs(wave), 99.95) / PEAK
    return limit(wave / max(excess * 0.7, 1.0), PEAK)


def fade(wave: np.ndarray, seconds: float = 0.03) -> np.ndarray:
    """Short fades at both ends of a cut."""
    size = int(seconds * RATE)
    ramp = np.linspace(0, 1, size)
    wave = wave.copy()
    wave[:size] *= ramp
    wave[-size:] *= ramp[::-1]
    return wave


def write_ogg(path: Path, wave: np.ndarray, quality: float) -> None:
    """Ogg Vorbis at `quality` 0..1, written in blocks (libsndfile dislikes long ones)."""
    with sf.SoundFile(
        path, "w", RATE, 1, format="OGG", subtype="VORBIS", compression_level=1 - quality
    ) as out:
        for start in range(0, len(wave), RATE):
            out.write(wave[start : start + RATE])
