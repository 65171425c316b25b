"""Where in an input the places of a layer look, and how stable a filter's place is."""

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

MOST = 100  # inputs of highest peak that the instability of a filter is of


@dataclass(frozen=True)
class Axis:
    """One axis: place k of `places` looks at the input around `start + stride k` of `cells`."""

    places: int
    cells: int
    start: float
    stride: float

    @classmethod
    def read(cls, places: Any, cells: Any, start: Any, stride: Any) -> Axis:
        """One of a file; ValueError where it is none."""
        found = cls(places, cells, start, stride)
        whole = type(places) is type(cells) is int
        if not (whole and math.isfinite(start) and math.isfinite(stride) and stride > 0):
            raise ValueError(f"an axis is {short_repr(found)}")
        return found

    def coordinates(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The places (cells,), not whole, at which each cell of the input lies."""
        return (torch.arange(self.cells, dtype=dtype) - self.start) / self.stride

    def interpolation(self) -> Tensor:
        """Weights (cells, places) that spread values at places linearly over the cells."""
        at = self.coordinates().clamp(0, self.places - 1)
        return (1 - (at[:, None] - torch.arange(self.places)).abs()).clamp_min(0)


@dataclass(frozen=True)
class Geometry:
    """How the places (H, W) of a layer lie in an input of (F, T) cells: `down` and `along`."""

    down: Axis
    along: Axis

    def fits(self, features: Tensor, x: Tensor) -> bool:
        """Whether it is that of features (..., H, W) of inputs (..., F, T)."""
        axes = zip((self.down, self.along), features.shape[-2:], x.shape[-2:], strict=True)
        return all((axis.places, axis.cells) == (h, f) for axis, h, f in axes)

    def cells(self, places: np.ndarray) -> np.ndarray:
        """Rows and columns (..., 2) of the input at places (..., 2)."""
        start = np.array([self.down.start, self.along.start])
        return start + np.array([self.down.stride, self.along.stride]) * places

    def windows(self, places: np.ndarray) -> np.ndarray:
        """How much each cell (..., F, T) belongs to the part at places (..., 2), 0 to 1."""
        centres = torch.as_tensor(places, dtype=torch.float32)
        found = window(
            centres, self.down.coordinates(), self.along.coordinates(),
            self.down.places, self.along.places,
        )  # fmt: skip
        return found.numpy()

    def spread(self, maps: Tensor) -> Tensor:
        """Maps (..., H, W) of a layer over the input, (..., F, T), linear between the places."""
        return self.down.interpolation().to(maps) @ maps @ self.along.interpolation().to(maps).T


def geometry(front: Callable[[Tensor], Tensor], examples: Tensor) -> Geometry:
    """That of the layer whose output (B, D, H, W) `front` gives for inputs (B, ..., F, T).

    Found by what the gradients of two places reach in `examples` (B, ..., F, T). Where they
    reach an edge of the input, the places are taken to be spread over it evenly.
    """
    x = examples.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        output = front(x)
    height, width = output.shape[-2:]
    low, high = (height // 4, width // 4), (height - 1 - height // 4, width - 1 - width // 4)
    reached = [_reached(output[..., i, j], x) for i, j in (low, high)]
    axes = [
        _axis(places, cells, (low[k], reached[0][k]), (high[k], reached[1][k]))
        for k, (places, cells) in enumerate(zip((height, width), x.shape[-2:], strict=True))
    ]
    return Geometry(*axes)


def _reached(values: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows and the columns of an input that some value depends on."""
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
    """Instability (D,) of filters: how much the distance to landmarks varies, over the diagonal.

    Of each filter the (at most) 100 of N inputs that show a landmark and have the highest peak
    `strength` (N, D); its `positions` (N, D, 2) and the `landmarks` (N, K, 2) in cells, where a
    landmark that an input does not show is not a number. The standard deviation (of N - 1) of the
    distance, its mean over landmarks. Not a number for a filter of fewer than two inputs.
    arXiv 1710.00935, section 4, as the authors' code has it.
    """
    found = np.full((landmarks.shape[1], strength.shape[1]), np.nan)
    for k in range(landmarks.shape[1]):
        visible = np.flatnonzero(np.isfinite(landmarks[:, k]).all(axis=1))
        for f in range(strength.shape[1]):
            firing = visible[strength[visible, f] > 0]
            rows = firing[np.argsort(-strength[firing, f], kind="stable")[:MOST]]
            if len(rows) > 1:
                away = np.linalg.norm(positions[rows, f] - landmarks[rows, k], axis=1)
                found[k, f] = away.std(ddof=1) / diagonal
    return found.mean(axis=0)
