"""Templates of a part at one place of a map (Zhang et al., arXiv 1710.00935, section 3).

The paper's are for square maps of n x n places. Here, of H x W, the distance of places is
|i - i'| / H + |j - j'| / W, which for H = W = n is theirs over n.
"""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 4.0  # beta: a template crosses zero at a distance of 1 / beta, and is flat from 2 / beta on


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
