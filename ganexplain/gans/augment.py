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


def draw_changes(stream: np.random.Generator, count: int, nat: float = 1.0) -> np.ndarray:
    """How each of `count` excerpts is altered (count, 6), for `augmented`.

    Shift in frames, level in the excerpts' unit (`nat` of it are one nat of magnitude), then width
    and place of the span of frames and of that of bands, places as shares of the whole.
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


def augmented(mel: Tensor, mean: Tensor, changes: np.ndarray) -> Tensor:
    """Excerpts (B, F, T), each shifted in time and level, with spans cut out.

    As `changes` (B, 6) of `draw_changes` say. Frames pushed out at one end come in at the
    other; the spans become the bands' `mean` (F,).
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
    """Places (B, length) within `width` / 2 of `centre`, (B, 1) each."""
    places = torch.arange(length, device=width.device)
    return (places >= centre - width // 2) & (places < centre + (width + 1) // 2)
