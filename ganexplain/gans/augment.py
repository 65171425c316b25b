"""Differentiable augmentation for GANs trained on little data (Zhao et al. 2020).

With few recordings a discriminator memorises them. It cannot where it sees only randomly augmented
excerpts. Generated excerpts are augmented in the same way, with gradients, so the generator learns
the distribution of excerpts that are not augmented.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SHIFT_FRAMES = 14  # an eighth of an excerpt
LEVEL_NAT = 0.5  # 4.3 dB
CUT_FRAMES, CUT_BANDS = 24, 16  # a fifth of each


def draw_changes(stream: np.random.Generator, count: int, nat: float = 1.0) -> np.ndarray:
    """Random parameters (count, 6) of `augment`, a row for each excerpt.

    The columns are: shift in frames; change of level, in the unit of the excerpts, of which `nat`
    make one nat of magnitude; width and centre of the span of frames to cut; width and centre of
    the span of bands. Widths are in frames or bands, centres are shares of the axis.
    """
    return np.stack(
        [
            stream.integers(-SHIFT_FRAMES, SHIFT_FRAMES + 1, count),
            nat * stream.uniform(-LEVEL_NAT, LEVEL_NAT, count),
            stream.integers(CUT_FRAMES + 1, size=count),
            stream.random(count),
            stream.integers(CUT_BANDS + 1, size=count),
            stream.random(count),
        ],
        axis=1,
    )


def augment(mel: Tensor, mean: Tensor, changes: np.ndarray) -> Tensor:
    """Shift excerpts (B, F, T) in time and level and cut spans out of them.

    `changes` (B, 6) are rows of `draw_changes`. The shift in time is circular; the spans get the
    bands' `mean` (F,).
    """
    _, bands, frames = mel.shape
    columns = torch.from_numpy(changes.astype(np.float32)).to(mel.device)[:, :, None]
    shift, level, wide, when, high, where = columns.unbind(dim=1)
    place = (torch.arange(frames, device=mel.device) + shift.long()) % frames
    x = mel.gather(2, place[:, None, :].expand(-1, bands, -1)) + level[:, :, None]
    in_time = _span(frames, wide.long(), (frames * when).long())[:, None, :]
    in_bands = _span(bands, high.long(), (bands * where).long())[:, :, None]
    return torch.where(in_time | in_bands, mean[:, None], x)


def _span(length: int, width: Tensor, centre: Tensor) -> Tensor:
    """Mask (B, length) of the places within `width` / 2 of `centre`, both (B, 1)."""
    places = torch.arange(length, device=width.device)
    return (places >= centre - width // 2) & (places < centre + (width + 1) // 2)
