"""The generator of Mishra et al. 2019 and a discriminator to train it against, for any shape.

For excerpts of 80 bands and 115 frames the generator is the paper's. For other shapes it has as
many blocks of stride two as the shape allows, and its output is cropped to the shape.
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
MIN_BLOCKS = 4  # these halve the channels, further blocks keep them
SKETCH_BLOCKS = 2  # of the generator; what no latent redraws of an excerpt is added behind them
LEAST_SIDE, LARGEST_SIDE = 4, 16  # of the smallest map


@dataclass(frozen=True)
class UpsamplingPlan:
    """Size of the smallest map, and stride of each block, for inputs (F, T) or (C, H, W).

    Both axes are halved as often as the shorter one stays at least 4 long. A longer axis is
    halved further until it is at most 16 long. There are at least four blocks; for small shapes
    some of them have stride one.
    """

    shape: tuple[int, ...]
    base_size: tuple[int, int]
    strides: tuple[tuple[int, int], ...]

    @classmethod
    def for_shape(cls, shape: tuple[int, ...]) -> UpsamplingPlan:
        """Return the plan for inputs of a shape (F, T) or (C, H, W)."""
        height, width = shape[-2:]
        least = _doublings(min(height, width), LEAST_SIDE, up=False)
        counts = [max(least, _doublings(side, LARGEST_SIDE, up=True)) for side in (height, width)]
        base_size = (-(-height // 2 ** counts[0]), -(-width // 2 ** counts[1]))
        strides = tuple(
            (2 if k < counts[0] else 1, 2 if k < counts[1] else 1)
            for k in range(max(*counts, MIN_BLOCKS))
        )
        return cls(shape, base_size, strides)

    @property
    def channels(self) -> int:
        """Number of channels of an input."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @property
    def base_places(self) -> int:
        """Number of places of the smallest map."""
        return self.base_size[0] * self.base_size[1]

    def crop_start(self, axis: int) -> int:
        """Return the index from which an axis (0 or 1) of the largest map is kept."""
        length = self.base_size[axis] * math.prod(stride[axis] for stride in self.strides)
        return (length - self.shape[axis - 2]) // 2


def _doublings(side: int, limit: int, up: bool) -> int:
    """Count halvings of a side until it is at most `limit` (`up`), or while it stays above it."""
    count = 0
    while -(-side // 2**count) > limit if up else -(-side // 2 ** (count + 1)) >= limit:
        count += 1
    return count


def broadcast_to_shape(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Reshape values of each band (F,) or channel (C,) to broadcast to inputs of a shape."""
    return values.view(-1, *[1] * (len(shape) - 1))


class Generator(nn.Module):
    """Latent vectors (B, Z=128) ~ N(0, I) -> natural-log mel (B, F=80, T=115) in nat.

    The network computes standardised log-mel. The buffers `mean` and `deviation` (F,) of the
    training set convert it to nat, so the output has the units of the classifier's front end.
    Values are clipped at the front end's floor and have no upper bound.

    Args:
        floor: least magnitude; its logarithm is the least value.
        normalise: add batch normalisation after every layer but the last; `fold_norms` returns
            the equal network without it.
        channels: channels of the first layer, halved from block to block. 128 give 932,801
            parameters (method, section 3.1).
        shape: (F, T), or (C, H, W) of pictures, whose buffers are (C,).
        bounds: least and greatest value, in place of `floor`.
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
        self.channels, self.plan = channels, UpsamplingPlan.for_shape(shape)
        sizes = [channels // 2 ** min(k, MIN_BLOCKS) for k in range(len(self.plan.strides) + 1)]
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))
        self.bounds = bounds or (math.log(floor), None)
        self.fc = nn.Linear(LATENT_SIZE, channels * self.plan.base_places)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(
                i, o, 5, stride, padding=2, output_padding=(stride[0] - 1, stride[1] - 1)
            )
            for (i, o), stride in zip(pairwise(sizes), self.plan.strides, strict=True)
        )
        self.out = nn.Conv2d(sizes[-1], self.plan.channels, 5, padding=2)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(size) if normalise else nn.Identity() for size in sizes
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Return log-mel (B, F, T) for latent vectors (B, Z)."""
        return self.draw(self.sketch(latent))

    def sketch(self, latent: Tensor) -> Tensor:
        """Return maps (B, C, ...) behind the first `SKETCH_BLOCKS` blocks for latents (B, Z)."""
        x = self.fc(latent).view(-1, self.channels, *self.plan.base_size)
        x = functional.leaky_relu(self.norms[0](x), SLOPE)
        return self._blocks(x, 0, SKETCH_BLOCKS)

    def draw(self, sketch: Tensor) -> Tensor:
        """Return log-mel (B, F, T) for maps (B, C, ...) as those of `sketch`."""
        x = self._crop(self.out(self._blocks(sketch, SKETCH_BLOCKS, len(self.ups))))
        x = x * self.scale + broadcast_to_shape(self.mean, self.plan.shape)
        low, high = self.bounds
        return x.clamp_min(low) if high is None else x.clamp(low, high)

    def _blocks(self, x: Tensor, first: int, last: int) -> Tensor:
        """Pass maps through the blocks from `first` to before `last`."""
        for up, norm in zip(self.ups[first:last], self.norms[1 + first : 1 + last], strict=True):
            x = functional.leaky_relu(norm(up(x)), SLOPE)
        return x

    @property
    def scale(self) -> Tensor:
        """Deviation of each band or channel, (F, 1) or (C, 1, 1)."""
        return broadcast_to_shape(self.deviation, self.plan.shape)

    def distance(self, sample: Tensor, real: Tensor) -> Tensor:
        """Mean squared difference of inputs (B, ...), in deviations."""
        return ((sample - real) / self.scale).square().mean()

    def _crop(self, x: Tensor) -> Tensor:
        """Crop maps (B, C, ...) to the shape of the inputs."""
        (height, width), plan = self.plan.shape[-2:], self.plan
        top, left = plan.crop_start(0), plan.crop_start(1)
        x = x[:, 0] if len(plan.shape) == 2 else x
        return x[..., top : top + height, left : left + width]

    @torch.no_grad()
    def fold_norms(self) -> Generator:
        """Return the same function in eval mode, with the normalisation folded into the weights."""
        plain = Generator(1.0, False, self.channels, self.plan.shape, self.bounds)
        plain.load_state_dict(self.state_dict(), strict=False)
        for norm, layer in zip(self.norms, [plain.fc, *plain.ups], strict=True):
            fold_norm(layer, norm, self.plan.base_places)
        return plain.eval()


def fold_norm(layer: nn.Module, norm: nn.Module, places: int) -> None:
    """Fold batch normalisation into the weights of the layer before it; ignore any other `norm`.

    `layer` is a transposed convolution, or linear with `places` outputs for each channel.
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


class ConvStack(nn.Module):
    """Excerpts (B, F, T) in nat, or pictures (B, C, H, W) -> (B, outputs), by 5 x 5 convolutions.

    The strides are those of `UpsamplingPlan`, two for the paper's shape. No layer is normalised,
    so the output for an excerpt does not depend on the others of its batch. The buffers `mean` and
    `deviation` (F,) standardise the input. The last layer has `extra` inputs for subclasses.
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
        plan = UpsamplingPlan.for_shape(shape)
        self.shape = shape
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))
        more = [channels[-1]] * (len(plan.strides) - len(channels))
        sizes = (plan.channels, *channels, *more)
        self.downs = nn.ModuleList(
            nn.Conv2d(i, o, 5, stride, padding=2)
            for (i, o), stride in zip(pairwise(sizes), reversed(plan.strides), strict=True)
        )
        self.out = nn.Linear(sizes[-1] * plan.base_places + extra, outputs)

    def features(self, mel: Tensor) -> Tensor:
        """Return the inputs (B, 5120) of the last layer for excerpts (B, F, T)."""
        mean, deviation = (broadcast_to_shape(v, self.shape) for v in (self.mean, self.deviation))
        x = (mel - mean) / deviation
        x = x.unsqueeze(1) if len(self.shape) == 2 else x
        for down in self.downs:
            x = functional.leaky_relu(down(x), SLOPE)
        return x.flatten(1)

    def forward(self, mel: Tensor) -> Tensor:
        """Return outputs (B, outputs) for excerpts (B, F, T)."""
        return self.out(self.features(mel))


class Discriminator(ConvStack):
    """Excerpts (B, F, T) in nat -> scores (B,), high for real excerpts.

    The last layer also reads `batch_deviation`.
    """

    def __init__(self, shape: tuple[int, ...] = (BANDS, FRAMES)) -> None:
        super().__init__(outputs=1, extra=1, shape=shape)

    def forward(self, mel: Tensor) -> Tensor:
        """Return scores (B,) of excerpts (B, F, T) that are all real or all generated."""
        x = self.features(mel)
        return self.out(torch.cat([x, batch_deviation(x)], dim=1)).squeeze(1)


def batch_deviation(x: Tensor) -> Tensor:
    """Return the standard deviation of features (B, D) over the batch, as (B, 1).

    Minibatch standard deviation (Karras et al. 2018), the mean over features, with the batch as
    one group. It is small where samples are too similar.
    """
    deviation = torch.sqrt(x.var(dim=0, unbiased=False) + 1e-8).mean()
    return deviation.expand(len(x), 1)


class Encoder(ConvStack):
    """Excerpts (B, F, T) in nat -> mean and log-variance, (B, Z) each, of a latent Gaussian."""

    def __init__(self, shape: tuple[int, ...] = (BANDS, FRAMES)) -> None:
        super().__init__(outputs=2 * LATENT_SIZE, shape=shape)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return mean and log-variance (B, Z) of the latents of excerpts (B, F, T)."""
        mean, log_variance = super().forward(mel).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)
