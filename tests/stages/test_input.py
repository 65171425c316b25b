"""Inputs described by the command `input`: equal to the features of others, or refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from support.commands import Run
from support.described import RATE, described, input_of, sound
from support.recordings import write_sound

from ganexplain.errors import GanexplainError, UsageError
from ganexplain.inputs.hugging_face import read_extractor
from ganexplain.inputs.specification import read_input_file
from ganexplain.inputs.specification_text import specification_text
from ganexplain.networks.descriptions.input_sources import read_source
from ganexplain.networks.descriptions.references import function_reference


def decibels(samples: np.ndarray) -> np.ndarray:
    """Log-mel (40, T) of librosa, in hops of 200 samples."""
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=512, hop_length=200, n_mels=40)
    return librosa.power_to_db(mel, top_db=None)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("example") / "example.wav"
    write_sound(path, sound(3.0), RATE, "FLOAT")
    return path


# --- folders of Hugging Face --------------------------------------------------------------------


@pytest.mark.third_party
@pytest.mark.parametrize(
    "kind, settings, seconds, layout",
    [
        ("ASTFeatureExtractor", {"max_length": 200, "num_mel_bins": 64}, 2.015, "TF"),
        ("WhisperFeatureExtractor", {"chunk_length": 2}, 2.0, ""),
        ("Wav2Vec2FeatureExtractor", {}, 1.675, ""),
        ("Speech2TextFeatureExtractor", {}, 1.675, "TF"),
        ("SeamlessM4TFeatureExtractor", {}, 1.675, "TF"),
        ("ClapFeatureExtractor", {"max_length_s": 2, "truncation": "rand_trunc"}, 2.0, "1TF"),
        ("ClapFeatureExtractor", {"max_length_s": 2}, 2.0, "4TF"),
    ],
)
def test_the_input_equals_that_of_the_extractor(
    tmp_path: Path, kind: str, settings: dict[str, Any], seconds: float, layout: str
) -> None:
    transformers = pytest.importorskip("transformers")
    extractor = getattr(transformers, kind)(**settings)
    extractor.save_pretrained(tmp_path / "network")
    rate = extractor.sampling_rate
    write_sound(tmp_path / "a.wav", sound(seconds + 0.5, rate), rate)
    described(tmp_path / "network", tmp_path / "a.wav", tmp_path / "input.toml")
    samples = sound(seconds, rate)[::-1].copy()  # another than the example
    theirs = extractor(samples, sampling_rate=rate, return_tensors="np")
    ours, _, call = input_of(tmp_path / "input.toml", samples)
    np.testing.assert_allclose(ours, theirs[extractor.model_input_names[0]][0], atol=1e-4)
    assert call.layout == layout


def test_an_image_processor_is_described_without_its_package(tmp_path: Path) -> None:
    document = {
        "image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 48},
        "rescale_factor": 1 / 255, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1],
    }  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(document))
    _, found = read_extractor(tmp_path)
    assert found is not None
    assert found.values == {
        "kind": "image", "channels": 3, "height": 32, "width": 48, "low": 0.0, "high": 1.0,
        "mean": [0.5, 0.4, 0.3], "deviation": [0.2, 0.2, 0.1],
    }  # fmt: skip


@pytest.mark.parametrize("value", [0, -160, "160", 2.5, None, True])
@pytest.mark.parametrize("kind", ["WhisperFeatureExtractor", "ClapFeatureExtractor"])
def test_a_setting_that_is_no_length_is_named_with_its_file(
    tmp_path: Path, kind: str, value: object
) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({"feature_extractor_type": kind, "hop_length": value}))
    with pytest.raises(GanexplainError, match="hop_length is") as raised:
        read_extractor(tmp_path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    "document, message",
    [
        ({"feature_extractor_type": "ASTFeatureExtractor", "std": 0}, "std is 0, not above 0"),
        (
            {"feature_extractor_type": "ClapFeatureExtractor", "padding": "x"},
            "padding is 'x', not ",
        ),
        ({"image_processor_type": "ViTImageProcessor"}, "size.height is missing"),
        ({"image_processor_type": "ViTImageProcessor", "size": "224"}, "size is '224', not an"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    tmp_path: Path, document: dict[str, object], message: str
) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(document))
    with pytest.raises(GanexplainError, match=rf"preprocessor_config\.json: {message}"):
        read_extractor(tmp_path)


@pytest.mark.third_party
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"feature_extractor_type": "NoSuchExtractor"}, "load feature_extractor_type NoSuchExtr"),
        ({}, "an extractor without a type"),
        (
            {"feature_extractor_type": "UnivNetFeatureExtractor", "sampling_rate": 0},
            "_rate is 0, no",
        ),
        (
            {"feature_extractor_type": "UnivNetFeatureExtractor", "sampling_rate": "8"},
            "is '8', not",
        ),
    ],
)
def test_an_extractor_that_transformers_cannot_make_is_named(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(GanexplainError, match=message) as raised:
        read_source(str(tmp_path), "")
    assert str(tmp_path) in str(raised.value)


def test_a_title_with_line_breaks_writes_no_keys() -> None:
    title = 'V\nfeatures = "evil.py:f"\n#' + "x" * 1000
    text = specification_text({"kind": "image"}, {}, title, {})
    assert tomllib.loads(text) == {"kind": "image"}
    assert max(map(len, text.splitlines())) < 400


# --- functions and arrays -----------------------------------------------------------------------


FUNCTIONS = """
import librosa, numpy as np, torch

def unusual(y, sr):
    mel = librosa.feature.melspectrogram(
        y=y, sr=sr, n_fft=1024, win_length=640, hop_length=160, n_mels=48, fmin=60, fmax=7600,
        power=1.0, htk=True, norm=None)
    return 0.5 * np.log(mel + 1e-4).T[None] + 2

def bent(y, sr):  # its values are neither linear nor logarithmic at usual levels
    mel = librosa.feature.melspectrogram(
        y=y, sr=sr, n_fft=1024, hop_length=256, n_mels=64, power=1.0, fmin=50)
    return np.log1p(10 * mel)

def floored(y, sr):  # a few of its values are at the floor
    mel = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=512, hop_length=160, n_mels=40, htk=True)
    return np.log10(np.maximum(mel, 1e-5))

def hifi_gan(y, sr):
    filters = librosa.filters.mel(sr=sr, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    padded = torch.nn.functional.pad(torch.from_numpy(y)[None], (384, 384), mode="reflect")[0]
    bins = torch.stft(
        padded, 1024, 256, window=torch.hann_window(1024), center=False, return_complex=True)
    magnitudes = torch.sqrt(bins.real**2 + bins.imag**2 + 1e-9)
    return torch.log(torch.clamp(torch.from_numpy(filters) @ magnitudes, min=1e-5))

def by_excerpt(y, sr):
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, n_mels=40))
    return (mel - mel.min()) / max(mel.max() - mel.min(), 1e-9)

def by_band(y, sr):
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, n_mels=40), top_db=None)
    return (mel - mel.mean(1, keepdims=True)) / (mel.std(1, keepdims=True) + 1e-9)

def between_quantiles(y, sr):
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, n_mels=40))
    low, high = np.quantile(mel, [0.1, 0.9])
    return (mel - low) / (high - low + 1e-9)

def noise(y):
    return np.random.default_rng(0).standard_normal((40, len(y) // 200))
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    path = tmp_path / "functions.py"
    path.write_text(FUNCTIONS)
    return path


def test_unusual_settings_of_a_function_are_found(
    tmp_path: Path, functions: Path, example: Path
) -> None:
    found = described(f"{functions}:unusual", example, tmp_path / "input.toml")
    samples = sound(2.0)[::-1].copy()
    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=1024, win_length=640, hop_length=160, n_mels=48, fmin=60,
        fmax=7600, power=1.0, htk=True, norm=None,
    )  # fmt: skip
    theirs = 0.5 * np.log(mel + 1e-4) + 2
    ours, _, call = input_of(tmp_path / "input.toml", samples)
    assert call.layout == "1TF"
    middle = (theirs.shape[1] - ours.shape[1]) // 2
    theirs = theirs[:, middle : middle + ours.shape[1]].T[None]
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * theirs.std())
    wanted = {"hop_length": 160, "lowest_hz": 60.0, "highest_hz": 7600.0, "filters": "peak"}
    assert wanted.items() <= found.input.items()


def test_a_logarithm_that_bends_at_usual_levels_is_found(
    tmp_path: Path, functions: Path, example: Path
) -> None:
    found = described(f"{functions}:bent", example, tmp_path / "input.toml")
    wanted = {
        "frame_length": 1024, "hop_length": 256, "lowest_hz": 50.0, "mel_scale": "slaney",
        "filters": "slaney", "gain": 10.0, "offset": 1.0,
    }  # fmt: skip
    assert wanted.items() <= found.input.items()
    assert found.comparison is not None
    assert found.comparison.agreement.share < 1e-4


FLOORED = {
    "hop_length": 160, "mel_scale": "htk", "power": 2.0, "centred": True, "logarithm": "log10",
    "floor": 1e-5, "offset": 0.0,
}  # fmt: skip
HIFI_GAN = {
    "frame_length": 1024, "hop_length": 256, "mel_scale": "slaney", "filters": "slaney",
    "lowest_hz": 0.0, "highest_hz": 8000.0, "power": 1.0, "centred": False, "pad_start": 384,
    "pad_mode": "reflect", "logarithm": "ln", "floor": 1e-5, "offset": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "function, rate, wanted", [("floored", RATE, FLOORED), ("hifi_gan", 22050, HIFI_GAN)]
)
def test_a_floor_is_told_from_an_offset(
    tmp_path: Path, functions: Path, function: str, rate: int, wanted: dict[str, Any]
) -> None:
    write_sound(tmp_path / "a.wav", sound(3.0, rate), rate, "FLOAT")
    found = described(
        f"{functions}:{function}", tmp_path / "a.wav", tmp_path / "i.toml", sample_rate=rate
    )
    values = vars(read_input_file(tmp_path / "i.toml")[0])
    assert {key: values[key] for key in wanted} == wanted
    assert found.comparison is not None
    assert found.comparison.agreement.share < 1e-5


def test_an_array_with_swapped_axes_is_described_with_its_layout(
    tmp_path: Path, example: Path
) -> None:
    np.save(tmp_path / "features.npy", decibels(sound(3.0)).T)
    found = described(tmp_path / "features.npy", example, tmp_path / "input.toml", sample_rate=RATE)
    assert found.network == {"layout": "TF"}
    wanted = {"frame_length": 512, "hop_length": 200, "mel_scale": "slaney", "logarithm": "db"}
    assert wanted.items() <= found.input.items()


@pytest.mark.parametrize("function, how", [("by_excerpt", "range"), ("by_band", "band")])
def test_standardised_features_are_described(
    tmp_path: Path, functions: Path, example: Path, function: str, how: str
) -> None:
    found = described(f"{functions}:{function}", example, tmp_path / "i.toml", sample_rate=RATE)
    assert found.input["standardise"] == how
    assert found.comparison is not None
    assert found.comparison.agreement.largest < 1e-3


@pytest.mark.parametrize("function", ["noise", "between_quantiles"])
def test_what_no_keys_describe_is_refused(
    tmp_path: Path, functions: Path, example: Path, function: str
) -> None:
    with pytest.raises(
        GanexplainError, match=f"{function}: .*(like no log-mel|no description|each excerpt)"
    ):
        described(f"{functions}:{function}", example, tmp_path / "i.toml", sample_rate=RATE)
    assert not (tmp_path / "i.toml").exists()


def test_a_function_that_works_in_place_does_not_change_the_example(tmp_path: Path) -> None:
    path = tmp_path / "functions.py"
    path.write_text(
        "import torch\n"
        "def louder(y):\n    y *= 3\n    return y\n"
        "def of_tensors(y):\n    y *= 3\n    return y.neg()\n"
    )
    samples = sound(0.1)
    for name, factor in (("louder", 3), ("of_tensors", -3)):
        features = function_reference(f"{path}:{name}", "SOURCE").of(samples, RATE)
        np.testing.assert_allclose(features, factor * sound(0.1))
        np.testing.assert_array_equal(samples, sound(0.1))


@pytest.mark.parametrize("returned", ["y * 1j", "['a', 'b']", "None"])
def test_what_is_no_real_number_is_refused(tmp_path: Path, returned: str) -> None:
    path = tmp_path / "functions.py"
    path.write_text(f"def features(y):\n    return {returned}\n")
    with pytest.raises(UsageError, match="not real numbers"):
        function_reference(f"{path}:features", "SOURCE").of(sound(0.1), RATE)


@pytest.mark.parametrize(
    "returned, message",
    [
        ("y[:1]", "constant"),
        ("y * 0 + 3", "constant, 3"),
        ("y[:9]", "returns 9 steps for a sound of 48,000"),
        ("y[: len(y) // 2]", "returns 24,000 steps for a sound of 48,000"),
    ],
)
def test_features_of_a_part_of_the_sound_are_not_taken_for_equal(
    tmp_path: Path, example: Path, returned: str, message: str
) -> None:
    (tmp_path / "functions.py").write_text(f"def features(y):\n    return {returned}\n")
    (tmp_path / "waves.toml").write_text(f'kind = "waveform"\nsample_rate = {RATE}\nsamples = 9\n')
    with pytest.raises(GanexplainError, match=message):
        described(
            tmp_path / "waves.toml", example, tmp_path / "input.toml",
            features=f"{tmp_path}/functions.py:features",
        )  # fmt: skip


def test_one_frame_is_not_taken_for_equal(tmp_path: Path, example: Path) -> None:
    (tmp_path / "mels.toml").write_text(
        f'convention = "librosa"\nsample_rate = {RATE}\nframe_length = 512\nhop_length = 200\n'
        "mel_bands = 40\n"
    )
    np.save(tmp_path / "features.npy", decibels(sound(3.0))[:, :1])
    with pytest.raises(GanexplainError, match="returns 1 steps for a sound of 241"):
        described(
            tmp_path / "mels.toml", example, tmp_path / "input.toml",
            features=str(tmp_path / "features.npy"),
        )  # fmt: skip


# --- wrong keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"hop_length": 256},
        {"mel_scale": "htk"},
        {"power": 1.0},
        {"highest_hz": 7000.0},
        {"window": "symmetric", "filters": "peak"},
        {"mel_bands": 64},
    ],
)
def test_wrong_keys_are_named_and_mended(
    tmp_path: Path, example: Path, wrong: dict[str, Any]
) -> None:
    np.save(tmp_path / "features.npy", decibels(sound(3.0)))
    right = {"sample_rate": RATE, "frame_length": 512, "hop_length": 200, "mel_bands": 40}
    keys = {"convention": "librosa", **right, **wrong}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    (tmp_path / "wrong.toml").write_text("\n".join(lines))
    found = described(
        tmp_path / "wrong.toml", example, tmp_path / "input.toml",
        features=str(tmp_path / "features.npy"),
    )  # fmt: skip
    assert {change.key for change in found.changes} == set(wrong)
    assert found.comparison is not None
    assert found.comparison.agreement.share < 1e-5


# --- the command --------------------------------------------------------------------------------


def test_the_command_prints_how_far_a_description_is_off(
    tmp_path: Path, example: Path, command: Run
) -> None:
    out = tmp_path / "input.toml"
    words = ("input", "panns", "--example", example, "--out", out)
    assert command(*words).out.splitlines()[0] == str(out)
    assert "exists already" in command(*words).error_line()
    document = json.loads(command(*words, "--overwrite", "--json", "-q").out)
    assert document["input"]["hop_length"] == 320
    assert document["comparison"] is None


@pytest.mark.parametrize(
    "source, message",
    [
        ("librossa", "did you mean 'librosa'"),
        ("nowhere.py:log_mel", "no such file"),
        ("json:dumps", "fails for"),
        ("nothing.npy", "not an array"),
    ],
)
def test_a_source_that_cannot_be_used_is_named(
    tmp_path: Path, example: Path, source: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        described(source, example, tmp_path / "input.toml")


@pytest.mark.parametrize(
    "settings, message",
    [({"sample_rate": RATE}, "--sample-rate: goes with"), ({"seconds": 1e-5}, "--seconds 1e-05: ")],
)
def test_an_option_that_cannot_be_used_is_named(
    tmp_path: Path, example: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        described("wav2vec2", example, tmp_path / "input.toml", **settings)
    assert not (tmp_path / "input.toml").exists()
