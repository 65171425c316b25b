"""Generators of maps with conditions, and the discriminator of pairs of an input and a map.

After Akash Guna et al. (arXiv 2301.08067, KBS 302, 2024) and their released code: spatial feature
transform layers (Wang et al. 2018) modulate a picture's features by conditions. Convolutions are
3 x 3 with stride 1 and padding unless stated, without normalisation. Shapes: B inputs of C
channels, n conditions, M output maps, any H x W. The authors' `width` is 64.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GLOBAL_BLOCKS = 32
PLACES = 8  # size of a discriminator's features along each axis before its linear layers
HIDDEN_UNITS = (32, 16)  # of the discriminator's linear layers, for any width
LEAK = 0.1  # slope of the discriminator's rectifiers: with the authors' 0 they die in training


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class FeatureTransform(nn.Module):
    """Modulates features (B, w, H, W) by conditions (B, w / 2, H, W): x (scale + 1) + shift."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.scale = nn.Sequential(_conv(half, half), nn.LeakyReLU(0.1), _conv(half, width))
        self.shift = nn.Sequential(_conv(half, half), nn.LeakyReLU(0.1), _conv(half, width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Features (B, w, H, W)."""
        scaled: Tensor = x * (self.scale(condition) + 1) + self.shift(condition)
        return scaled


class ConditionNet(nn.Sequential):
    """Maps (B, n, H, W) to conditions (B, w / 2, H, W)."""

    def __init__(self, maps: int, width: int) -> None:
        wide = 2 * width
        even = [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(maps, wide, 4)]  # keeps the size
        layers: list[nn.Module] = [*even, nn.LeakyReLU(0.1)]
        for _ in range(3):
            layers += [_conv(wide, wide, 1), nn.LeakyReLU(0.1)]
        super().__init__(*layers, _conv(wide, width // 2))


class GlobalGenerator(nn.Module):
    """GSFT: 32 blocks that all read all conditions.

    Pictures (B, C, H, W) and conditions (B, n, H, W) -> maps (B, M, H, W), by a linear layer.
    """

    def __init__(self, channels: int, maps: int, outputs: int = 1, width: int = 64) -> None:
        super().__init__()
        self.head = _conv(channels, width)
        self.conditions = ConditionNet(maps, width)
        self.transforms = nn.ModuleList(FeatureTransform(width) for _ in range(GLOBAL_BLOCKS + 1))
        self.convolutions = nn.ModuleList(_conv(width, width) for _ in range(GLOBAL_BLOCKS + 1))
        self.tail = _conv(width, outputs)

    def forward(self, picture: Tensor, maps: Tensor) -> Tensor:
        """Maps (B, M, H, W)."""
        first = x = self.head(picture)
        condition = self.conditions(maps)
        *blocks, last = zip(self.transforms, self.convolutions, strict=True)
        for transform, convolution in blocks:
            x = x + functional.relu(convolution(transform(x, condition)))
        out: Tensor = self.tail(first + last[1](last[0](x, condition)))
        return out


class ProgressiveGenerator(nn.Module):
    """LSFT: a block for each condition, deepest first, with plain blocks between.

    Shapes are those of `GlobalGenerator`.
    """

    def __init__(self, channels: int, maps: int, outputs: int = 1, width: int = 64) -> None:
        super().__init__()
        self.head = _conv(channels, width)
        self.conditions = ConditionNet(1, width)
        self.transforms = nn.ModuleList(FeatureTransform(width) for _ in range(maps))
        self.convolutions = nn.ModuleList(_conv(width, width) for _ in range(maps))
        self.plain = nn.ModuleList(
            nn.Sequential(
                _conv(width, width), _conv(width, 2 * width), _conv(2 * width, width),
                nn.LeakyReLU(0.3),
            )
            for _ in range(maps - 1)
        )  # fmt: skip
        self.last = _conv(width, width)
        self.tail = _conv(width, outputs)

    def forward(self, picture: Tensor, maps: Tensor) -> Tensor:
        """Maps (B, M, H, W)."""
        first = x = self.head(picture)
        conditions = [self.conditions(one) for one in maps.split(1, dim=1)]
        for number, condition in enumerate(conditions):
            if number:
                x = x + self.plain[number - 1](x)
            x = x + self.convolutions[number](self.transforms[number](x, condition))
        out: Tensor = self.tail(first + self.last(x))
        return out


class _Extractor(nn.Module):
    """Features of half the size, rounded up, from blocks of three convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.entry, self.block, self.pooled = (
            nn.Sequential(
                _conv(first, outputs), nn.LeakyReLU(LEAK),
                _conv(outputs, outputs), nn.LeakyReLU(LEAK),
                _conv(outputs, outputs), nn.LeakyReLU(LEAK),
            )
            for first in (inputs, outputs, outputs)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        x = x + self.block(x)
        return _halve(x) + _halve(self.pooled(x))


def _halve(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2, ceil_mode=True)


class PairDiscriminator(nn.Module):
    """Logits (B,) that maps (B, M, H, W) are the true ones of pictures (B, C, H, W).

    Features are pooled to 8 x 8, their size for 64 x 64 pictures, so pictures have any size.
    """

    def __init__(self, channels: int, outputs: int = 1, width: int = 64) -> None:
        super().__init__()
        half = width // 2
        self.picture, self.map = _Extractor(channels, width), _Extractor(outputs, width)
        self.both = nn.Sequential(_Extractor(2 * width, width), _Extractor(width, half))
        self.score = nn.Sequential(
            nn.Linear(PLACES * PLACES * half, HIDDEN_UNITS[0]), nn.LeakyReLU(LEAK),
            nn.Linear(*HIDDEN_UNITS), nn.LeakyReLU(LEAK), nn.Linear(HIDDEN_UNITS[1], 1),
        )  # fmt: skip

    def forward(self, picture: Tensor, maps: Tensor) -> Tensor:
        """Logits (B,)."""
        x = self.both(torch.cat([self.picture(picture), self.map(maps)], dim=1))
        scores: Tensor = self.score(functional.adaptive_avg_pool2d(x, PLACES).flatten(1))
        return scores[:, 0]


GENERATORS = {"gsft": GlobalGenerator, "lsft": ProgressiveGenerator}


class InputNormalizer(nn.Module):
    """A generator or discriminator, `inner`, with standardised and resized inputs.

    Inputs are log-mel (B, F, T) with `mean` and `deviation` (F,), or pictures (B, C, H, W) with
    (C,). They are averaged to `fine` x `fine` values for each cell of the maps, as channels.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, inner: nn.Module, statistics: int, fine: int = 1) -> None:
        super().__init__()
        self.inner, self.fine = inner, fine
        self.register_buffer("mean", torch.zeros(statistics))
        self.register_buffer("deviation", torch.ones(statistics))

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        """Apply the inner network to inputs and to maps (B, n, h, w) that are not larger."""
        found: Tensor = self.inner(self.planes(x, maps), maps)
        return found

    def planes(self, x: Tensor, maps: Tensor) -> Tensor:
        """Return the inputs of the inner network (B, C, h, w) for maps (B, n, h, w)."""
        axes = (slice(None), *[None] * (x.ndim - 2))
        standard = (x - self.mean[axes]) / self.deviation[axes]
        planes = standard if x.ndim == 4 else standard[:, None]
        size = (self.fine * maps.shape[-2], self.fine * maps.shape[-1])
        return functional.pixel_unshuffle(functional.adaptive_avg_pool2d(planes, size), self.fine)


class MapGenerator(InputNormalizer):
    """A generator of the difference of a map to `usual` (M, h, w), the mean training map.

    With `gradient` the last of the maps, scaled back to -1..1, is another channel of the input.
    """

    usual: Tensor

    def __init__(
        self,
        inner: nn.Module,
        statistics: int,
        fine: int,
        size: tuple[int, int],
        outputs: int = 1,
        gradient: bool = False,
    ) -> None:
        super().__init__(inner, statistics, fine)
        self.gradient = gradient
        self.register_buffer("usual", torch.full((outputs, *size), 0.5))

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        """Return maps (B, M, h, w) for inputs and maps (B, n, h, w)."""
        planes = self.planes(x, maps)
        if self.gradient:
            planes = torch.cat([planes, 2 * maps[:, -1:] - 1], dim=1)
            maps = maps[:, :-1]
        found: Tensor = self.usual + self.inner(planes, maps)
        return found
