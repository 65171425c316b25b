"""`attribute` of networks whose front ends standardise an excerpt as a whole."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import torch
from support.recordings import noise, tone, write_sound
from torch import nn

from ganexplain.attribution.fills import fill
from ganexplain.attribution.inputs.excerpts import Moment
from ganexplain.attribution.masking import MaskedInput
from ganexplain.attribution.subject import Subject, load_subject
from ganexplain.audio.filtering import filter_by_share
from ganexplain.config import AttributeConfig
from ganexplain.runs.progress import NullProgress

RATE, BANDS, FRAMES = 22050, 40, 32
LOG_MEL = f'convention = "librosa"\nmel_bands = {BANDS}\nexcerpt_frames = {FRAMES}\n'


class Weighted(nn.Module):
    """Inputs (B, F, T) -> logits (B, 2): their product with a fixed pattern, and 0."""

    pattern: torch.Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        pattern = torch.randn(rows, FRAMES, generator=torch.Generator().manual_seed(0))
        self.register_buffer("pattern", pattern / 100)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = (x * self.pattern).sum((1, 2))
        return torch.stack([value, torch.zeros_like(value)], dim=1)


def asked(folder: Path, network: Weighted, keys: str) -> tuple[Subject, Moment, np.ndarray]:
    """The subject, its excerpt at one second, and librosa's decibels of that (F, T)."""
    example = torch.zeros(2, *network.pattern.shape)
    torch.jit.save(torch.jit.trace(network, example), folder / "n.pt")
    (folder / "n.toml").write_text(LOG_MEL + keys)
    sound = tone(3000, 2.0) + 0.05 * noise(2.0)
    sound[: RATE // 2] *= 30 / np.abs(sound).max()  # outside of the excerpt
    path = write_sound(folder / "sound.wav", sound / 31)
    config = AttributeConfig(
        inputs=(f"{path}@1.25",), model=str(folder / "n.pt"), input=str(folder / "n.toml")
    )
    subject, (moment,) = load_subject(config, torch.device("cpu"), NullProgress())
    assert isinstance(moment, Moment)
    waveform = librosa.load(path, sr=RATE)[0]
    spectrum = librosa.feature.melspectrogram(y=waveform, sr=RATE, n_mels=BANDS)
    middle = round(1.25 * RATE / 512)
    theirs = librosa.power_to_db(spectrum, top_db=None)
    return subject, moment, theirs[:, middle - FRAMES // 2 : middle + FRAMES // 2]


def test_the_loudest_value_is_that_of_the_excerpt(tmp_path: Path) -> None:
    """`power_to_db(ref=np.max)` of the excerpt, and its clamp 30 dB below."""
    network = Weighted(BANDS)
    subject, moment, decibels = asked(tmp_path, network, "relative = true\nrange_below = 30\n")
    relative = np.maximum(decibels - decibels.max(), -30)
    wanted = network(torch.from_numpy(relative)[None].float())
    found = subject.network(torch.from_numpy(moment.values)[None])
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
    np.testing.assert_allclose(moment.mel, decibels, atol=0.1)  # is shown as it sounds


def test_a_part_that_is_silenced_is_silent_before_the_loudest_is_sought(tmp_path: Path) -> None:
    network = Weighted(BANDS)
    subject, moment, decibels = asked(tmp_path, network, "relative = true\nrange_below = 30\n")
    x = torch.from_numpy(moment.values)
    labels = np.zeros(x.shape, dtype=int)
    labels[: BANDS // 2] = 1
    silent = fill("silence", x, labels, subject.reference)
    parts = MaskedInput(x, labels, silent)
    masked = parts.compose(np.array([[True, False]]))
    heard = decibels.copy()
    heard[: BANDS // 2] = -100
    relative = np.maximum(heard - heard.max(), -30)
    wanted = network(torch.from_numpy(relative)[None].float())
    torch.testing.assert_close(subject.network(masked), wanted, atol=2e-3, rtol=0)


def test_a_network_of_mfcc_is_asked_in_bands(tmp_path: Path) -> None:
    network = Weighted(13)
    subject, moment, decibels = asked(tmp_path, network, "cepstra = 13\n")
    mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=13)
    wanted = network(torch.from_numpy(mfcc)[None].float())
    assert moment.values.shape == (BANDS, FRAMES)
    found = subject.network(torch.from_numpy(moment.values)[None])
    torch.testing.assert_close(found, wanted, atol=1e-2, rtol=0)


def test_sounds_of_parts_add_up_with_a_longer_transform(tmp_path: Path) -> None:
    keys = 'preemphasis = 0.97\nfft_length = 4096\nremove_mean = true\nwindow_shape = "povey"\n'
    _, moment, _ = asked(tmp_path, Weighted(BANDS), keys)
    share = np.ones((BANDS, FRAMES))
    share[:, FRAMES // 2 :] = 0
    kept = filter_by_share(moment.waveform, share, moment.front_end)
    rest = filter_by_share(moment.waveform, 1 - share, moment.front_end)
    np.testing.assert_allclose(kept + rest, moment.waveform, atol=1e-6)
    last = (FRAMES // 2 - 1) * 512 + 2048  # of the frames kept
    assert np.abs(kept[last:]).max() < 1e-3 < np.abs(kept[: last - 2048]).max()
    np.testing.assert_allclose(kept[: last - 2048 - 512], moment.waveform[: last - 2048 - 512],
                               atol=1e-3)  # fmt: skip
