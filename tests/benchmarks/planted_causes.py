"""Twelve causes that can be planted in sound, each with a measure of it in log-mel excerpts.

The measures do not know any network: they say how much of a cause is in an excerpt, real or
generated, and are compared with what planting it changes in real excerpts.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
from scipy.signal import butter, fftconvolve, sosfilt

from ganexplain.audio.filterbank import mel_filterbank
from ganexplain.inputs.log_mel import FrontEnd

FRONT_END = FrontEnd()
RATE = FRONT_END.sample_rate
FRAME_RATE = RATE / FRONT_END.hop_length  # 70 Hz
SAMPLES = FRONT_END.excerpt_samples
NOTE_S, SPAN_S = 0.5, 0.6  # lengths of what is planted at one place
SMOOTHING = 21  # frames, less than NOTE_S
Random = np.random.Generator
Span = tuple[float, float]  # seconds


@dataclass(frozen=True)
class PlantedSound:
    """A sound (samples,), and where the cause is: seconds, Hz; None where it is everywhere."""

    sound: np.ndarray
    seconds: Span | None = None
    hz: Span | None = None


@dataclass(frozen=True)
class Cause:
    """A cause: `plant` puts it into a sound (samples,), `measure` (B,) finds it in log-mel.

    `absent` changes the sounds of the other class, where they are changed too.
    """

    name: str
    plant: Callable[[np.ndarray, Random], PlantedSound]
    measure: Callable[[np.ndarray], np.ndarray]
    absent: Callable[[np.ndarray, Random], PlantedSound] = lambda sound, random: PlantedSound(sound)


def _centres() -> np.ndarray:
    """The frequency (F,) of the highest point of each filter, Hz."""
    filters = mel_filterbank(FRONT_END)
    filters = filters if filters.shape[0] == FRONT_END.mel_bands else filters.T
    bins: np.ndarray = filters.argmax(axis=1) * RATE / FRONT_END.transform_length
    return bins


CENTRES = _centres()


def bands(low: float, high: float) -> np.ndarray:
    """The numbers of the bands whose centre is in a range of Hz."""
    return np.flatnonzero((low <= CENTRES) & (high >= CENTRES))


def level(mel: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mean level (B, T) of the bands in a range of Hz, nat."""
    found: np.ndarray = mel[:, bands(low, high)].mean(axis=1)
    return found


def longest(values: np.ndarray) -> np.ndarray:
    """The highest mean (B,) over 0.3 s of values (B, T)."""
    window = np.ones(SMOOTHING) / SMOOTHING
    return np.array([np.convolve(row, window, "valid").max() for row in values])


def modulation(values: np.ndarray, hz: float) -> np.ndarray:
    """Amplitude of the modulation of values (..., T) at one frequency, under a Hann window."""
    frames = values.shape[-1]
    shape = np.hanning(frames)
    wave = shape * np.exp(-2j * np.pi * hz * np.arange(frames) / FRAME_RATE)
    centred = values - values.mean(axis=-1, keepdims=True)
    found: np.ndarray = 2 * np.abs(centred @ wave) / shape.sum()
    return found


def _place(sound: np.ndarray, added: np.ndarray, random: Random) -> tuple[np.ndarray, Span]:
    """Add a shorter sound at a random place, with edges of 10 ms; returns the place in seconds."""
    start = int(random.integers(len(sound) - len(added)))
    edge = np.minimum(1, np.minimum(np.arange(len(added)), np.arange(len(added))[::-1]) / 220)
    changed = sound.copy()
    changed[start : start + len(added)] += added * edge
    return changed, (start / RATE, (start + len(added)) / RATE)


def _rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound)))) + 1e-5


def _scaled(added: np.ndarray, sound: np.ndarray, decibels: float) -> np.ndarray:
    """`added` at a level above that of a sound."""
    scaled: np.ndarray = added * (_rms(sound) / _rms(added) * 10 ** (decibels / 20))
    return scaled


def _tone(sound: np.ndarray, random: Random) -> PlantedSound:
    time = np.arange(int(NOTE_S * RATE)) / RATE
    added = _scaled(np.sin(2 * np.pi * 1000 * time + random.uniform(0, 6.28)), sound, 0)
    return PlantedSound(*_place(sound, added, random), (900, 1100))


def _tone_measure(mel: np.ndarray) -> np.ndarray:
    around = (level(mel, 700, 850) + level(mel, 1180, 1400)) / 2
    return longest(level(mel, 960, 1040) - around)


CLICK_HZ = 10.0


def _clicks(sound: np.ndarray, random: Random) -> PlantedSound:
    added = np.zeros(int(SPAN_S * RATE))
    for start in np.arange(0, SPAN_S - 0.01, 1 / CLICK_HZ):
        at = int(start * RATE) + 300
        added[at : at + 44] = random.standard_normal(44)
    return PlantedSound(*_place(sound, _scaled(added, sound, 3), random))


def _clicks_measure(mel: np.ndarray) -> np.ndarray:
    wide = mel[:, bands(1500, 8000)].mean(axis=1)
    width = int(SPAN_S * FRAME_RATE)
    starts = range(0, mel.shape[2] - width + 1, 7)
    pieces = np.stack([wide[:, k : k + width] for k in starts], axis=1)
    found: np.ndarray = modulation(pieces, CLICK_HZ).max(axis=1)
    return found


def _hum(sound: np.ndarray, random: Random) -> PlantedSound:
    time, phase = np.arange(len(sound)) / RATE, random.uniform(0, 6.28, 3)
    added = sum(np.sin(2 * np.pi * 50 * (k + 1) * time + phase[k]) / (k + 1) for k in range(3))
    return PlantedSound(sound + _scaled(np.asarray(added), sound, 0), None, (0, 170))


def _hum_measure(mel: np.ndarray) -> np.ndarray:
    found: np.ndarray = (level(mel, 0, 160) - level(mel, 250, 1000)).mean(axis=1)
    return found


LOW_PASS = butter(8, 4000, output="sos", fs=RATE)


def _low_pass(sound: np.ndarray, random: Random) -> PlantedSound:
    return PlantedSound(sosfilt(LOW_PASS, sound), None, (4100, 8000))


def _low_pass_measure(mel: np.ndarray) -> np.ndarray:
    found: np.ndarray = (level(mel, 1500, 3700) - level(mel, 4800, 8000)).mean(axis=1)
    return found


REVERB_S = 1.5  # until 60 dB less


def _reverb(sound: np.ndarray, random: Random) -> PlantedSound:
    time = np.arange(int(REVERB_S * RATE)) / RATE
    tail = random.standard_normal(len(time)) * np.exp(-6.91 * time / REVERB_S)
    wet = fftconvolve(sound, tail)[: len(sound)]
    return PlantedSound(_scaled(wet, sound, 0))


def _reverb_measure(mel: np.ndarray) -> np.ndarray:
    """Little decay from frame to frame, whatever the level."""
    step = mel[:, 20:, 30:] - mel[:, 20:, 28:-2]
    found: np.ndarray = -np.maximum(-step, 0).mean(axis=(1, 2))
    return found


def _louder(sound: np.ndarray, random: Random) -> PlantedSound:
    return PlantedSound(sound * 4)


def _level_measure(mel: np.ndarray) -> np.ndarray:
    found: np.ndarray = mel.mean(axis=(1, 2))
    return found


MP3_DELAY = 1105  # samples, of coder and decoder


def _coded(sound: np.ndarray, random: Random) -> PlantedSound:
    """Coded as MP3 of 8 kbit/s, the lowest rate that libsndfile writes, and decoded."""
    peak = max(np.abs(sound).max(), 1e-3)
    buffer = io.BytesIO()
    soundfile.write(
        buffer, sound / peak * 0.7, RATE, format="MP3", subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT", compression_level=0.99,
    )  # fmt: skip
    buffer.seek(0)
    decoded = soundfile.read(buffer)[0][MP3_DELAY:] * peak / 0.7
    return PlantedSound(np.pad(decoded, (0, len(sound)))[: len(sound)], None, (1200, 8000))


def _coded_measure(mel: np.ndarray) -> np.ndarray:
    """Cells that are switched on and off from frame to frame, below where the coder ends."""
    upper = mel[:, bands(1200, 3000)]
    found: np.ndarray = np.abs(np.diff(upper, axis=2)).mean(axis=(1, 2))
    return found


VIBRATO_HZ, VIBRATO_CENTS = 7.0, 80.0


def _vibrato(sound: np.ndarray, random: Random) -> PlantedSound:
    time = np.arange(len(sound)) / RATE
    depth = (2 ** (VIBRATO_CENTS / 1200) - 1) / (2 * np.pi * VIBRATO_HZ)
    read_at = time + depth * np.sin(2 * np.pi * VIBRATO_HZ * time + random.uniform(0, 6.28))
    return PlantedSound(np.interp(read_at, time, sound))


def _vibrato_measure(mel: np.ndarray) -> np.ndarray:
    """Modulation of neighbouring bands against each other at the rate, beside that at others."""
    slope = mel[:, 2:] - mel[:, :-2]
    others = (modulation(slope, 4.0) + modulation(slope, 10.0)) / 2
    found: np.ndarray = np.log(modulation(slope, VIBRATO_HZ) / (others + 1e-3) + 1e-3)
    return found.mean(axis=1)


TREMOLO_HZ = 5.0


def _tremolo(sound: np.ndarray, random: Random) -> PlantedSound:
    time = np.arange(len(sound)) / RATE
    wave = 1 + 0.9 * np.sin(2 * np.pi * TREMOLO_HZ * time + random.uniform(0, 6.28))
    return PlantedSound(sound * wave)


def _tremolo_measure(mel: np.ndarray) -> np.ndarray:
    return modulation(mel.mean(axis=1), TREMOLO_HZ)


NOISE_BAND = butter(6, (3000, 4000), btype="band", output="sos", fs=RATE)


def _noise(sound: np.ndarray, random: Random) -> PlantedSound:
    noise = sosfilt(NOISE_BAND, random.standard_normal(int(NOISE_S * RATE)))
    return PlantedSound(*_place(sound, _scaled(noise, sound, 0), random), (2900, 4100))


NOISE_S = NOTE_S


def _noise_measure(mel: np.ndarray) -> np.ndarray:
    around = (level(mel, 1800, 2600) + level(mel, 4600, 6000)) / 2
    return longest(level(mel, 3100, 3900) - around)


def _late(sound: np.ndarray, random: Random) -> PlantedSound:
    onset = random.uniform(0.5, 0.9)
    gain = np.where(np.arange(len(sound)) < onset * RATE, 1e-3, 1.0)
    return PlantedSound(sound * gain, (0.0, onset + 0.05))


def _late_measure(mel: np.ndarray) -> np.ndarray:
    found: np.ndarray = mel[:, :, 65:].mean(axis=(1, 2)) - mel[:, :, :32].mean(axis=(1, 2))
    return found


HIGH, LOW = (700.0, 1000.0), (150.0, 220.0)  # Hz


def _note(sound: np.ndarray, random: Random, register: Span) -> PlantedSound:
    """A note of four harmonics."""
    time = np.arange(int(NOTE_S * RATE)) / RATE
    pitch = random.uniform(*register)
    note = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 5))
    return PlantedSound(*_place(sound, _scaled(np.asarray(note), sound, 3), random), register)


def _register_measure(mel: np.ndarray) -> np.ndarray:
    """The strongest of the bands of the high register above its neighbours, less the low one's."""

    def standing_out(low: float, high: float) -> np.ndarray:
        numbers = bands(low, high)
        around = (mel[:, numbers - 3] + mel[:, numbers + 3]) / 2
        contrast = mel[:, numbers] - around
        return np.max([longest(contrast[:, k]) for k in range(len(numbers))], axis=0)

    return standing_out(*HIGH) - standing_out(*LOW)


CAUSES = {
    cause.name: cause
    for cause in (
        Cause("tone", _tone, _tone_measure),
        Cause("clicks", _clicks, _clicks_measure),
        Cause("hum", _hum, _hum_measure),
        Cause("low-pass", _low_pass, _low_pass_measure),
        Cause("reverberation", _reverb, _reverb_measure),
        Cause("level", _louder, _level_measure),
        Cause("coding", _coded, _coded_measure),
        Cause("vibrato", _vibrato, _vibrato_measure),
        Cause("tremolo", _tremolo, _tremolo_measure),
        Cause("noise band", _noise, _noise_measure),
        Cause("late onset", _late, _late_measure),
        Cause(
            "register",
            lambda sound, random: _note(sound, random, HIGH),
            _register_measure,
            lambda sound, random: _note(sound, random, LOW),
        ),
    )
}
