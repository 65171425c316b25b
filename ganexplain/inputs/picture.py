"""Pictures of one size."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input, Standardisation
from ganexplain.inputs.words import PICTURES

SMALL = 64  # pixels: a smaller picture has no superpixels to speak of


@dataclass(frozen=True, kw_only=True)
class ImageInput(Input):
    """Pictures of `height` x `width` pixels, with 1 channel (grey) or 3 (red, green, blue).

    Here a picture's values are 0 (dark) to 1. The network gets v = low + x (high - low), and of
    that (v - mean) / deviation, both a number a channel or one for all.
    """

    axes, array_axes = "CHW", "KFT"
    axis_words = {"C": "channels", "H": "rows", "W": "columns"}  # noqa: RUF012
    layouts = ("CHW", "HWC")
    plural, words = "pictures", PICTURES

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

    @property
    def bounds(self) -> tuple[float, float]:
        """Dark and bright."""
        return 0.0, 1.0

    @property
    def noise_range(self) -> tuple[float, float]:
        """Dark to bright."""
        return 0.0, 1.0

    @property
    def standardisation(self) -> Standardisation:
        """The range and standardisation that the network has."""
        return Standardisation(self.low, self.high, self.mean, self.deviation)

    @property
    def segments(self) -> str:
        """Superpixels, of small pictures a grid."""
        return "slic" if min(self.height, self.width) >= SMALL else "4x4"

    def check(self, where: str) -> None:
        """UsageError that names `where` and the key, for values that cannot be used."""
        super().check(where)
        if self.channels not in (1, 3):
            raise UsageError(f"{where}: channels is {self.channels}; pictures have 1 or 3")
        for name in ("mean", "deviation"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise UsageError(f"{where}: {name} needs one number, or one a channel")
        if not self.low < self.high or 0.0 in self.deviation:
            raise UsageError(f"{where}: low must lie below high, and no deviation be 0")
