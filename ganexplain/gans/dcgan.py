"""The generator of Mishra et al. 2019 and a discriminator to train it against, for any shape.

For excerpts of 80 bands and 115 frames the networks are the paper's; for others their ladder of
blocks of stride two is as long as the shape allows, and what is drawn too much is cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
LATENT_SIZE = 128
CHANNELS = 128  # of the first layer: the authors' small model; their big one has 512
BANDS, FRAMES = 80, 115  # of the paper's excerpts
RUNGS = 4  # blocks at least; they halve the channels, further ones keep them
LEAST_SIDE, LARGEST_SIDE = 4, 16  # of the map at the foot of the ladder


@dataclass(frozen=True)
class Steps:
    """The ladder of blocks for a shape (F, T) or (C, H, W): its foot, and the stride of each block.

    Each axis is doubled as often as the shorter one can be without falling below 4 at the foot,
    a long one further until it is at most 16; an axis that is done keeps its length. There are
    at least four blocks, of small shapes some with stride one.
    """

    shape: tuple[int, ...]
    foot: tuple[int, int]
    strides: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Steps:
        """For inputs of that shape."""
        height, width = shape[-2:]
        least = _doublings(min(height, width), LEAST_SIDE, up=False)
        counts = [max(least, _doublings(side, LARGEST_SIDE, up=True)) for side in (height, width)]
        foot = (-(-height // 2 ** counts[0]), -(-width // 2 ** counts[1]))
        strides = tuple(
            (2 if k < counts[0] else 1, 2 if k < counts[1] else 1)
            for k in range(max(*counts, RUNGS))
        )
        return cls(shape, foot, strides)

    @property
    def channels(self) -> int:
        """Of one input."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @property
    def places(self) -> int:
        """At the foot."""
        return self.foot[0] * self.foot[1]

    def front(self, axis: int) -> int:
        """Where what is kept begins, of an axis (0 or 1) of the map at the top."""
        generated = self.foot[axis] * math.prod(stride[axis] for stride in self.strides)
        return (generated - self.shape[axis - 2]) // 2


def _doublings(side: int, limit: int, up: bool) -> int:
    """How often a side is halved until it is at most `limit` (`up`), or would fall below it."""
    count = 0
    while -(-side // 2**count) > limit if up else -(-side // 2 ** (count + 1)) >= limit:
        count += 1
    return count


def scaled(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Values of each band (F,) or channel (C,) as they broadcast to inputs of a shape."""
    return values.view(-1, *[1] * (len(shape) - 1))


class Generator(nn.Module):
    """Latent vectors (B, Z=128) ~ N(0, I) -> natural-log mel (B, F=80, T=115) in nat.

    The network works on standardised log-mel; the buffers `mean` and `deviation` (F,) of the
    training set turn that into nat, so the output is what the classifier's front end gives.
    Values never fall below the front end's floor; above there is no bound.
    `channels` of the first layer halve from layer to layer; 128 give 932,801 parameters
    (method, section 3.1). With `normalise`, batch normalisation stands behind every layer but
    the last while training; `folded` gives the equal network without.

    Of another `shape`, (F, T) or pictures (C, H, W), it has the ladder of `Steps`; `bounds` are
    those of its values in place of the floor, and the buffers are a channel's, (C,).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        floor: float = 1e-7,
        normalise: bool = False,
        channels: int = CHANNELS,
        shape: tuple[int, ...] = (BANDS, FRAMES),
        bounds: tuple[float, float | None] | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.steps = channels, Steps.of(shape)
        sizes = [channels // 2 ** min(k, RUNGS) for k in range(len(self.steps.strides) + 1)]
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))
        self.bounds = bounds or (math.log(floor), None)
        self.fc = nn.Linear(LATENT_SIZE, channels * self.steps.places)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(
                i, o, 5, stride, padding=2, output_padding=(stride[0] - 1, stride[1] - 1)
            )
            for (i, o), stride in zip(pairwise(sizes), self.steps.strides, strict=True)
        )
        self.out = nn.Conv2d(sizes[-1], self.steps.channels, 5, padding=2)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(size) if normalise else nn.Identity() for size in sizes
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Log-mel (B, F, T) of latent vectors (B, Z)."""
        x = self.fc(latent).view(-1, self.channels, *self.steps.foot)
        x = functional.leaky_relu(self.norms[0](x), SLOPE)
        for up, norm in zip(self.ups, self.norms[1:], strict=True):
            x = functional.leaky_relu(norm(up(x)), SLOPE)
        x = self._cut(self.out(x))
        x = x * self.scale + scaled(self.mean, self.steps.shape)
        low, high = self.bounds
        return x.clamp_min(low) if high is None else x.clamp(low, high)

    @property
    def scale(self) -> Tensor:
        """The deviation of each value of an input, (F, 1) or (C, 1, 1)."""
        return scaled(self.deviation, self.steps.shape)

    def distance(self, generated: Tensor, real: Tensor) -> Tensor:
        """Mean squared difference of inputs (B, ...), in deviations: 1 is that of the mean."""
        return ((generated - real) / self.scale).square().mean()

    def _cut(self, x: Tensor) -> Tensor:
        """Maps (B, C, ...) as large as the ladder makes them, cut to the shape."""
        (height, width), top, left = self.steps.shape[-2:], self.steps.front(0), self.steps.front(1)
        x = x[:, 0] if len(self.steps.shape) == 2 else x
        return x[..., top : top + height, left : left + width]

    @torch.no_grad()
    def folded(self) -> Generator:
        """The same function in eval mode with the normalisation folded into the weights."""
        plain = Generator(1.0, False, self.channels, self.steps.shape, self.bounds)
        plain.load_state_dict(self.state_dict(), strict=False)
        for norm, layer in zip(self.norms, [plain.fc, *plain.ups], strict=True):
            folded_into(layer, norm, self.steps.places)
        return plain.eval()


def folded_into(layer: nn.Module, norm: nn.Module, places: int) -> None:
    """Fold batch normalisation, if that is what `norm` is, into the weights of the layer before.

    That is a transposed convolution, or linear with `places` outputs a channel.
    """
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
        return
    assert isinstance(layer, nn.Linear | nn.ConvTranspose1d | nn.ConvTranspose2d)
    assert norm.running_mean is not None and norm.running_var is not None
    assert layer.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    if isinstance(layer, nn.Linear):
        scale, shift = (v.repeat_interleave(places) for v in (scale, shift))
        layer.weight.mul_(scale[:, None])
    else:
        layer.weight.mul_(scale.view(1, -1, *[1] * (layer.weight.ndim - 2)))
    layer.bias.mul_(scale).add_(shift)


class Ladder(nn.Module):
    """Excerpts (B, F, T) in nat, or pictures (B, C, H, W), -> (B, outputs), by 5 x 5 convolutions.

    Their strides are those of `Steps`, two for the paper's shape.

    No normalisation between the layers: what one excerpt gives does not depend on the others
    of its batch. The buffers `mean` and `deviation` (F,) standardise what enters; `extra`
    inputs of the last layer are left to subclasses.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        outputs: int,
        channels: tuple[int, ...] = (16, 32, 64, 128),
        extra: int = 0,
        shape: tuple[int, ...] = (BANDS, FRAMES),
    ) -> None:
        super().__init__()
        steps = self.steps = Steps.of(shape)
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))
        more = [channels[-1]] * (len(steps.strides) - len(channels))
        sizes = (steps.channels, *channels, *more)
        self.downs = nn.ModuleList(
            nn.Conv2d(i, o, 5, stride, padding=2)
            for (i, o), stride in zip(pairwise(sizes), reversed(steps.strides), strict=True)
        )
        self.out = nn.Linear(sizes[-1] * steps.places + extra, outputs)

    def features(self, mel: Tensor) -> Tensor:
        """What the last layer reads (B, 5120) of excerpts (B, F, T)."""
        x = (mel - scaled(self.mean, self.steps.shape)) / scaled(self.deviation, self.steps.shape)
        x = x.unsqueeze(1) if len(self.steps.shape) == 2 else x
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

    def __init__(self, shape: tuple[int, ...] = (BANDS, FRAMES)) -> None:
        super().__init__(outputs=1, extra=1, shape=shape)

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

    def __init__(self, shape: tuple[int, ...] = (BANDS, FRAMES)) -> None:
        super().__init__(outputs=2 * LATENT_SIZE, shape=shape)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Mean and log-variance (B, Z) of the latents of excerpts (B, F, T)."""
        mean, log_variance = super().forward(mel).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)
