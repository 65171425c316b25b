"""Excerpts that are shorter than a network's input, and pictures of other sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.audio.log_mel import log_mel
from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call, call_from, input_from
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.bridge import bridge_between
from ganexplain.networks.target import adapt_network

RATE = 8000
SHORT = WaveformInput(sample_rate=RATE, samples=700)
LONG = WaveformInput(sample_rate=RATE, samples=1650)
MEL = FrontEnd(
    sample_rate=RATE, frame_length=256, hop_length=80, mel_bands=12, highest_hz=3800.0,
    excerpt_frames=15, scale=0.5, shift=2.0,
)  # fmt: skip
CENTRED = replace(MEL, centred=True, range_below=5.0, excerpt_frames=20)
# What NumPy makes of a sound that ends too early.
PADDED: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "zeros": lambda x, n: np.pad(x, (0, n)),
    "repeat": lambda x, n: np.pad(x, (0, n), mode="wrap"),
    "repeat-whole": lambda x, n: np.pad(np.tile(x, 1 + n // x.size), (0, n % x.size)),
    "reflect": lambda x, n: np.pad(x, (0, n), mode="reflect"),
}


def sound(samples: int = 700) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)


def converted(bridge: nn.Module, x: np.ndarray) -> np.ndarray:
    found: np.ndarray = bridge(torch.from_numpy(x)[None])[0].numpy()
    return found


@pytest.mark.parametrize("fit", PADDED)
def test_waveforms_are_extended_as_by_numpy(fit: str) -> None:
    found = converted(bridge_between(SHORT, LONG, "", fit), sound())
    np.testing.assert_array_equal(found, PADDED[fit](sound(), 950))


@pytest.mark.parametrize("fit", PADDED)
@pytest.mark.parametrize("front_end", [MEL, CENTRED])
def test_log_mel_is_that_of_the_extended_sound(fit: str, front_end: FrontEnd) -> None:
    found = converted(bridge_between(SHORT, front_end, "", fit), sound())
    assert found.shape == front_end.shape
    whole = PADDED[fit](sound(), 820 if front_end.centred else 676)
    wanted = log_mel(whole, replace(front_end, range_below=0.0)).T[:, : front_end.excerpt_frames]
    if front_end.range_below:
        wanted = np.maximum(wanted, wanted.max() - 0.5 * front_end.range_below)
    inner = slice(0, front_end.excerpt_frames - 2)  # the sound ends in the last ones
    np.testing.assert_allclose(found[:, inner], wanted[:, inner], atol=1e-4)


def test_zero_features_are_zeros_before_they_are_standardised() -> None:
    found = converted(bridge_between(SHORT, MEL, "", "zero-features"), sound())
    wanted = log_mel(sound(), MEL).T
    np.testing.assert_allclose(found[:, : wanted.shape[1]], wanted, atol=1e-4)
    np.testing.assert_array_equal(found[:, wanted.shape[1] :], np.float32(2.0))


def test_frames_that_are_the_same_are_extended_without_sound() -> None:
    short = replace(MEL, excerpt_frames=6)
    mel = torch.from_numpy(log_mel(sound(5 * 80 + 256), MEL).T[None])
    own = bridge_between(short, replace(short, floor=1e-6))(mel)  # to the same frames
    longer = replace(MEL, floor=1e-6)
    found = {fit: bridge_between(short, longer, "", fit)(mel) for fit in ("zero-features", *PADDED)}
    for fit, value in (("zeros", longer.silence), ("zero-features", longer.shift)):
        wanted = functional.pad(own, (0, 9), value=value)
        torch.testing.assert_close(found[fit], wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(found["repeat"], torch.cat([own, own, own[..., :3]], -1))
    copies = functional.pad(torch.cat([own, own], -1), (0, 3), value=longer.silence)
    torch.testing.assert_close(found["repeat-whole"], copies, atol=1e-4, rtol=0)
    mirrored = functional.pad(functional.pad(own, (0, 5), "reflect"), (0, 4), "reflect")
    torch.testing.assert_close(found["reflect"][..., :11], mirrored[..., :11])


def test_an_extended_waveform_is_standardised_before() -> None:
    standard = replace(LONG, standardise=True)
    found = converted(bridge_between(SHORT, standard, "", "zeros"), sound())
    wanted = (sound() - sound().mean()) / sound().std(ddof=1)
    np.testing.assert_allclose(found, np.pad(wanted, (0, 950)), atol=1e-5)


def test_a_network_hears_an_extended_excerpt_with_its_gradient() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 3, 50, 25), nn.Flatten())
    network.append(nn.Linear(3 * 65, 2))
    with pytest.raises(UsageError, match=r'takes 1650 samples.*has 700; extend it with fit = "zer'):
        adapt_network(network, SHORT, LONG, Call(), torch.device("cpu"))
    found = adapt_network(network, SHORT, LONG, Call(fit="repeat"), torch.device("cpu")).network
    x, y = (torch.from_numpy(sound())[None].requires_grad_(True) for _ in range(2))
    wanted = network(torch.cat([y, y, y], 1)[:, :1650])
    torch.testing.assert_close(found(x), wanted)
    gradients = [
        torch.autograd.grad(z.square().sum(), at)[0] for z, at in ((found(x), x), (wanted, y))
    ]
    torch.testing.assert_close(*gradients)


EXTRACTORS = {
    "ast": ("ASTFeatureExtractor", "TF", "zero-features", {}),
    "whisper": ("WhisperFeatureExtractor", "FT", "zeros", {}),
    "clap": (
        "ClapFeatureExtractor", "1TF", "repeat-whole",
        {"truncation": "rand_trunc", "frequency_min": 50, "frequency_max": 14000},
    ),
}  # fmt: skip


@pytest.mark.parametrize("convention", EXTRACTORS)
def test_extended_excerpts_are_those_of_the_extractors_of_transformers(convention: str) -> None:
    transformers = pytest.importorskip("transformers")
    kind, layout, fit, settings = EXTRACTORS[convention]
    front_end = input_from("input.toml", {"convention": convention})
    rate = front_end.sound_rate
    x = sound(10 * rate // 6 - 12345)  # CLAP has six copies of it, and then zeros
    drawn = WaveformInput(sample_rate=rate, samples=len(x))
    found = converted(bridge_between(drawn, front_end, layout, fit), x)
    features = getattr(transformers, kind)(**settings)(x, sampling_rate=rate, return_tensors="np")
    np.testing.assert_allclose(found, next(iter(features.values()))[0], atol=1e-4)


def test_an_unknown_way_to_extend_is_named() -> None:
    with pytest.raises(UsageError, match=r"n\.toml: network: fit.*'zeros'"):
        call_from("n.toml", {"fit": "zeroes"})


# --- pictures ---------------------------------------------------------------------------------


def picture(channels: int, height: int, width: int) -> Tensor:
    stream = torch.Generator().manual_seed(1)
    return torch.rand(2, channels, height, width, generator=stream)


@pytest.mark.parametrize("size", [(9, 14), (4, 5)])
def test_pictures_are_resized_as_by_pillow(size: tuple[int, int]) -> None:
    drawn = ImageInput(channels=1, height=6, width=7)
    network = ImageInput(channels=1, height=size[0], width=size[1], high=255.0)
    found = bridge_between(drawn, network)(picture(1, 6, 7))
    for ours, before in zip(found[:, 0], picture(1, 6, 7)[:, 0], strict=True):
        whole = Image.fromarray(before.numpy()).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(ours.numpy(), np.asarray(whole) * 255, atol=1e-3)


def test_grey_and_colours_are_exchanged() -> None:
    grey, colour = (ImageInput(channels=channels, height=6, width=7) for channels in (1, 3))
    found = bridge_between(grey, colour)(picture(1, 6, 7))
    torch.testing.assert_close(found, picture(1, 6, 7).repeat(1, 3, 1, 1))
    found = bridge_between(colour, grey)(picture(3, 6, 7))
    for ours, before in zip(found[:, 0], picture(3, 6, 7), strict=True):
        levels = (before.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        wanted = np.asarray(Image.fromarray(levels).convert("L")) / 255
        np.testing.assert_allclose(ours.numpy(), wanted, atol=1.5 / 255)
