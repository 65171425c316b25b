"""Maps of layers whose axes are not those of the input, or not in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain.attribution.masking import MaskedInput
from ganexplain.attribution.methods.base import Method, Question
from ganexplain.attribution.methods.captum import Captum
from ganexplain.attribution.methods.grad_cam import GradCam
from ganexplain.attribution.methods.map_axes import on_input_axes
from ganexplain.attribution.scorer import Scorer
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.target import adapt_network

BANDS, FRAMES = 24, 32
CAM = GradCam("")
MEL = FrontEnd(mel_bands=BANDS, excerpt_frames=FRAMES)


class Detector(nn.Module):
    """Planes (B, 1, h, w) -> logits (B, 1): the largest of a smoothed plane."""

    def __init__(self, before: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.before = before
        self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.conv.weight, 1 / 9)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.before(x)).flatten(1).amax(1, keepdim=True)


def map_of(
    network: nn.Module, taken: Input, x: Tensor, method: Method = CAM, **call: Any
) -> np.ndarray:
    target = adapt_network(
        network, taken.generator_output, taken, Call(**call), torch.device("cpu")
    )
    scorer = Scorer(lambda x: target.network(x.reshape(len(x), *taken.generator_output.shape)), 0,
                    outputs="activations")  # fmt: skip
    labels = np.zeros(x.shape[-2:], dtype=int)
    parts = MaskedInput(x, labels, torch.zeros_like(x))
    question = Question(x, parts.fill, labels, parts, scorer, target.network)
    return method.ask(question, 0).map


@pytest.fixture
def spot() -> Tensor:
    """Silence with one loud spot (F, T)."""
    x = torch.full((BANDS, FRAMES), -5.0)
    x[16:22, 4:10] = 2.0
    return x


@pytest.mark.parametrize(
    ("layout", "before"),
    [("1FT", lambda x: x), ("1TF", lambda x: x), ("1TF", lambda x: x.transpose(2, 3))],
)
def test_a_map_is_where_the_sound_is(
    spot: Tensor, layout: str, before: Callable[[Tensor], Tensor]
) -> None:
    area = map_of(Detector(before), MEL, spot, layout=layout)
    inside = area[16:22, 4:10].sum() / area.sum()
    assert area.shape == (BANDS, FRAMES) and inside > 0.6


def test_captum_s_maps_of_layers_are_where_the_sound_is(spot: Tensor) -> None:
    area = map_of(Detector(), MEL, spot, Captum("LayerGradCam"), layout="1TF").clip(0)
    assert area[16:22, 4:10].sum() / area.sum() > 0.6


def test_a_map_of_cepstra_is_one_in_time(spot: Tensor) -> None:
    """Each cepstrum contains all bands: there is no map over bands."""
    cepstra = replace(MEL, cepstra=20, standardise="band-mean")
    area = map_of(Detector(torch.abs), cepstra, spot, layout="1FT")
    np.testing.assert_allclose(area, np.broadcast_to(area[:1], area.shape), atol=1e-6)
    assert 4 <= area[0].argmax() < 10 and area[0, 4:10].min() > 3 * area[0, 13:].max()


def test_a_map_of_spectra_inside_is_one_in_time_for_waveforms() -> None:
    def spectra(x: Tensor) -> Tensor:
        frames = x.unfold(1, 64, 32) * torch.hann_window(64)
        return torch.fft.rfft(frames).abs()[:, None]  # (B, 1, T, bins)

    x = torch.zeros(1, 2048)
    x[0, 1200:1500] = torch.sin(2.5 * torch.arange(300))  # far above the middle bin
    area = map_of(Detector(spectra), WaveformInput(sample_rate=8000, samples=2048), x)
    assert area.shape == (1, 2048) and area[0, 1100:1600].sum() / area.sum() > 0.8


def test_a_map_that_follows_its_input_is_as_it_was() -> None:
    area = torch.rand(5, 7, generator=torch.Generator().manual_seed(1))
    pool = nn.AdaptiveAvgPool2d((5, 7))
    found = on_input_axes(area, lambda x: pool(x)[:, None], torch.rand(20, 30))
    torch.testing.assert_close(found, area)
    turned = on_input_axes(area, lambda x: pool(x.transpose(1, 2))[:, None], torch.rand(30, 20))
    torch.testing.assert_close(turned, area.T)
