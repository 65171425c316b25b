"""Sonification: the log-mel of the sound is the log-mel asked for; nothing blows up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.paths import SHARED_CORPUS

from ganexplain.audio import sonify as sonify_module
from ganexplain.audio.io import load_excerpt
from ganexplain.audio.log_mel import log_mel, magnitudes
from ganexplain.audio.sonify import FADE_SECONDS, PEAK, highest_level, mel_to_magnitudes, sonify
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.networks.bridges import spectra

FRONT_END = FrontEnd()
FLOOR = np.log(FRONT_END.floor)
AUDIO = SHARED_CORPUS / "audio"
REAL = [
    ("makam_safiye_Aksam.ogg", 30.0),
    ("tanabe_dans_la_tristesse.ogg", 40.0),
    ("wesnoth_aubry_battle.ogg", 30.0),
]


def tones(frequencies: list[float], level: float = 0.2) -> np.ndarray:
    """Steady sines (samples,) over one excerpt."""
    seconds = np.arange(FRONT_END.excerpt_samples) / FRONT_END.sample_rate
    waves = [np.sin(2 * np.pi * hertz * seconds + k) for k, hertz in enumerate(frequencies)]
    return (level * np.sum(waves, axis=0)).astype(np.float32)


def mel_of(waveform: np.ndarray) -> np.ndarray:
    """Log-mel (F, T) in nat."""
    return log_mel(waveform, FRONT_END).T


def error_above_floor(wanted: np.ndarray, heard: np.ndarray) -> float:
    """Mean absolute difference in nat where `wanted` is within 9 nat (78 dB) of its peak."""
    audible = wanted > wanted.max() - 9
    return float(np.abs(heard - wanted)[audible].mean())


@pytest.mark.parametrize(("name", "start"), REAL)
def test_real_music_comes_back(name: str, start: float) -> None:
    if not (AUDIO / name).is_file():
        pytest.skip("the shared corpus is absent")
    samples, rate = FRONT_END.excerpt_samples, FRONT_END.sample_rate
    original = load_excerpt(AUDIO / name, start, samples, rate)
    wanted = mel_of(original)
    sound = sonify(wanted[None], FRONT_END)[0]
    assert error_above_floor(wanted, mel_of(sound)) < 0.15
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.25)


def test_chord_keeps_its_tones_and_its_level() -> None:
    frequencies = [220.0, 554.4, 1318.5]
    chord = tones(frequencies, level=0.1)
    wanted = mel_of(chord)
    sound = sonify(wanted[None], FRONT_END)[0]
    # Frames holding pure tones leave the bands between them at the leakage of the window.
    loud = wanted > wanted.max() - 4
    assert np.abs(mel_of(sound) - wanted)[loud].mean() < 0.15
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    hertz = np.fft.rfftfreq(sound.size, 1 / FRONT_END.sample_rate)
    for frequency in frequencies:
        near = np.abs(hertz - frequency) < 0.25 * frequency
        peak = hertz[near][np.argmax(spectrum[near])]
        assert abs(peak - frequency) < max(22.0, 0.03 * frequency)  # one bin of 21.5 Hz
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(chord**2)), rel=0.3)


def test_fit_reproduces_the_bands_without_griffin_lim() -> None:
    from ganexplain.audio.filterbank import mel_filterbank
    from ganexplain.audio.log_mel import magnitudes

    noise = np.random.default_rng(0).normal(size=FRONT_END.excerpt_samples).astype(np.float32)
    filters = mel_filterbank(FRONT_END)
    mel = (magnitudes(noise, FRONT_END)[:, : len(filters)] @ filters).T.astype(np.float64)
    spectrum = mel_to_magnitudes(mel, FRONT_END)
    assert spectrum.shape == (513, 115)
    assert spectrum.min() >= 0
    assert not spectrum[len(filters) :].any()
    np.testing.assert_allclose(filters.T @ spectrum[: len(filters)], mel, rtol=2e-2)


@pytest.mark.parametrize("level", [FLOOR, -np.inf, np.nan])
def test_silence_stays_silent(level: float) -> None:
    silent = np.full((1, 80, 115), level, dtype=np.float32)
    assert not sonify(silent, FRONT_END, iterations=4).any()


@pytest.mark.parametrize("level", [300.0, 1e30, np.inf])
def test_exploded_values_stay_finite(level: float) -> None:
    patch = np.full((1, 80, 115), FLOOR, dtype=np.float32)
    patch[0, 20:40, 30:60] = level
    sound = sonify(patch, FRONT_END, iterations=20)
    assert np.isfinite(sound).all()
    assert 0.5 < np.abs(sound).max() <= PEAK


def test_no_waveform_exceeds_the_highest_level() -> None:
    constant = np.ones(FRONT_END.excerpt_samples, dtype=np.float32)
    square = np.sign(tones([110.0]) + 1e-9).astype(np.float32)
    assert max(mel_of(constant).max(), mel_of(square).max()) < highest_level(FRONT_END)
    assert highest_level(FRONT_END) == pytest.approx(6.24, abs=0.01)


def test_edges_are_no_louder_than_the_middle() -> None:
    noise = 0.1 * np.random.default_rng(1).normal(size=FRONT_END.excerpt_samples)
    sound = sonify(mel_of(noise.astype(np.float32))[None], FRONT_END, iterations=30)[0]
    edge = 512
    middle = np.sqrt(np.mean(sound[edge:-edge] ** 2))
    for part in (sound[:edge], sound[-edge:]):
        assert 0.5 * middle < np.sqrt(np.mean(part**2)) < 1.5 * middle
        assert np.abs(part).max() < 1.2 * np.abs(sound).max()
    fade = round(FADE_SECONDS * FRONT_END.sample_rate)
    assert np.abs(sound[[0, -1]]).max() < 1e-3
    assert fade < 0.1 * FRONT_END.frame_length


def test_quiet_sound_is_not_made_louder() -> None:
    quiet = mel_of(tones([440.0], level=1e-3))
    assert np.abs(sonify(quiet[None], FRONT_END, iterations=20)).max() < 2e-3


def test_griffin_lim_comes_nearer_with_momentum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Perraudin et al. 2013: after as many steps by a quarter or more, here and in the bridge."""
    seconds = np.arange(FRONT_END.excerpt_samples) / FRONT_END.sample_rate
    phase = 2 * np.pi * (210 * seconds + 0.6 * np.sin(2 * np.pi * 5 * seconds))
    voice = sum(0.1 / k * np.sin(k * phase) for k in range(1, 12))
    beats = np.random.default_rng(0).normal(size=seconds.size) * np.exp(-20 * (4 * seconds % 1))
    music = (voice + 0.06 * beats).astype(np.float32)
    wanted, spectrum = mel_of(music), magnitudes(music, FRONT_END).T.copy()

    def errors() -> tuple[float, float]:
        heard = mel_of(sonify(wanted[None], FRONT_END, 30)[0])
        sound = spectra.Waveform(FRONT_END, 115)(torch.from_numpy(spectrum)[None])[0].numpy()
        off = np.linalg.norm(magnitudes(sound, FRONT_END).T - spectrum) / np.linalg.norm(spectrum)
        return error_above_floor(wanted, heard), float(off)

    fast = errors()
    monkeypatch.setattr(sonify_module, "MOMENTUM", 0.0)
    monkeypatch.setattr(spectra, "MOMENTUM", 0.0)
    plain = errors()
    assert fast[0] < 0.9 * plain[0] and fast[1] < 0.75 * plain[1]


def test_same_seed_same_sound_whatever_the_batch() -> None:
    mels = np.stack([mel_of(tones([220.0])), mel_of(tones([330.0, 700.0])), mel_of(tones([90.0]))])
    together = sonify(mels, FRONT_END, iterations=8, seed=3)
    alone = sonify(mels[1:2], FRONT_END, iterations=8, seed=3)
    assert together.dtype == np.float32
    assert together.shape == (3, FRONT_END.excerpt_samples) == (3, 36934)
    np.testing.assert_array_equal(together[1], alone[0])
    assert not np.array_equal(alone, sonify(mels[1:2], FRONT_END, iterations=8, seed=4))


def test_length_follows_the_frames() -> None:
    mel = np.zeros((1, 80, 7), dtype=np.float32)
    assert sonify(mel, FRONT_END, iterations=2).shape == (1, 6 * 315 + 1024)
