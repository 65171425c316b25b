"""The generator of Mishra et al. 2019 and a discriminator to train it against."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
LATENT_SIZE = 128
CHANNELS = 128  # of the first layer: the authors' small model; their big one has 512
FRONT, BANDS, FRAMES = 6, 80, 115  # frames dropped at the front of 128, and what stays


class Generator(nn.Module):
    """Latent vectors (B, Z=128) ~ N(0, I) -> natural-log mel (B, F=80, T=115) in nat.

    The network works on standardised log-mel; the buffers `mean` and `deviation` (F,) of the
    training set turn that into nat, so the output is what the classifier's front end gives.
    Values never fall below the front end's floor; above there is no bound.
    `channels` of the first layer halve from layer to layer; 128 give 932,801 parameters
    (method, section 3.1). With `normalise`, batch normalisation stands behind every layer but
    the last while training; `folded` gives the equal network without.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, floor: float = 1e-7, normalise: bool = False, channels: int = CHANNELS
    ) -> None:
        super().__init__()
        self.channels = channels
        sizes = [channels // 2**k for k in range(5)]
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("deviation", torch.ones(BANDS))
        self.log_floor = math.log(floor)
        self.fc = nn.Linear(LATENT_SIZE, channels * 5 * 8)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 5, stride=2, padding=2, output_padding=1)
            for i, o in pairwise(sizes)
        )
        self.out = nn.Conv2d(sizes[-1], 1, 5, padding=2)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(size) if normalise else nn.Identity() for size in sizes
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Log-mel (B, F, T) of latent vectors (B, Z)."""
        x = self.fc(latent).view(-1, self.channels, 5, 8)
        x = functional.leaky_relu(self.norms[0](x), SLOPE)
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            x = functional.leaky_relu(norm(up(x)), SLOPE)
        x = self.out(x)[:, 0, :, FRONT : FRONT + FRAMES]
        x = x * self.deviation[:, None] + self.mean[:, None]
        return x.clamp_min(self.log_floor)

    @torch.no_grad()
    def folded(self) -> Generator:
        """The same function in eval mode with the normalisation folded into the weights."""
        plain = Generator(math.exp(self.log_floor), channels=self.channels)
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

    No normalisation between the layers: what one excerpt gives does not depend on the others
    of its batch. The buffers `mean` and `deviation` (F,) standardise what enters; `extra`
    inputs of the last layer are left to subclasses.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, outputs: int, channels: tuple[int, ...] = (16, 32, 64, 128), extra: int = 0
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS))
        self.register_buffer("deviation", torch.ones(BANDS))
        self.downs = nn.ModuleList(
            nn.Conv2d(i, o, 5, stride=2, padding=2) for i, o in pairwise((1, *channels))
        )
        self.out = nn.Linear(channels[-1] * 5 * 8 + extra, outputs)

    def features(self, mel: Tensor) -> Tensor:
        """What the last layer reads (B, 5120) of excerpts (B, F, T)."""
        x = ((mel - self.mean[:, None]) / self.deviation[:, None]).unsqueeze(1)
        for down in self.downs:
            x = functional.leaky_relu(down(x), SLOPE)
        return x.flatten(1)

    def forward(self, mel: Tensor) -> Tensor:
        """Outputs (B, outputs) of excerpts (B, F, T)."""
        return self.out(self.features(mel))


class Discriminator(Ladder):
    """Excerpts (B, F, T) in nat -> one score each (B,), high for real ones.

    Before the last layer the batch as a whole is looked at: `batch_deviation`.
    """

    def __init__(self) -> None:
        super().__init__(outputs=1, extra=1)

    def forward(self, mel: Tensor) -> Tensor:
        """Scores (B,) of excerpts (B, F, T), either all real or all generated."""
        x = self.features(mel)
        return self.out(torch.cat([x, batch_deviation(x)], dim=1)).squeeze(1)


def batch_deviation(x: Tensor) -> Tensor:
    """Mean over features of the standard deviation over the batch, (B, 1), for x (B, D).

    Minibatch standard deviation (Karras et al. 2018) with the batch as one group: a batch of
    samples too much alike can be told by it.
    """
    deviation = torch.sqrt(x.var(dim=0, unbiased=False) + 1e-8).mean()
    return deviation.expand(len(x), 1)


class Encoder(Ladder):
    """Excerpts (B, F, T) in nat -> mean and log-variance, (B, Z) each, of a latent Gaussian."""

    def __init__(self) -> None:
        super().__init__(outputs=2 * LATENT_SIZE)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Mean and log-variance (B, Z) of the latents of excerpts (B, F, T)."""
        mean, log_variance = super().forward(mel).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)
