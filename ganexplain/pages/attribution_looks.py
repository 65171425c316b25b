"""How inputs stand on the page of `attribute`, and the maps over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ganexplain.config import FrontEnd
from ganexplain.pages.attribution_picture import luminance, overlaid, png_bytes
from ganexplain.pages.markup import Child, Markup, element, void
from ganexplain.pages.picture_sheet import SIDE, screen_pixels
from ganexplain.pages.sounds import data_uri
from ganexplain.pages.spectrograms import (
    HEIGHT,
    LEFT,
    PIXELS,
    TOP,
    WIDTH,
    ColourScale,
    colour_bar,
    picture,
)


class Look(Protocol):
    """How inputs of one kind are drawn; `noun` is what a drawing is."""

    noun: str

    def drawn(self, values: np.ndarray, over: np.ndarray | None, label: str) -> Markup:
        """An input, where `over` (H, W) is given in grey under this map."""

    def legend(self) -> list[Markup]:
        """What its colours mean."""


@dataclass(frozen=True)
class SpectrogramLook:
    """Log-mel excerpts (F, T) on one colour scale, with axes."""

    scale: ColourScale
    front_end: FrontEnd

    noun = "Spectrogram"

    def drawn(self, values: np.ndarray, over: np.ndarray | None, label: str) -> Markup:
        """As an SVG."""
        mapped: Child = ()
        if over is not None:
            pixels = overlaid(self.scale.indices(values) / 255.0, over)[::-1]
            href = data_uri("image/png", png_bytes(_enlarged(pixels, PIXELS)))
            mapped = void("image", x=LEFT, y=TOP, width=WIDTH, height=HEIGHT,
                          preserveAspectRatio="none", href=href)  # fmt: skip
        return picture(values, self.scale, self.front_end, label, over=mapped)

    def legend(self) -> list[Markup]:
        """The colour scale."""
        said = "natural logarithm of mel magnitude."
        if self.front_end.logarithm != "ln":
            said = "log-mel as the network takes it."
        unit = "nat" if self.front_end.logarithm == "ln" else ""
        return [element("span", unit, class_="unit"), colour_bar(self.scale),
                element("span", said, class_="note")]  # fmt: skip


@dataclass(frozen=True)
class PictureLook:
    """Pictures (C, H, W) in 0..1, as they are."""

    noun = "Picture"

    def drawn(self, values: np.ndarray, over: np.ndarray | None, label: str) -> Markup:
        """As an SVG without axes."""
        _, height, width = values.shape
        pixels = screen_pixels(values)
        if over is not None:
            times = len(pixels) // height
            pixels = _enlarged(overlaid(luminance(values), over), times)
        image = void("image", x=0.0, y=0.0, width=width, height=height,
                     href=data_uri("image/png", png_bytes(pixels)))  # fmt: skip
        small = max(height, width) < SIDE
        return element(
            "svg", image, class_="picture still pixels" if small else "picture still",
            viewBox=f"0 0 {width} {height}", role="img", aria_label=label,
        )  # fmt: skip

    def legend(self) -> list[Markup]:
        """Nothing: a picture has its own colours."""
        return []


def _enlarged(pixels: np.ndarray, times: int) -> np.ndarray:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)
