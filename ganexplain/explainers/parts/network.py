"""The explainer network (Zhang et al., arXiv 1805.07468): a layer's features as parts.

What the abstract and the authors' released relatives leave open is ours and said here: kernels of
3 x 3 that begin as the identity, a decoder that begins as the classifier's own layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ganexplain.networks.tracing import subnetwork_after

REACH = 4.0  # beta: a template crosses zero at a distance of 1 / beta, and is flat from 2 / beta on

SILENT = 1e-3  # of the mean mass of the channels: one of less is not brought to a mass of one
NEWEST = 0.1  # weight of a batch in the running mass


class PartMask(nn.Module):
    """Maps (B, D, H, W) kept around the largest value of each, the more the nearer.

    The factor is the positive part of the template at the peak, over its height: 1 at the peak,
    0 from a quarter of the map on. The place counts as constant, so gradients are masked alike.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Masked maps (B, D, H, W)."""
        height, width = maps.shape[-2:]
        rows = torch.arange(height, device=maps.device, dtype=maps.dtype)
        columns = torch.arange(width, device=maps.device, dtype=maps.dtype)
        return maps * window(peaks(maps).to(maps.dtype), rows, columns, height, width)


class MassNorm(nn.Module):
    """Maps (B, D, H, W) over alpha (D,), the mean over inputs of the sum of positive values.

    As in batch normalisation alpha is the batch's while training, and elsewhere the running
    mean, the buffer `mass`. A channel that is all but silent stays so: else the rare input in
    which it fires would drown the others.
    """

    mass: Tensor
    batches: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mass", torch.ones(channels))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, D, H, W), whose positive values sum to one on average."""
        mass = self._of_batch(maps) if self.training else self.mass
        least = (SILENT * mass.detach().mean()).clamp_min(torch.finfo(mass.dtype).tiny)
        return maps / torch.maximum(mass, least)[:, None, None]

    def _of_batch(self, maps: Tensor) -> Tensor:
        mass = functional.relu(maps).sum(dim=(2, 3)).mean(dim=0)
        self.batches += 1
        newest = max(NEWEST, 1 / int(self.batches))  # the plain mean of the first ten
        self.mass.lerp_(mass.detach(), newest)
        return mass


@dataclass(frozen=True)
class Encoding:
    """Features as the explainer has them, each (B, D, H, W).

    `maps` of the interpretable filters before their mask, `parts` masked and normalised,
    `ordinary` the other track normalised, `features` what is decoded.
    """

    maps: Tensor
    parts: Tensor
    ordinary: Tensor
    features: Tensor


class PartsExplainer(nn.Module):
    """Rewrites features (B, D, H, W) >= 0 as parts, and decodes from them what follows.

    Two convolutions, each behind a rectifier masked around its peak, make the parts; one the
    ordinary features, what parts cannot say. Both normalised, they are mixed with p and 1 - p,
    p the sigmoid of one learned number, brought to the `scale` (D,) that the classifier's
    features have, and go through `decoder`, a copy of the classifier's layers behind them.
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
        """Set the mode; the decoder is as in use, without dropout and with fixed statistics."""
        super().train(mode)
        self.decoder.eval()
        return self

    @property
    def share(self) -> Tensor:
        """The weight p in (0, 1): how much of what is decoded comes from the parts."""
        return torch.sigmoid(self.mixing)

    def encode(self, features: Tensor) -> Encoding:
        """Features (B, D, H, W) of the classifier, as parts and ordinary features."""
        first = self.mask(functional.relu(self.interpretable1(features)))
        maps = functional.relu(self.interpretable2(first))
        parts = self.interpretable_norm(self.mask(maps))
        ordinary = self.ordinary_norm(functional.relu(self.ordinary(features)))
        mixed = self.share * parts + (1 - self.share) * ordinary
        return Encoding(maps, parts, ordinary, mixed * self.scale[:, None, None])

    def weighed(self, encoding: Encoding) -> Tensor:
        """What the parts are (B, D, H, W) of the features that are decoded."""
        return self.share * self.scale[:, None, None] * encoding.parts

    def decode(self, features: Tensor) -> tuple[Tensor, ...]:
        """The classifier's later features, as reconstructed."""
        return self.decoder(features)


def explainer_for(
    network: nn.Module, layer: str, targets: Sequence[str], channels: int
) -> PartsExplainer:
    """An untrained explainer of the `channels` of a layer, that reconstructs `targets`.

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
    """tau, the value of a template at its own place: 0.5 / (H W)."""
    return 0.5 / (height * width)


def distances(centres: Tensor, rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    """Distances (..., R, C) from centres (..., 2), in places, to rows (R,) and columns (C,)."""
    down = (rows - centres[..., :1]).abs() / height
    along = (columns - centres[..., 1:]).abs() / width
    return down[..., :, None] + along[..., None, :]


def templates(height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Templates (H W + 1, H, W): tau max(1 - beta distance, -1) for each place, and -tau, for none.

    Their order is that of the places, row by row; all have the prior 1 / (H W + 1).
    """
    rows, columns = torch.arange(height, dtype=dtype), torch.arange(width, dtype=dtype)
    centres = torch.cartesian_prod(rows, columns).reshape(-1, 2)
    shapes = (1 - REACH * distances(centres, rows, columns, height, width)).clamp_min(-1)
    none = torch.full((1, height, width), -1.0, dtype=dtype)
    return template_height(height, width) * torch.cat([shapes, none])


def window(centres: Tensor, rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    """The positive part of templates over tau, (..., R, C) in 0..1, at any rows and columns.

    Arguments as of `distances`; coordinates in places need not be whole.
    """
    return (1 - REACH * distances(centres, rows, columns, height, width)).clamp_min(0)


def peaks(maps: Tensor) -> Tensor:
    """Row and column (..., 2) of the largest value of maps (..., H, W)."""
    width = maps.shape[-1]
    place = maps.detach().flatten(-2).argmax(-1)
    return torch.stack([place // width, place % width], dim=-1)
