"""How inputs stand on a page: log-mel and waveforms as spectrograms, pictures as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ganexplain.audio.display import display_inputs, display_spec
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.report.charts.spectrograms import (
    HEIGHT,
    LEFT,
    PIXELS,
    TOP,
    WIDTH,
    colour_legend,
    colour_scale,
    picture,
    png_uri,
)
from ganexplain.report.html.levels import level_text, meaning, round_step
from ganexplain.report.html.markup import Markup, data_uri, element, void
from ganexplain.report.pictures.attribution_picture import (
    enlarged,
    luminance,
    overlaid,
    picture_png,
)
from ganexplain.report.pictures.png import png_bytes
from ganexplain.report.pictures.sample_sheet import SIDE, screen_pixels
from ganexplain.report.pictures.spectrogram_picture import spectrogram_picture

NOTABLE, FAR = 0.5, 5.0  # round steps above the colour scale: a panel says so; an example of it
NOT_FINITE = "contains values that are not finite"


class Medium(Protocol):
    """How one kind of input is shown on a page."""

    noun: str  # the name of one

    def picture(self, one: np.ndarray, label: str, step: int = 1) -> Markup:
        """Draw one input as an SVG."""

    def mapped(self, one: np.ndarray, area: np.ndarray, label: str) -> Markup:
        """Draw one input in grey under a map."""

    def thumbnail(self, one: np.ndarray, step: int = 1) -> str:
        """Return one input as the `data:` address of a small PNG."""

    def png(self, one: np.ndarray) -> bytes:
        """Return one input as the PNG of a file of its own."""

    def remark(self, one: np.ndarray) -> str:
        """Return what the picture does not show, such as values beyond the colours."""

    @property
    def note(self) -> str:
        """How to read the caption of a picture."""

    @property
    def legend(self) -> list[Markup]:
        """What the pictures show, with their colour scale."""

    @property
    def colours(self) -> list[Markup]:
        """The colour scale alone."""


class Spectrograms:
    """Excerpts (F, T), or waveforms (W,), on the colour scale that shows `real` (N, ...) well."""

    noun = "Spectrogram"

    def __init__(self, front_end: FrontEnd, input_spec: Input, real: np.ndarray) -> None:
        self.front_end, self.input_spec, self.count = front_end, input_spec, len(real)
        self.scale = colour_scale(self._mel(real), self.front_end)

    def _mel(self, inputs: np.ndarray) -> np.ndarray:
        return display_inputs(self.input_spec, inputs)

    def picture(self, one: np.ndarray, label: str, step: int = 1) -> Markup:
        """One input as an SVG with axes; see `spectrograms.picture`."""
        return picture(self._mel(one), self.scale, self.front_end, label, step)

    def mapped(self, one: np.ndarray, area: np.ndarray, label: str) -> Markup:
        """Draw one input in grey under a map (F, T)."""
        mel = self._mel(one)
        pixels = enlarged(overlaid(self.scale.indices(mel) / 255.0, area)[::-1], PIXELS)
        over = void(
            "image", x=LEFT, y=TOP, width=WIDTH, height=HEIGHT, preserveAspectRatio="none",
            href=data_uri("image/png", png_bytes(pixels)),
        )  # fmt: skip
        return picture(mel, self.scale, self.front_end, label, over=over)

    def thumbnail(self, one: np.ndarray, step: int = 1) -> str:
        """Return one input as the `data:` address of a small PNG."""
        indices = self.scale.indices(self._mel(one)[::-1])
        return png_uri(indices // step * step, pixels=1)

    def png(self, one: np.ndarray) -> bytes:
        """One input with axes and colour scale as a PNG."""
        return spectrogram_picture(self._mel(one), self.scale, self.front_end)

    def remark(self, one: np.ndarray) -> str:
        """Return the highest value if it is well above the colour scale."""
        mel = self._mel(one)
        if not np.isfinite(mel).all():
            return NOT_FINITE
        highest = float(mel.max())
        if highest <= self.scale.high + NOTABLE * round_step(self.front_end):
            return ""
        return self._reaches(highest)

    def _reaches(self, value: float) -> str:
        return f"reaches {level_text(value, self.front_end)}"

    @property
    def note(self) -> str:
        """How to read the caption of a picture."""
        far = self.scale.high + FAR * round_step(self.front_end)
        return (
            "One colour scale for every picture. The signed number under a picture is the "
            f"response; “{self._reaches(far)}” is the highest value where it exceeds the scale."
        )

    @property
    def legend(self) -> list[Markup]:
        """The colour scale and its origin."""
        low, high = (level_text(end, self.front_end) for end in (self.scale.low, self.scale.high))
        note = (
            f"{meaning(self.front_end)}; from the {self.count} real excerpts: their 1st "
            f"percentile (at most 87 dB down) to their maximum, {low} to {high}"
        )
        return colour_legend(self.scale, self.front_end.unit, note)

    @property
    def colours(self) -> list[Markup]:
        """The colour scale alone."""
        return colour_legend(self.scale, self.front_end.unit, f"{meaning(self.front_end)}.")


class Pictures:
    """Pictures (C, H, W) in 0..1, only resized."""

    noun = "Picture"

    def __init__(self, displayed: ImageInput, input_spec: Input, real: np.ndarray) -> None:
        self.displayed, self.input_spec = displayed, input_spec

    def _pixels(self, one: np.ndarray) -> np.ndarray:
        return display_inputs(self.input_spec, one)

    def picture(self, one: np.ndarray, label: str, step: int = 1) -> Markup:
        """Draw one picture as an SVG without axes; `step` has no effect."""
        return self._still(one, self.thumbnail(one), label)

    def mapped(self, one: np.ndarray, area: np.ndarray, label: str) -> Markup:
        """Draw one picture in grey under a map (H, W)."""
        pixels = enlarged(overlaid(luminance(self._pixels(one)), area), PIXELS)
        return self._still(one, data_uri("image/png", png_bytes(pixels)), label)

    def _still(self, one: np.ndarray, address: str, label: str) -> Markup:
        _, height, width = self._pixels(one).shape
        image = void("image", x=0.0, y=0.0, width=width, height=height, href=address)
        small = max(height, width) < SIDE
        return element(
            "svg", image, class_="picture still pixels" if small else "picture still",
            viewBox=f"0 0 {width} {height}", role="img", aria_label=label,
        )  # fmt: skip

    def thumbnail(self, one: np.ndarray, step: int = 1) -> str:
        """Return one picture as the `data:` address of a PNG."""
        return data_uri("image/png", png_bytes(screen_pixels(self._pixels(one))))

    def png(self, one: np.ndarray) -> bytes:
        """One picture as a PNG of its own size."""
        return picture_png(np.nan_to_num(self._pixels(one)))

    def remark(self, one: np.ndarray) -> str:
        """Return whether values are not finite."""
        return "" if np.isfinite(one).all() else NOT_FINITE

    @property
    def note(self) -> str:
        """How to read the caption of a picture."""
        return "The signed number under a picture is the response."

    @property
    def legend(self) -> list[Markup]:
        """What the pictures are."""
        channels, height, width = self.displayed.shape
        kind = "grey" if channels == 1 else "colour"
        size = f"{width} x {height} pixels, {kind}, 0 dark to 1 bright"
        return [element("span", size, class_="note")]

    @property
    def colours(self) -> list[Markup]:
        """Empty: there is no colour scale."""
        return []


# By the type in which inputs are displayed.
MEDIA: dict[type[Input], Callable[[Any, Input, np.ndarray], Medium]] = {
    FrontEnd: Spectrograms,
    ImageInput: Pictures,
}


def medium_for(input_spec: Input, real: np.ndarray) -> Medium:
    """Return the medium for generated inputs, scaled for `real` inputs (N, ...)."""
    displayed = display_spec(input_spec)
    return MEDIA[type(displayed)](displayed, input_spec, real)


def input_pictures(inputs: np.ndarray, input_spec: Input) -> list[str]:
    """Return inputs (N, ...) as `data:` addresses of PNGs; spectrograms share a colour scale."""
    medium = medium_for(input_spec, inputs)
    return [medium.thumbnail(one) for one in inputs]
