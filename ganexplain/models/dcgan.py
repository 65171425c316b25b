"""The generator of Mishra et al. 2019 and a discriminator to train it against."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
LATENT_SIZE = 128
CHANNELS = (128, 64, 32, 16, 8)
FRONT, BANDS, FRAMES = 6, 80, 115  # frames dropped at the front of 128, and what stays


class Generator(nn.Module):
    """Latent vectors (B, Z=128) ~ N(0, I) -> natural-log mel (B, F=80, T=115) in nat.

    The network works on standardised log-mel; the buffers `mean` and `deviation` (F,) of the
    training set turn that into nat, so the output is what the classifier's front end gives.
    Values never fall below the front end's floor; above there is no bound.
    932,801 parameters (method, section 3.1). With `normalise`, batch normalisation stands
    behind every layer but the last while training; `folded` gives the equal network without.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, floor: float = 1e-7, normalise: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("deviation", torch.ones(BANDS))
        self.log_floor = math.log(floor)
        self.fc = nn.Linear(LATENT_SIZE, CHANNELS[0] * 5 * 8)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 5, stride=2, padding=2, output_padding=1)
            for i, o in pairwise(CHANNELS)
        )
        self.out = nn.Conv2d(CHANNELS[-1], 1, 5, padding=2)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(size) if normalise else nn.Identity() for size in CHANNELS
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Log-mel (B, F, T) of latent vectors (B, Z)."""
        x = self.fc(latent).view(-1, CHANNELS[0], 5, 8)
        x = functional.leaky_relu(self.norms[0](x), SLOPE)
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            x = functional.leaky_relu(norm(up(x)), SLOPE)
        x = self.out(x)[:, 0, :, FRONT : FRONT + FRAMES]
        x = x * self.deviation[:, None] + self.mean[:, None]
        return x.clamp_min(self.log_floor)

    @torch.no_grad()
    def folded(self) -> Generator:
        """The same function in eval mode with the normalisation folded into the weights."""
        plain = Generator(math.exp(self.log_floor))
        plain.load_state_dict(self.state_dict(), strict=False)
        for norm, layer in zip(self.norms, [plain.fc, *plain.ups], strict=True):
            if isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None and norm.running_var is not None
                scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                shift = norm.bias - norm.running_mean * scale
                if isinstance(layer, nn.Linear):
                    scale, shift = (v.repeat_interleave(5 * 8) for v in (scale, shift))
                    layer.weight.mul_(scale[:, None])
                else:
                    layer.weight.mul_(scale[None, :, None, None])
                layer.bias.mul_(scale).add_(shift)
        return plain.eval()


class Ladder(nn.Module):
    """Excerpts (B, F, T) in nat -> (B, outputs), by 5 x 5 convolutions of stride two.

    No normalisation between the layers, so that gradient penalties are those of single
    examples. The buffers `mean` and `deviation` (F,) standardise what enters.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, outputs: int, channels: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("deviation", torch.ones(BANDS))
        self.downs = nn.ModuleList(
            nn.Conv2d(i, o, 5, stride=2, padding=2) for i, o in pairwise((1, *channels))
        )
        self.out = nn.Linear(channels[-1] * 5 * 8, outputs)

    def forward(self, mel: Tensor) -> Tensor:
        """Outputs (B, outputs) of excerpts (B, F, T)."""
        x = ((mel - self.mean[:, None]) / self.deviation[:, None]).unsqueeze(1)
        for down in self.downs:
            x = functional.leaky_relu(down(x), SLOPE)
        return self.out(x.flatten(1))


class Discriminator(Ladder):
    """Excerpts (B, F, T) in nat -> one score each (B,), high for real ones."""

    def __init__(self) -> None:
        super().__init__(outputs=1)

    def forward(self, mel: Tensor) -> Tensor:
        """Scores (B,) of excerpts (B, F, T)."""
        return super().forward(mel).squeeze(1)


class Encoder(Ladder):
    """Excerpts (B, F, T) in nat -> mean and log-variance, (B, Z) each, of a latent Gaussian."""

    def __init__(self) -> None:
        super().__init__(outputs=2 * LATENT_SIZE)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Mean and log-variance (B, Z) of the latents of excerpts (B, F, T)."""
        mean, log_variance = super().forward(mel).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)
