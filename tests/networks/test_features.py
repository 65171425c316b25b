"""Features that are a function of the user's own: `features = "file.py:function"` in --input."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.recordings import noise, write_sound
from torch import Tensor, nn

from ganexplain.attribution.subject import load_subject
from ganexplain.config import AttributeConfig
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")
SAMPLES = 2000
CODE = """
import pathlib, torch
pathlib.Path(__file__).with_name("imported").touch()
calls = {}

def spectra(x):
    frames = x.unfold(1, 200, 100)
    return (torch.fft.rfft(frames * torch.hann_window(200)).abs() + 1e-3).log()

def detached(x):
    return spectra(x).detach()

def flat(x):
    return spectra(x).flatten()

def failing(x):
    return x.no_such_method()

number = 3
"""


class Louder(nn.Module):
    """Spectra (B, 19, 101) -> logits (B, 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, :9].mean((1, 2)), x[:, 9:].mean((1, 2))], 1)


def spectra(x: Tensor) -> Tensor:
    frames = x.unfold(1, 200, 100)
    return (torch.fft.rfft(frames * torch.hann_window(200)).abs() + 1e-3).log()


@pytest.fixture
def source(tmp_path: Path) -> NetworkSource:
    (tmp_path / "mine.py").write_text(CODE)
    torch.jit.save(torch.jit.trace(Louder(), torch.zeros(2, 19, 101)), tmp_path / "n.pt")
    describe(tmp_path, "spectra")
    return NetworkSource("", str(tmp_path / "n.pt"), "", str(tmp_path / "n.toml"), False, True)


def describe(folder: Path, function: str, more: str = "") -> None:
    (folder / "n.toml").write_text(
        f'kind = "waveform"\nsample_rate = 8000\nsamples = {SAMPLES}\n'
        f"features = '{folder / 'mine.py'}:{function}'\n{more}"
    )


def test_the_network_gets_what_the_function_returns(source: NetworkSource) -> None:
    target = load_target(source, None, CPU)
    assert target.front_end == WaveformInput(sample_rate=8000, samples=SAMPLES)
    waveform = torch.randn(3, SAMPLES, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(target.network(waveform), Louder()(spectra(waveform)))


def test_a_gan_of_log_mel_reaches_it_with_a_gradient(source: NetworkSource) -> None:
    drawn = FrontEnd(excerpt_frames=40, mel_bands=32)
    target = load_target(source, drawn, CPU)
    mel = (torch.randn(2, 32, 40) - 4).requires_grad_(True)
    found = target.network(mel)
    sound = bridge_between(drawn, WaveformInput(sample_rate=8000, samples=SAMPLES))(mel)
    torch.testing.assert_close(found, Louder()(spectra(sound)))
    (gradient,) = torch.autograd.grad(found[:, 1].sum(), mel)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_waveforms_are_standardised_before_it(source: NetworkSource, tmp_path: Path) -> None:
    describe(tmp_path, "spectra", "standardise = true\npreemphasis = 0.97\n")
    waveform = torch.randn(1, SAMPLES, generator=torch.Generator().manual_seed(0)) + 1
    spoken = waveform.clone()
    spoken[:, 1:] -= 0.97 * waveform[:, :-1]
    spoken = (spoken - spoken.mean()) / spoken.std()
    found = load_target(source, None, CPU).network(waveform)
    torch.testing.assert_close(found, Louder()(spectra(spoken)))


def test_attribute_asks_it_in_time(source: NetworkSource, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound.wav", noise(1.0, 8000), 8000)
    config = AttributeConfig(
        inputs=(f"{path}@0.5",), model=source.model, input=source.input, trust_features=True
    )
    subject, (piece,) = load_subject(config, CPU, NullProgress())
    values = torch.from_numpy(piece.values)
    assert values.shape == (1, SAMPLES)
    found = subject.model_of(subject.network)(values[None])
    torch.testing.assert_close(found, Louder()(spectra(values)))


def test_a_file_alone_runs_no_code(source: NetworkSource, tmp_path: Path) -> None:
    meta = {"model": source.model, "classifier": source.model, "input": source.input}
    for found in (
        NetworkSource("", source.model, "", source.input),
        NetworkSource.from_meta(meta, trust=(True, False)),
    ):
        with pytest.raises(UsageError, match="runs code; if you trust it, add --trust-features"):
            load_target(found, None, CPU)
        assert not (tmp_path / "imported").exists()
    load_target(NetworkSource.from_meta(meta, trust=(False, True)), None, CPU)
    assert (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("spectrum", r"no 'spectrum' \(did you mean 'spectra'\?\)"),
        ("detached", "no gradient with respect to the waveform"),
        ("flat", r"returned \(1919,\) for waveforms of shape \(1, 2000\)"),
        ("failing", "failed for waveforms of shape"),
        ("number", "is int, not a function"),
    ],
)
def test_a_function_that_cannot_be_used_is_named(
    source: NetworkSource, tmp_path: Path, function: str, message: str
) -> None:
    describe(tmp_path, function)
    with pytest.raises(UsageError, match=message) as caught:
        load_target(source, None, CPU)
    assert function in str(caught.value) and "\n" not in str(caught.value)


def test_its_file_is_one_of_the_network(source: NetworkSource, tmp_path: Path) -> None:
    assert source.files()["features"] == tmp_path / "mine.py"
    before = source.digest()
    (tmp_path / "mine.py").write_text(CODE + "\n")
    assert source.digest() == before


def test_the_fast_form_computes_the_same(source: NetworkSource) -> None:
    network = load_target(source, None, CPU).network
    waveform = torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0))
    fast = optimize_frozen(network, waveform)
    torch.testing.assert_close(fast(waveform), network(waveform))
