"""Pictures of one size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """Pictures of `height` x `width` pixels, with 1 channel (grey) or 3 (red, green, blue).

    Here a picture's values are 0 (dark) to 1. The network gets v = low + x (high - low), and of
    that (v - mean) / deviation, both a number a channel or one for all.
    """

    kind: str = "image"
    channels: int
    height: int
    width: int
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture, (C, H, W)."""
        return self.channels, self.height, self.width
