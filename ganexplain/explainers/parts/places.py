"""The places of a layer in the input, and the stability of a filter's places."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.errors import short_repr
from ganexplain.explainers.parts.network import window
from ganexplain.metrics.event_peaks import strongest


@dataclass(frozen=True)
class Axis:
    """One axis: place k of `places` sees the input around cell `start + stride k` of `cells`."""

    places: int
    cells: int
    start: float
    stride: float

    @classmethod
    def read(cls, places: Any, cells: Any, start: Any, stride: Any) -> Axis:
        """Return the axis with values from a file; ValueError where they are invalid."""
        found = cls(places, cells, start, stride)
        whole = type(places) is type(cells) is int
        if not (whole and math.isfinite(start) and math.isfinite(stride) and stride > 0):
            raise ValueError(f"an axis is {short_repr(found)}")
        return found

    def coordinates(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the fractional place (cells,) of each cell of the input."""
        return (torch.arange(self.cells, dtype=dtype) - self.start) / self.stride

    def interpolation(self) -> Tensor:
        """Return weights (cells, places) that interpolate values at places linearly."""
        at = self.coordinates().clamp(0, self.places - 1)
        return (1 - (at[:, None] - torch.arange(self.places)).abs()).clamp_min(0)


@dataclass(frozen=True)
class Geometry:
    """The places (H, W) of a layer in an input of (F, T) cells: axes `down` and `along`."""

    down: Axis
    along: Axis

    def fits(self, features: Tensor, x: Tensor) -> bool:
        """Whether features (..., H, W) and inputs (..., F, T) have these sizes."""
        axes = zip((self.down, self.along), features.shape[-2:], x.shape[-2:], strict=True)
        return all((axis.places, axis.cells) == (h, f) for axis, h, f in axes)

    def cells(self, places: np.ndarray) -> np.ndarray:
        """Return rows and columns (..., 2) of the input at places (..., 2)."""
        start = np.array([self.down.start, self.along.start])
        return start + np.array([self.down.stride, self.along.stride]) * places

    def windows(self, places: np.ndarray) -> np.ndarray:
        """Return windows (..., F, T), 0 to 1, over the input of parts at places (..., 2)."""
        centres = torch.as_tensor(places, dtype=torch.float32)
        found = window(
            centres, self.down.coordinates(), self.along.coordinates(),
            self.down.places, self.along.places,
        )  # fmt: skip
        return found.numpy()

    def spread(self, maps: Tensor) -> Tensor:
        """Interpolate maps (..., H, W) of a layer over the input, (..., F, T)."""
        return self.down.interpolation().to(maps) @ maps @ self.along.interpolation().to(maps).T


def estimate_geometry(front: Callable[[Tensor], Tensor], examples: Tensor) -> Geometry:
    """Return the geometry of the layer whose output (B, D, H, W) `front` computes.

    It is estimated from the cells that the gradients of two places reach in `examples`
    (B, ..., F, T). Where they reach an edge of the input, places are spread evenly over it.
    """
    x = examples.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        output = front(x)
    height, width = output.shape[-2:]
    low, high = (height // 4, width // 4), (height - 1 - height // 4, width - 1 - width // 4)
    reached = [_reached_cells(output[..., i, j], x) for i, j in (low, high)]
    axes = [
        _axis(places, cells, (low[k], reached[0][k]), (high[k], reached[1][k]))
        for k, (places, cells) in enumerate(zip((height, width), x.shape[-2:], strict=True))
    ]
    return Geometry(*axes)


def _reached_cells(values: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows and the columns of an input that some value depends on."""
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(values.sum(), x, retain_graph=True)
    cells = (gradient != 0).flatten(0, -3).any(dim=0)
    return cells.any(dim=1).nonzero().flatten(), cells.any(dim=0).nonzero().flatten()


def _axis(places: int, cells: int, low: tuple[int, Tensor], high: tuple[int, Tensor]) -> Axis:
    even = Axis(places, cells, (cells / places - 1) / 2, cells / places)
    if low[0] >= high[0] or not (len(low[1]) and len(high[1])):
        return even
    ends = [(int(reached[0]), int(reached[-1])) for reached in (low[1], high[1])]
    if ends[0][0] == 0 or ends[1][1] == cells - 1:
        return even
    first, last = (sum(pair) / 2 for pair in ends)
    stride = (last - first) / (high[0] - low[0])
    return Axis(places, cells, first - stride * low[0], stride) if stride > 0 else even


def location_instability(
    strength: np.ndarray, positions: np.ndarray, landmarks: np.ndarray, diagonal: float
) -> np.ndarray:
    """Return the instability (D,) of filters: how much their distance to landmarks varies.

    It is the mean over landmarks of `distance_instability`. arXiv 1710.00935, section 4, and the
    authors' code.

    Args:
        strength: peak of each part (N, D).
        positions: cell of each peak (N, D, 2).
        landmarks: cell of each landmark (N, K, 2), NaN where an input does not show it.
        diagonal: length of the input's diagonal in cells.
    """
    away = np.linalg.norm(positions[:, :, None] - landmarks[:, None], axis=3)
    return distance_instability(strength, away, diagonal).mean(axis=1)


def distance_instability(strength: np.ndarray, away: np.ndarray, diagonal: float) -> np.ndarray:
    """Return how much distances (N, D, K) of D filters' peaks to K landmarks vary, (D, K).

    It is the standard deviation (with N - 1) of the distance over the (at most) 100 inputs with the
    strongest parts in which the distance is not NaN, divided by `diagonal`. It is NaN for a filter
    with fewer than two such inputs.
    """
    found = np.full(away.shape[1:], np.nan)
    for f, k in np.ndindex(*found.shape):
        rows = strongest(np.where(np.isfinite(away[:, f, k]), strength[:, f], 0))
        if len(rows) > 1:
            found[f, k] = away[rows, f, k].std(ddof=1) / diagonal
    return found
