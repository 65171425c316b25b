"""A generator of waveforms and a discriminator to train it against, after WaveGAN.

WaveGAN: Donahue, McAuley & Puckette 2019 (arXiv 1802.04208). It generates 16,384 samples by five
blocks of stride four from 16 places. Other lengths have as many blocks as they need, and the
output is cropped.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.gans.dcgan import (
    CHANNELS,
    LATENT_SIZE,
    MIN_BLOCKS,
    SLOPE,
    batch_deviation,
    fold_norm,
)

BASE_LENGTH, STRIDE, KERNEL = 16, 4, 25  # places of the shortest map
SHORTEST = 64  # samples
SHIFT = 2  # most places that phase shuffle moves a layer's output by
WINDOWS = (64, 256, 1024)  # samples, of the spectra in which waveforms are compared
QUIETEST = 1e-2  # least magnitude; noise as loud as the training set has 1


def block_count(samples: int) -> int:
    """Return the number of blocks of stride four from 16 places to at least `samples` samples."""
    count = 1
    while BASE_LENGTH * STRIDE**count < samples:
        count += 1
    return count


class WaveGenerator(nn.Module):
    """Latent vectors (B, Z=128) ~ N(0, I) -> waveforms (B, W) in -1..1.

    The network computes waveforms of unit deviation. The buffer `deviation` (1,) of the training
    set, whose `mean` is taken as zero, scales them. `channels` of the first layer are halved from
    block to block, four times; `normalise` and `fold_norms` as in `dcgan.Generator`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, samples: int, normalise: bool = False, channels: int = CHANNELS) -> None:
        super().__init__()
        self.samples, self.channels, count = samples, channels, block_count(samples)
        self.crop_start = (BASE_LENGTH * STRIDE**count - samples) // 2
        sizes = [channels // 2 ** min(k, MIN_BLOCKS) for k in range(count)]
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("deviation", torch.ones(1))
        self.fc = nn.Linear(LATENT_SIZE, channels * BASE_LENGTH)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(i, o, KERNEL, STRIDE, padding=KERNEL // 2 - 1, output_padding=1)
            for i, o in pairwise([*sizes, 1])
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(size) if normalise else nn.Identity() for size in sizes
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Return waveforms (B, W) for latent vectors (B, Z)."""
        x = self.fc(latent).view(-1, self.channels, BASE_LENGTH)
        x = functional.leaky_relu(self.norms[0](x), SLOPE)
        for up, norm in zip(self.ups, self.norms[1:], strict=False):  # all but the last
            x = functional.leaky_relu(norm(up(x)), SLOPE)
        x = self.ups[-1](x)[:, 0, self.crop_start : self.crop_start + self.samples]
        return torch.tanh(x * self.deviation)

    def distance(self, sample: Tensor, real: Tensor) -> Tensor:
        """Return the mean squared difference of the log spectra of waveforms (B, W).

        The spectra have half-overlapping windows of several lengths (Yamamoto et al. 2020), so
        that an inaudible shift in time or phase changes little. Between two noises it is about 2.
        """
        pair = (_spectra(waveforms / self.deviation) for waveforms in (sample, real))
        return torch.stack([(a - b).square().mean() for a, b in zip(*pair, strict=True)]).mean()

    @torch.no_grad()
    def fold_norms(self) -> WaveGenerator:
        """Return the same function in eval mode, with the normalisation folded into the weights."""
        plain = WaveGenerator(self.samples, False, self.channels)
        plain.load_state_dict(self.state_dict(), strict=False)
        for norm, layer in zip(self.norms, [plain.fc, *plain.ups], strict=False):
            fold_norm(layer, norm, BASE_LENGTH)
        return plain.eval()


def _spectra(waveform: Tensor) -> list[Tensor]:
    """Return log magnitudes (B, bins, frames) for each window that is short enough."""
    waveform = waveform.float()
    fitting = [length for length in WINDOWS if length <= waveform.shape[1]] or [waveform.shape[1]]
    found = []
    for length in fitting:
        window = torch.hann_window(length, device=waveform.device)
        frames = waveform.unfold(1, length, max(length // 2, 1)) * window
        spectrum = torch.fft.rfft(frames / window.square().sum().sqrt(), dim=2)
        squares = spectrum.real.square() + spectrum.imag.square()
        found.append(0.5 * torch.log(squares + QUIETEST**2))
    return found


class WaveConvStack(nn.Module):
    """Waveforms (B, W) -> (B, outputs), by convolutions of stride four.

    Only the input is normalised, by `deviation`. The last layer has `extra` inputs for subclasses.
    `shifts` (places, -2 to 2) move the output of each layer but the last, as `phase_shifts` draws
    them; at zero the network depends on its input alone.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, outputs: int, samples: int, extra: int = 0) -> None:
        super().__init__()
        count = block_count(samples)
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("deviation", torch.ones(1))
        sizes = (1, *(min(16 * 2**k, 128) for k in range(count)))
        self.downs = nn.ModuleList(
            nn.Conv1d(i, o, KERNEL, STRIDE, padding=KERNEL // 2 - 1) for i, o in pairwise(sizes)
        )
        self.shifts = [0] * (count - 1)
        places = samples
        for _ in range(count):
            places = (places + 2 * (KERNEL // 2 - 1) - KERNEL) // STRIDE + 1
        self.out = nn.Linear(sizes[-1] * places + extra, outputs)

    def features(self, waveform: Tensor) -> Tensor:
        """Return the inputs (B, D) of the last layer for waveforms (B, W)."""
        x = (waveform / self.deviation)[:, None]
        for down, shift in zip(self.downs, [*self.shifts, 0], strict=True):
            x = shift_in_time(functional.leaky_relu(down(x), SLOPE), shift)
        return x.flatten(1)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return outputs (B, outputs) for waveforms (B, W)."""
        return self.out(self.features(waveform))


def shift_in_time(x: Tensor, by: int) -> Tensor:
    """Shift values (B, C, T) by some places, with reflection at the ends."""
    if not by:
        return x
    padded = functional.pad(x, (max(by, 0), max(-by, 0)), mode="reflect")
    return padded[..., : x.shape[-1]] if by > 0 else padded[..., -by:]


def phase_shifts(stream: np.random.Generator, count: int) -> list[int]:
    """Draw the shift, -2 to 2, of each of `count` layers: phase shuffle (WaveGAN, section 3.3)."""
    return [int(by) for by in stream.integers(-SHIFT, SHIFT + 1, count)]


class WaveDiscriminator(WaveConvStack):
    """Waveforms (B, W) -> scores (B,), high for real waveforms; see `dcgan.Discriminator`."""

    def __init__(self, samples: int) -> None:
        super().__init__(outputs=1, samples=samples, extra=1)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return scores (B,) of waveforms (B, W) that are all real or all generated."""
        x = self.features(waveform)
        return self.out(torch.cat([x, batch_deviation(x)], dim=1)).squeeze(1)


class WaveEncoder(WaveConvStack):
    """Waveforms (B, W) -> mean and log-variance, (B, Z) each, of a latent Gaussian."""

    def __init__(self, samples: int) -> None:
        super().__init__(outputs=2 * LATENT_SIZE, samples=samples)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return mean and log-variance (B, Z) of the latents of waveforms (B, W)."""
        mean, log_variance = super().forward(waveform).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)
