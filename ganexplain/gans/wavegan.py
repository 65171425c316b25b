"""A generator of waveforms and a discriminator to train it against, after WaveGAN.

WaveGAN: Donahue, McAuley & Puckette 2019 (arXiv 1802.04208). Its 16,384 samples are five blocks
of stride four from 16 places; other lengths have as many blocks as they need, and what is drawn
too much is cut off.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.gans.dcgan import CHANNELS, LATENT_SIZE, RUNGS, SLOPE, batch_deviation, folded_into

FOOT, STRIDE, KERNEL = 16, 4, 25  # places at the foot of the ladder
SHORTEST = 64  # samples
SHIFT = 2  # samples that phase shuffle moves a layer by, at most
WINDOWS = (64, 256, 1024)  # samples, of the spectra that waveforms are compared by
QUIETEST = 1e-2  # of a magnitude of one of noise as loud as the training set


def blocks(samples: int) -> int:
    """Blocks of stride four that lead from 16 places to that many samples, or more."""
    count = 1
    while FOOT * STRIDE**count < samples:
        count += 1
    return count


class WaveGenerator(nn.Module):
    """Latent vectors (B, Z=128) ~ N(0, I) -> waveforms (B, W) in -1..1.

    The network works on waveforms of unit deviation; the buffer `deviation` (1,) of the training
    set, whose `mean` is taken for zero, makes them as loud. `channels` of the first layer halve
    from block to block, four times; `normalise` and `folded` as in `dcgan.Generator`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, samples: int, normalise: bool = False, channels: int = CHANNELS) -> None:
        super().__init__()
        self.samples, self.channels, count = samples, channels, blocks(samples)
        self.front = (FOOT * STRIDE**count - samples) // 2
        sizes = [channels // 2 ** min(k, RUNGS) for k in range(count)]
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("deviation", torch.ones(1))
        self.fc = nn.Linear(LATENT_SIZE, channels * FOOT)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(i, o, KERNEL, STRIDE, padding=KERNEL // 2 - 1, output_padding=1)
            for i, o in pairwise([*sizes, 1])
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(size) if normalise else nn.Identity() for size in sizes
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Waveforms (B, W) of latent vectors (B, Z)."""
        x = self.fc(latent).view(-1, self.channels, FOOT)
        x = functional.leaky_relu(self.norms[0](x), SLOPE)
        for up, norm in zip(self.ups, self.norms[1:], strict=False):  # the last has neither
            x = functional.leaky_relu(norm(up(x)), SLOPE)
        x = self.ups[-1](x)[:, 0, self.front : self.front + self.samples]
        return torch.tanh(x * self.deviation)

    def distance(self, generated: Tensor, real: Tensor) -> Tensor:
        """Mean squared difference of log magnitudes of waveforms (B, W), about 2 of noise.

        Of spectra under windows of several lengths, half overlapping (Yamamoto et al. 2020):
        a shift in time or phase, which nobody hears, counts little.
        """
        pair = (_spectra(waveforms / self.deviation) for waveforms in (generated, real))
        return torch.stack([(a - b).square().mean() for a, b in zip(*pair, strict=True)]).mean()

    @torch.no_grad()
    def folded(self) -> WaveGenerator:
        """The same function in eval mode with the normalisation folded into the weights."""
        plain = WaveGenerator(self.samples, False, self.channels)
        plain.load_state_dict(self.state_dict(), strict=False)
        for norm, layer in zip(self.norms, [plain.fc, *plain.ups], strict=False):
            folded_into(layer, norm, FOOT)
        return plain.eval()


def _spectra(waveform: Tensor) -> list[Tensor]:
    """Log magnitudes (B, bins, frames) under each window that fits."""
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


class WaveLadder(nn.Module):
    """Waveforms (B, W) -> (B, outputs), by convolutions of stride four.

    Nothing is normalised but what enters, by `deviation`; `extra` inputs of the last layer are
    left to subclasses. `shifts` (samples, -2 to 2) move what each layer but the last puts out, as
    `phase_shifts` draws them: at zero the network is a function of its input alone.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, outputs: int, samples: int, extra: int = 0) -> None:
        super().__init__()
        count = blocks(samples)
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
        """What the last layer reads (B, D) of waveforms (B, W)."""
        x = (waveform / self.deviation)[:, None]
        for down, shift in zip(self.downs, [*self.shifts, 0], strict=True):
            x = shifted(functional.leaky_relu(down(x), SLOPE), shift)
        return x.flatten(1)

    def forward(self, waveform: Tensor) -> Tensor:
        """Outputs (B, outputs) of waveforms (B, W)."""
        return self.out(self.features(waveform))


def shifted(x: Tensor, by: int) -> Tensor:
    """Values (B, C, T) moved by some places; what comes in at an end mirrors what stands there."""
    if not by:
        return x
    padded = functional.pad(x, (max(by, 0), max(-by, 0)), mode="reflect")
    return padded[..., : x.shape[-1]] if by > 0 else padded[..., -by:]


def phase_shifts(stream: np.random.Generator, count: int) -> list[int]:
    """Phase shuffle (WaveGAN, section 3.3): how far each of some layers is moved, -2 to 2."""
    return [int(by) for by in stream.integers(-SHIFT, SHIFT + 1, count)]


class WaveDiscriminator(WaveLadder):
    """Waveforms (B, W) -> one score each (B,), high for real ones; see `dcgan.Discriminator`."""

    def __init__(self, samples: int) -> None:
        super().__init__(outputs=1, samples=samples, extra=1)

    def forward(self, waveform: Tensor) -> Tensor:
        """Scores (B,) of waveforms (B, W), either all real or all generated."""
        x = self.features(waveform)
        return self.out(torch.cat([x, batch_deviation(x)], dim=1)).squeeze(1)


class WaveEncoder(WaveLadder):
    """Waveforms (B, W) -> mean and log-variance, (B, Z) each, of a latent Gaussian."""

    def __init__(self, samples: int) -> None:
        super().__init__(outputs=2 * LATENT_SIZE, samples=samples)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Mean and log-variance (B, Z) of the latents of waveforms (B, W)."""
        mean, log_variance = super().forward(waveform).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)
