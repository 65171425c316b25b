"""Front ends against those of other packages, and NumPy's computation against torch's."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.paths import ROOT
from support.recordings import noise

from ganexplain.audio.filterbank import mel_filterbank, mel_frequencies
from ganexplain.audio.log_mel import frame_count, frame_times, log_mel, log_mel_blocks, window
from ganexplain.errors import UsageError
from ganexplain.inputs.conventions import CONVENTIONS
from ganexplain.inputs.log_mel import CHOICES, FrontEnd
from ganexplain.inputs.specification import input_from
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.spectra import LogMel


def front_end_of(**values: Any) -> FrontEnd:
    found = input_from("x", values)
    assert isinstance(found, FrontEnd)
    return found


def sound_of(front_end: FrontEnd, seconds: float = 1.0) -> np.ndarray:
    """Noise that gets louder, with an offset: (samples,) float32."""
    rate = front_end.sample_rate
    sound = noise(seconds, seed=1, rate=rate) * np.linspace(0.1, 1, int(seconds * rate))
    return (sound + 0.01).astype(np.float32)


def both_ways(sound: np.ndarray, front_end: FrontEnd) -> list[np.ndarray]:
    """(F, T) by NumPy and by torch."""
    return [
        log_mel(sound, front_end).T,
        LogMel(front_end)(torch.from_numpy(sound)[None])[0].numpy(),
    ]


def check_equal(front_end: FrontEnd, sound: np.ndarray, theirs: np.ndarray, atol: float) -> None:
    for ours in both_ways(sound, front_end):
        np.testing.assert_allclose(ours, theirs, atol=atol, rtol=0)


# --- packages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("full_scale", [1.0, 2.0**15])
def test_kaldi_s_convention_is_kaldi_s(snip_edges: bool, full_scale: float) -> None:
    """Nat of power. Samples as 16-bit integers are 2 ** 15 as large, powers 2 ** 30."""
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = snip_edges
    options.mel_opts.num_bins = 80
    options.energy_floor = 0
    edges: dict[str, Any] = {} if snip_edges else {"pad_start": 120, "pad_end": 200}
    front_end = front_end_of(
        convention="kaldi", mel_bands=80, gain=full_scale**2, pad_mode="symmetric", **edges
    )
    sound = sound_of(front_end)
    extractor = kaldi.OnlineFbank(options)
    extractor.accept_waveform(16000, sound * full_scale)
    extractor.input_finished()
    rows = [extractor.get_frame(k) for k in range(extractor.num_frames_ready)]
    assert len(rows) == frame_count(sound.size, front_end)
    # Either computes in float32, which is seen where a band is quiet.
    check_equal(front_end, sound, np.array(rows).T, atol=2e-3)
    assert np.abs(log_mel(sound, front_end) - rows).mean() < 2e-5


@pytest.mark.parametrize("shape", ["hamming", "hanning", "povey", "rectangular", "blackman"])
def test_kaldi_s_windows_are_kaldi_s(shape: str) -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither, options.frame_opts.window_type = 0, shape
    front_end = front_end_of(
        convention="kaldi", window_shape="hann" if shape == "hanning" else shape
    )
    sound = sound_of(front_end, 0.1)
    extractor = kaldi.OnlineFbank(options)
    extractor.accept_waveform(16000, sound)
    extractor.input_finished()
    rows = [extractor.get_frame(k) for k in range(extractor.num_frames_ready)]
    check_equal(front_end, sound, np.array(rows).T, atol=1e-4)


def test_speech_to_text_of_transformers() -> None:
    """Nat of power of samples as 16-bit integers."""
    transformers = pytest.importorskip("transformers")
    extractor = transformers.SeamlessM4TFeatureExtractor()
    front_end = front_end_of(convention="kaldi", mel_bands=80, gain=2.0**30)
    sound = sound_of(front_end)
    theirs = extractor._extract_fbank_features(sound)
    check_equal(front_end, sound, theirs.T, atol=1e-4)


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
def test_clap_s_convention_is_clap_s(truncation: str) -> None:
    """dB. Networks with fusion get four copies, of HTK's filters, where nothing is cut."""
    transformers = pytest.importorskip("transformers")
    extractor = transformers.ClapFeatureExtractor(
        truncation=truncation, frequency_min=50, frequency_max=14000
    )
    htk: dict[str, Any] = {"filters": "peak", "mel_scale": "htk"}
    front_end = front_end_of(convention="clap", **htk if truncation == "fusion" else {})
    sound = sound_of(front_end, 10.0)
    theirs = extractor(sound, sampling_rate=48000, return_tensors="np")["input_features"][0]
    for copy in theirs:
        assert copy.T.shape == front_end.shape
        np.testing.assert_array_equal(copy, theirs[0])
    check_equal(front_end, sound, theirs[0].T, atol=1e-3)  # of -60 to 20 dB, in float32


def test_the_convention_of_panns_is_torchlibrosa_s() -> None:
    """dB of power."""
    stft = pytest.importorskip("torchlibrosa.stft")
    front_end = front_end_of(convention="panns")
    sound = sound_of(front_end)
    extractor = torch.nn.Sequential(
        stft.Spectrogram(n_fft=1024, hop_length=320, freeze_parameters=True),
        stft.LogmelFilterBank(
            sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, top_db=None,
            freeze_parameters=True,
        ),
    )  # fmt: skip
    theirs = extractor(torch.from_numpy(sound)[None])[0, 0].numpy().T
    check_equal(front_end, sound, theirs, atol=1e-3)  # its Fourier transform is a convolution


@pytest.mark.parametrize("name, offset", [("vggish", 0.01), ("yamnet", 0.001)])
def test_the_conventions_of_audio_set_are_their_formulas(name: str, offset: float) -> None:
    """`mel_features.py` of tensorflow/models/research/audioset, in nat."""
    front_end = front_end_of(convention=name)
    sound = sound_of(front_end, 0.5)
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), 400)[::160]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    spectrum = np.abs(np.fft.rfft(frames * hann, 512))

    def to_mel(hertz: np.ndarray | float) -> Any:
        return 1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0)

    bins = to_mel(np.linspace(0, 8000, 257))
    edges = np.linspace(to_mel(125), to_mel(7500), 66)
    weights = np.empty((257, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        slopes = (bins - low) / (centre - low), (high - bins) / (high - centre)
        weights[:, band] = np.maximum(0, np.minimum(*slopes))
    check_equal(front_end, sound, np.log(spectrum @ weights + offset).T, atol=1e-4)


def test_bands_that_are_spectral_bins() -> None:
    """dB of power, of librosa's transform without a filterbank."""
    front_end = front_end_of(
        sample_rate=16000, frame_length=512, hop_length=128, filters="none", mel_scale="linear",
        lowest_hz=1000.0, highest_hz=3000.0, mel_bands=65, power=2.0, logarithm="db", floor=1e-10,
        window="periodic", centred=True,
    )  # fmt: skip
    sound = sound_of(front_end, 0.3)
    theirs = librosa.power_to_db(
        np.abs(librosa.stft(sound, n_fft=512, hop_length=128)) ** 2, top_db=None
    )
    check_equal(front_end, sound, theirs[32:97], atol=1e-3)
    np.testing.assert_allclose(mel_frequencies(front_end)[1:-1], np.arange(32, 97) * 31.25)


def test_filters_on_a_linear_scale_are_triangles_in_hertz() -> None:
    front_end = FrontEnd(
        filters="peak", mel_scale="linear", mel_bands=9, lowest_hz=0.0, highest_hz=10000.0
    )
    bins = np.arange(513) * 22050 / 1024
    wanted = np.maximum(0, 1 - np.abs(bins[:, None] - 1000 * np.arange(1, 10)) / 1000)
    np.testing.assert_allclose(mel_filterbank(front_end), wanted, atol=1e-6)


# --- frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["hann", "hamming", "blackman"])
@pytest.mark.parametrize("kind", CHOICES["window"])
def test_windows_are_scipy_s(shape: str, kind: str) -> None:
    found = window(FrontEnd(window=kind, window_shape=shape, window_length=400))
    wanted = scipy.signal.get_window(shape, 400, fftbins=kind == "periodic")
    np.testing.assert_allclose(found[312:712], wanted, atol=1e-7)
    assert not found[:312].any() and not found[712:].any()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"convention": "torchaudio", "power": 1},
        {"gain": 32768.0},
        {"gain": 100.0, "offset": 1e-6},
        {"logarithm": "log10", "filters": "peak", "gain": 1e4},
    ],
)
def test_silence_is_silent_with_a_gradient(keys: dict[str, Any]) -> None:
    """Magnitudes of zero, whose root has no gradient of its own."""
    front_end = front_end_of(**keys)
    silence = np.zeros(front_end.frame_length * 2, np.float32)
    ours, of_torch = both_ways(silence, front_end)
    np.testing.assert_allclose(of_torch, ours, atol=1e-4, rtol=0)
    waveform = torch.zeros(1, silence.size, requires_grad=True)
    (gradient,) = torch.autograd.grad(LogMel(front_end)(waveform).sum(), waveform)
    assert torch.isfinite(gradient).all()


def test_frames_begin_where_the_padding_does() -> None:
    front_end = FrontEnd(pad_start=100, pad_end=50)
    np.testing.assert_allclose(frame_times(2, front_end) * 22050, [412, 727])
    assert frame_count(1024 + 315 - 150, front_end) == 2


# --- both computations ------------------------------------------------------------------------

FRAMES = st.fixed_dictionaries({
    "frame_length": st.integers(40, 90),
    "hop_length": st.integers(10, 100),
    "window_shape": st.sampled_from(CHOICES["window_shape"]),
    "window": st.sampled_from(CHOICES["window"]),
    "preemphasis": st.sampled_from([0.0, 0.97]),
    "preemphasis_of": st.sampled_from(CHOICES["preemphasis_of"]),
    "remove_mean": st.booleans(),
    "centred": st.booleans(),
    "pad_start": st.integers(0, 50),
    "pad_end": st.integers(0, 50),
    "pad_mode": st.sampled_from(CHOICES["pad_mode"]),
    "fft_length": st.sampled_from([0, 128]),
    "mel_scale": st.sampled_from(CHOICES["mel_scale"]),
    "filters": st.sampled_from(["peak", "slaney"]),
    "triangles": st.sampled_from(CHOICES["triangles"]),
    "power": st.sampled_from([1.0, 2.0]),
})  # fmt: skip
VALUES = {"sample_rate": 8000, "mel_bands": 5, "lowest_hz": 0.0, "highest_hz": 0.0, "floor": 1e-4}


@settings(max_examples=60, deadline=None)
@given(frames=FRAMES, sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_blocks_and_torch_compute_what_the_whole_is(
    frames: dict[str, Any], sizes: list[int]
) -> None:
    front_end = front_end_of(**VALUES, **frames)
    sound = sound_of(front_end, 0.1)
    whole, module = both_ways(sound, front_end)
    assert whole.shape == (5, frame_count(sound.size, front_end))
    np.testing.assert_allclose(module, whole, atol=2e-4)
    pieces = np.split(sound, np.minimum(np.cumsum(sizes), sound.size))
    blocks = list(log_mel_blocks(pieces, front_end))
    np.testing.assert_array_equal(np.concatenate(blocks).T, whole)


@settings(max_examples=10, deadline=None)
@given(frames=FRAMES)
def test_the_gradient_is_that_of_differences(frames: dict[str, Any]) -> None:
    module = LogMel(front_end_of(**VALUES, **frames)).double()
    sound = torch.from_numpy(noise(0.04, seed=2, rate=8000)).double()[None].requires_grad_(True)
    assert torch.autograd.gradcheck(module, sound, fast_mode=True)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, message",
    [
        ({"fft_length": 512}, "fft_length = 512 cannot be used"),
        ({"preemphasis": 1.5}, "preemphasis = 1.5 cannot be used"),
        ({"pad_start": -1}, "pad_start = -1 cannot be used"),
        ({"window_shape": "han"}, r"did you mean 'hann'\?"),
        ({"triangles": "mel"}, "triangles = 'mel' cannot be used"),
        ({"filters": "none"}, "mel_scale = 'htk' cannot be used"),
        ({"filters": "none", "mel_scale": "linear"}, "give mel_bands = 370"),
        ({"convention": "kaldy"}, r"did you mean 'kaldi'\?"),
    ],
)
def test_a_key_that_cannot_be_used_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        input_from("input.toml", values)


def test_the_documentation_has_all_keys_and_conventions() -> None:
    text = (ROOT / "docs" / "front-ends.md").read_text()
    names = {each.name for each in (*fields(FrontEnd), *fields(WaveformInput))} - {"kind"}
    choices = {f'"{choice}"' for values in CHOICES.values() for choice in values}
    for name in {*names, *choices - {'"none"'}, *CONVENTIONS}:
        assert f"`{name}`" in text, name
