"""Kinds of features whose keys `input` finds: spectra, cepstra, PCEN, slopes, constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.signal
from support.described import RATE, described, input_of, sound
from support.recordings import write_sound

from ganexplain.errors import GanexplainError, UsageError

FUNCTIONS = """
import librosa, numpy as np, scipy.signal, torch

def decibels(y):
    return librosa.amplitude_to_db(np.abs(librosa.stft(y, n_fft=512, hop_length=160)), ref=np.max)

def compressed(y):
    spectrum = torch.stft(
        torch.from_numpy(y), 512, 160, 400, torch.hamming_window(400), return_complex=True)
    return torch.log1p(spectrum.abs()).numpy()

def cepstra(y):
    return librosa.feature.mfcc(
        y=y, sr=16000, n_mfcc=13, n_fft=512, hop_length=160, n_mels=40, htk=True, lifter=22)

def cepstra_and_slopes(y):
    mfcc = librosa.feature.mfcc(y=y, sr=16000, n_mfcc=13, n_fft=1024, hop_length=256)
    deltas = [librosa.feature.delta(mfcc, order=order) for order in (1, 2)]
    return np.vstack([mfcc, *deltas]).T

def kaldi_cepstra(y):
    import kaldi_native_fbank as knf
    options = knf.MfccOptions()
    options.frame_opts.dither, options.use_energy = 0, False
    mfcc = knf.OnlineMfcc(options)
    mfcc.accept_waveform(16000, (y * 32768).tolist())
    mfcc.input_finished()
    return np.stack([mfcc.get_frame(each) for each in range(mfcc.num_frames_ready)])

def energies(y):
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_mels=40, n_fft=1024, power=1)
    return librosa.pcen(mel * 2**31, sr=16000)

def colours(y):
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=512, hop_length=200, n_mels=40)
    plane = librosa.power_to_db(mel, ref=np.max)
    deltas = [librosa.feature.delta(plane, order=order) for order in (1, 2)]
    return np.stack([plane, *deltas])

def by_constants(y):
    mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=400, hop_length=160, n_mels=40)
    means, deviations = np.linspace(-9, -4, 40)[:, None], np.linspace(2, 4, 40)[:, None]
    return (np.log(mel + 1e-6) - means) / deviations

def emphasised(y):
    y = np.append(y[0], y[1:] - 0.97 * y[:-1])
    mel = librosa.feature.melspectrogram(
        y=y, sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=40, window="hamming",
        center=False)
    return np.log(mel + 1e-9)
"""
WANTED: dict[str, dict[str, Any]] = {
    "decibels": {"filters": "none", "frame_length": 512, "relative": True, "range_below": 80.0},
    "compressed": {"filters": "none", "window_shape": "hamming", "window_length": 400},
    "cepstra": {"cepstra": 13, "lifter": 22.0, "lifter_start": 1},
    "cepstra_and_slopes": {"cepstra": 13, "deltas": 2, "delta_kind": "fitted"},
    "kaldi_cepstra": {"cepstra": 13, "lifter": 22.0, "preemphasis": 0.97, "mel_bands": 23},
    "energies": {"logarithm": "pcen", "gain": 2.0**31},
    "colours": {"delta_axis": "channels", "deltas": 2, "relative": True},
    "by_constants": {"offset": 1e-6, "filters": "slaney"},
    "emphasised": {"preemphasis": 0.97, "window_shape": "hamming", "offset": 1e-9},
}


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "kinds.py").write_text(FUNCTIONS)
    write_sound(folder / "example.wav", sound(3.0), RATE, "FLOAT")
    return folder / "kinds.py"


@pytest.mark.parametrize(
    "name",
    [*sorted(WANTED.keys() - {"energies"}), pytest.param("energies", marks=pytest.mark.slow)],
)
def test_features_of_each_kind_are_described(tmp_path: Path, functions: Path, name: str) -> None:
    if name.startswith("kaldi"):
        pytest.importorskip("kaldi_native_fbank")
    example, out = functions.with_name("example.wav"), tmp_path / "input.toml"
    found = described(f"{functions}:{name}", example, out, sample_rate=RATE, seconds=2.0)
    assert WANTED[name].items() <= found.input.items()
    assert not [each for each in found.notes if "--sample-rate" in each]  # which is given
    code: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    exec(FUNCTIONS, code)
    samples = sound(2.0)[::-1].copy()
    theirs = np.asarray(code[name](samples), dtype=np.float32)
    ours, _, _ = input_of(out, samples)
    assert ours.shape == theirs.shape
    assert np.sqrt(np.square(ours - theirs).mean()) < 1e-3 * theirs.std()


def test_cepstra_that_no_lifter_weights_have_deviations_of_their_own(tmp_path: Path) -> None:
    samples = sound(3.0)
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=512, hop_length=160, n_mels=26)
    cosines = np.cos(np.pi / 26 * np.outer(np.arange(12), np.arange(26) + 0.5))
    np.save(tmp_path / "htk.npy", np.sqrt(2 / 26) * cosines @ np.log(mel + 1e-8))
    write_sound(tmp_path / "a.wav", samples, RATE, "FLOAT")
    found = described(
        tmp_path / "htk.npy", tmp_path / "a.wav", tmp_path / "i.toml", sample_rate=RATE
    )
    deviations = np.array(found.input["deviation"])
    np.testing.assert_allclose(deviations[1:], 1, atol=1e-3)
    np.testing.assert_allclose(deviations[0], np.sqrt(0.5), atol=1e-3)


@pytest.mark.slow
def test_a_rate_that_does_not_show_is_that_of_the_example(tmp_path: Path, functions: Path) -> None:
    samples = sound(2.0, 11025)
    write_sound(tmp_path / "a.wav", samples, 11025, "FLOAT")
    found = described(
        f"{functions}:compressed", tmp_path / "a.wav", tmp_path / "i.toml", seconds=2.0
    )
    assert found.input["sample_rate"] == 11025
    assert [each for each in found.notes if "--sample-rate" in each]
    spectrum = librosa.stft(
        samples, n_fft=512, hop_length=160, win_length=400, window="hamming", pad_mode="reflect"
    )
    wanted = np.log1p(np.abs(spectrum))
    values, _, _ = input_of(tmp_path / "i.toml", samples)
    assert np.sqrt(np.square(values - wanted).mean()) < 1e-3 * wanted.std()


def test_an_array_whose_logarithm_bends_is_described(tmp_path: Path) -> None:
    mel = librosa.feature.melspectrogram(y=sound(3.0), sr=RATE, n_fft=1024, n_mels=48)
    np.save(tmp_path / "bent.npy", np.log(mel + 0.01))
    write_sound(tmp_path / "a.wav", sound(3.0), RATE, "FLOAT")
    found = described(
        tmp_path / "bent.npy", tmp_path / "a.wav", tmp_path / "i.toml", sample_rate=RATE
    )
    assert found.input["offset"] == pytest.approx(0.01, rel=1e-3)
    assert found.comparison is not None
    assert found.comparison.agreement.share < 1e-4


SOUNDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "silent at first": lambda x: np.concatenate([np.zeros(4 * RATE, np.float32), x]),
    "quiet": lambda x: x * np.float32(1e-4),
    "off zero and clipped": lambda x: np.clip(x * 3 + 0.2, -1, 1),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_sound_of_an_example_may_be_poor(tmp_path: Path, name: str) -> None:
    samples = SOUNDS[name](sound(1.5))
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=512, hop_length=160, n_mels=40)
    np.save(tmp_path / "mel.npy", librosa.power_to_db(mel, top_db=None))
    write_sound(tmp_path / "a.wav", samples, RATE, "FLOAT")
    found = described(
        tmp_path / "mel.npy", tmp_path / "a.wav", tmp_path / "i.toml", sample_rate=RATE
    )
    wanted = {"frame_length": 512, "hop_length": 160, "mel_bands": 40, "logarithm": "db"}
    assert wanted.items() <= found.input.items()


def test_half_precision_and_axes_of_length_one_are_read(tmp_path: Path) -> None:
    mel = librosa.feature.melspectrogram(y=sound(1.5), sr=RATE, n_fft=512, hop_length=160)
    values = librosa.power_to_db(mel).T[None, None].astype(np.float16)
    np.save(tmp_path / "half.npy", values)
    write_sound(tmp_path / "a.wav", sound(1.5), RATE, "FLOAT")
    found = described(
        tmp_path / "half.npy", tmp_path / "a.wav", tmp_path / "i.toml", sample_rate=RATE
    )
    assert found.network == {"layout": "11TF"}
    assert found.input["mel_bands"] == 128


def test_an_example_that_is_too_short_is_named(tmp_path: Path, functions: Path) -> None:
    write_sound(tmp_path / "a.wav", sound(0.05), RATE, "FLOAT")
    with pytest.raises(UsageError, match=r"0\.05 s are too short"):
        described(f"{functions}:decibels", tmp_path / "a.wav", tmp_path / "i.toml")


def test_what_is_no_function_of_mel_bands_is_refused(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", sound(3.0), RATE, "FLOAT")
    _, _, spectrum = scipy.signal.stft(sound(3.0), RATE, nperseg=512, noverlap=352)
    np.save(tmp_path / "phase.npy", np.angle(spectrum))
    with pytest.raises(GanexplainError, match='features = "module:function"'):
        described(tmp_path / "phase.npy", tmp_path / "a.wav", tmp_path / "i.toml", sample_rate=RATE)
