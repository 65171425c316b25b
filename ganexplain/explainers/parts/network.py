"""The explainer network (Zhang et al., arXiv 1805.07468): a layer's features as parts.

The paper leaves open what is chosen here: kernels are 3 x 3 and start as the identity, and the
decoder starts as a copy of the classifier's own layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ganexplain.networks.tracing import subnetwork_after

REACH = 4.0  # beta: a template is zero at distance 1 / beta and constant from 2 / beta on

SILENT = 1e-3  # share of the channels' mean mass below which a channel is not normalised
NEWEST = 0.1  # weight of a batch in the running mass


class PartMask(nn.Module):
    """Multiplies maps (B, D, H, W) by a window around the largest value of each.

    The window is the positive part of the template at the peak, divided by its height: 1 at the
    peak, 0 from a distance of a quarter of the map. The peak is constant in gradients, so they are
    masked by the same window.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return masked maps (B, D, H, W)."""
        height, width = maps.shape[-2:]
        rows = torch.arange(height, device=maps.device, dtype=maps.dtype)
        columns = torch.arange(width, device=maps.device, dtype=maps.dtype)
        return maps * window(peaks(maps).to(maps.dtype), rows, columns, height, width)


class MassNorm(nn.Module):
    """Divides maps (B, D, H, W) by alpha (D,), the mean over inputs of the sum of positive values.

    As in batch normalisation, alpha is that of the batch in training, else the running mean, the
    buffer `mass`. A channel that is almost silent is not scaled up, because the rare input in which
    it fires would dominate.
    """

    mass: Tensor
    batches: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mass", torch.ones(channels))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (B, D, H, W) whose positive values sum to one on average."""
        mass = self._of_batch(maps) if self.training else self.mass
        least = (SILENT * mass.detach().mean()).clamp_min(torch.finfo(mass.dtype).tiny)
        return maps / torch.maximum(mass, least)[:, None, None]

    def _of_batch(self, maps: Tensor) -> Tensor:
        mass = functional.relu(maps).sum(dim=(2, 3)).mean(dim=0)
        self.batches += 1
        newest = max(NEWEST, 1 / int(self.batches))  # the mean of the first ten batches
        self.mass.lerp_(mass.detach(), newest)
        return mass


@dataclass(frozen=True)
class Encoding:
    """Features inside the explainer, each (B, D, H, W).

    `maps` are those of the interpretable filters before their mask, `parts` are masked and
    normalised, `ordinary` the normalised ordinary features, `features` the mixture to decode.
    """

    maps: Tensor
    parts: Tensor
    ordinary: Tensor
    features: Tensor


class PartsExplainer(nn.Module):
    """Decomposes features (B, D, H, W) >= 0 into parts and decodes later layers from them.

    Two convolutions, each followed by a rectifier and `PartMask`, compute the parts; one computes
    ordinary features, which parts cannot represent. Both are normalised, mixed with weights p and
    1 - p, where p is the sigmoid of one learned number, and scaled to the classifier's features by
    `scale` (D,). `decoder` is a trainable copy of the classifier's next layers.
    """

    scale: Tensor

    def __init__(self, channels: int, decoder: fx.GraphModule) -> None:
        super().__init__()
        self.interpretable1 = _identity(channels)
        self.interpretable2 = _identity(channels)
        self.ordinary = _identity(channels)
        self.mask = PartMask()
        self.interpretable_norm = MassNorm(channels)
        self.ordinary_norm = MassNorm(channels)
        self.mixing = nn.Parameter(torch.zeros(()))
        self.register_buffer("scale", torch.ones(channels))
        self.decoder = decoder.requires_grad_(True)

    def train(self, mode: bool = True) -> PartsExplainer:
        """Set the mode of all but the decoder, which has no dropout and fixed statistics."""
        super().train(mode)
        self.decoder.eval()
        return self

    @property
    def share(self) -> Tensor:
        """The weight p in (0, 1) of the parts in the decoded features."""
        return torch.sigmoid(self.mixing)

    def encode(self, features: Tensor) -> Encoding:
        """Return features (B, D, H, W) of the classifier as parts and ordinary features."""
        first = self.mask(functional.relu(self.interpretable1(features)))
        maps = functional.relu(self.interpretable2(first))
        parts = self.interpretable_norm(self.mask(maps))
        ordinary = self.ordinary_norm(functional.relu(self.ordinary(features)))
        mixed = self.share * parts + (1 - self.share) * ordinary
        return Encoding(maps, parts, ordinary, mixed * self.scale[:, None, None])

    def weighted_parts(self, encoding: Encoding) -> Tensor:
        """Return the contribution (B, D, H, W) of the parts to the decoded features."""
        return self.share * self.scale[:, None, None] * encoding.parts

    def decode(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the reconstructed features of the classifier's later layers."""
        return self.decoder(features)


def explainer_for(
    network: nn.Module, layer: str, targets: Sequence[str], channels: int
) -> PartsExplainer:
    """Build an untrained explainer of the `channels` of a layer that reconstructs `targets`.

    Raises UsageError as `subnetwork_after` does.
    """
    return PartsExplainer(channels, subnetwork_after(network, layer, targets))


def _identity(channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, channels, 3, padding=1)
    nn.init.dirac_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def template_height(height: int, width: int) -> float:
    """Return tau, the value of a template at its own place: 0.5 / (H W)."""
    return 0.5 / (height * width)


def distances(centres: Tensor, rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    """Return distances (..., R, C) from centres (..., 2), in places, to rows (R,), columns (C,).

    Rows are divided by `height`, columns by `width`.
    """
    down = (rows - centres[..., :1]).abs() / height
    along = (columns - centres[..., 1:]).abs() / width
    return down[..., :, None] + along[..., None, :]


def templates(height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return templates (H W + 1, H, W): tau max(1 - beta distance, -1) for each place, then -tau.

    Places are ordered row by row; the last template is that of no part. All have the prior
    1 / (H W + 1).
    """
    rows, columns = torch.arange(height, dtype=dtype), torch.arange(width, dtype=dtype)
    centres = torch.cartesian_prod(rows, columns).reshape(-1, 2)
    shapes = (1 - REACH * distances(centres, rows, columns, height, width)).clamp_min(-1)
    none = torch.full((1, height, width), -1.0, dtype=dtype)
    return template_height(height, width) * torch.cat([shapes, none])


def window(centres: Tensor, rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    """Return the positive part of templates, divided by tau, (..., R, C) in 0..1.

    Arguments are those of `distances`; coordinates need not be integers.
    """
    return (1 - REACH * distances(centres, rows, columns, height, width)).clamp_min(0)


def peaks(maps: Tensor) -> Tensor:
    """Return row and column (..., 2) of the largest value of maps (..., H, W)."""
    width = maps.shape[-1]
    place = maps.detach().flatten(-2).argmax(-1)
    return torch.stack([place // width, place % width], dim=-1)
