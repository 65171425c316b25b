"""Altered excerpts for the discriminator, real and generated alike (Zhao et al. 2020).

With few recordings a discriminator learns them by heart. Where it only ever sees excerpts
altered at random it cannot, and as generated ones are altered in the same way, and the gradient
passes through, the generator learns the unaltered distribution.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SHIFT_FRAMES = 14  # an eighth of an excerpt
LEVEL_NAT = 0.5  # 4.3 dB
CUT_FRAMES, CUT_BANDS = 24, 16  # a fifth of each


def augmented(mel: Tensor, mean: Tensor, stream: np.random.Generator) -> Tensor:
    """Excerpts (B, F, T) in nat, each shifted in time and level, with spans cut out.

    Frames pushed out at one end come in at the other; the spans, one of frames and one of
    bands, become the bands' `mean` (F,). Draws come from `stream`, on any device the same.
    """
    count, bands, frames = mel.shape

    def draw(low: int, high: int) -> Tensor:
        return torch.from_numpy(stream.integers(low, high + 1, (count, 1))).to(mel.device)

    shift = draw(-SHIFT_FRAMES, SHIFT_FRAMES)
    place = (torch.arange(frames, device=mel.device) + shift) % frames
    x = mel.gather(2, place[:, None, :].expand(-1, bands, -1))
    level = torch.from_numpy(stream.uniform(-LEVEL_NAT, LEVEL_NAT, count).astype(np.float32))
    x = x + level.to(mel.device)[:, None, None]
    in_time = _span(frames, draw(0, CUT_FRAMES), draw(0, frames - 1))[:, None, :]
    in_bands = _span(bands, draw(0, CUT_BANDS), draw(0, bands - 1))[:, :, None]
    return torch.where(in_time | in_bands, mean[:, None], x)


def _span(length: int, width: Tensor, centre: Tensor) -> Tensor:
    """Places (B, length) within `width` / 2 of `centre`, (B, 1) each."""
    places = torch.arange(length, device=width.device)
    return (places >= centre - width // 2) & (places < centre + (width + 1) // 2)
