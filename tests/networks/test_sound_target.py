"""Networks from the sound of a recording: what NumPy makes of it, and then the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.paths import PRETRAINED

from ganexplain.audio.log_mel import log_mel
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.hooks import layer_output
from ganexplain.networks.sound_target import load_sound_target
from ganexplain.networks.source import NetworkSource

CPU = torch.device("cpu")
CLASSIFIER = PRETRAINED / "classifier.pt"
OWN = """
import torch
from torch import nn

class Level(nn.Module):
    def forward(self, x):
        return x.flatten(1).square().mean(1, keepdim=True)
"""


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (1, samples)).astype(np.float32)


def own(folder: Path, described: str) -> NetworkSource:
    (folder / "own.py").write_text(OWN)
    (folder / "own.toml").write_text(described)
    return NetworkSource(model=f"{folder}/own.py:Level", input=str(folder / "own.toml"))


@torch.no_grad()
def test_a_classifier_of_sound_is_that_of_its_log_mel() -> None:
    target, sound = load_sound_target(NetworkSource(str(CLASSIFIER)), None, CPU)
    ours = load_classifier(CLASSIFIER, CPU)
    assert sound == WaveformInput(sample_rate=22050, samples=FrontEnd().excerpt_samples)
    x = noise(sound.samples)
    mel = torch.from_numpy(log_mel(x[0], FrontEnd()).T[None].copy())
    np.testing.assert_allclose(target.network(torch.from_numpy(x)), ours.network(mel), atol=1e-3)
    assert target.threshold == pytest.approx(np.log(ours.threshold / (1 - ours.threshold)))
    with layer_output(target.network, "fc8") as compute:
        inner = compute(torch.from_numpy(x))
    with layer_output(ours.network, "fc8") as compute:
        np.testing.assert_allclose(inner, compute(mel), atol=1e-3)


@torch.no_grad()
def test_a_network_of_waveforms_gets_its_own_rate_and_length(tmp_path: Path) -> None:
    source = own(tmp_path, 'kind = "waveform"\nsample_rate = 8000\nsamples = 4000\n')
    target, sound = load_sound_target(source, FrontEnd(), CPU)
    assert (sound.sample_rate, sound.samples) == (8000, 4000)
    x = noise(4000)
    found = target.network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, (x**2).mean(1, keepdims=True), rtol=1e-5)


def test_a_network_that_extends_what_it_gets_is_asked_about_the_length_of_the_gan(
    tmp_path: Path,
) -> None:
    described = 'kind = "waveform"\nsample_rate = 8000\nsamples = 80000\n'
    source = own(tmp_path, described + '[network]\nfit = "repeat"\n')
    _, sound = load_sound_target(source, FrontEnd(), CPU)
    assert sound.samples == int(np.ceil(36934 / 22050 * 8000))
    assert load_sound_target(source, None, CPU)[1].samples == 80000


def test_what_is_not_described_gets_what_the_gan_generates(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    source = NetworkSource(model=f"{tmp_path}/own.py:Level")
    target, sound = load_sound_target(source, FrontEnd(), CPU)
    x = noise(sound.samples)
    expected = (log_mel(x[0], FrontEnd()) ** 2).mean()
    assert float(target.network(torch.from_numpy(x))) == pytest.approx(expected, rel=1e-4)


def test_a_judge_takes_the_sound_that_it_is_asked_about() -> None:
    asked = WaveformInput(sample_rate=16000, samples=27000)
    target, sound = load_sound_target(NetworkSource(str(CLASSIFIER)), None, CPU, asked)
    assert sound == asked == target.front_end
    assert target.network(torch.from_numpy(noise(27000))).shape == (1, 1)


def test_pictures_are_no_recordings(tmp_path: Path) -> None:
    source = own(tmp_path, 'kind = "image"\nchannels = 1\nheight = 8\nwidth = 8\n')
    with pytest.raises(UsageError, match=r"own\.py:Level: takes pictures, not recordings"):
        load_sound_target(source, FrontEnd(), CPU)
