"""How inputs stand on a page: log-mel and waveforms as spectrograms, pictures as they are."""

from __future__ import annotations

import numpy as np

from ganexplain.audio.display_mel import as_display_mel, display_front_end
from ganexplain.inputs.kinds import Input
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.report.charts.spectrograms import (
    HEIGHT,
    LEFT,
    PIXELS,
    TOP,
    WIDTH,
    colour_bar,
    colour_scale,
    picture,
    png_uri,
)
from ganexplain.report.html.levels import level_text, meaning, round_step
from ganexplain.report.html.markup import Markup, data_uri, element, void
from ganexplain.report.pictures.attribution_picture import enlarged, luminance, overlaid
from ganexplain.report.pictures.png import png_bytes
from ganexplain.report.pictures.sample_sheet import SIDE, screen_pixels

NOTABLE, FAR = 0.5, 5.0  # round steps above the colour scale: a panel says so; an example of it
NOT_FINITE = "contains values that are not finite"


class Spectrograms:
    """Excerpts (F, T), or waveforms (W,), on the colour scale that shows `real` (N, ...) well."""

    noun = "Spectrogram"

    def __init__(self, input_spec: Input, real: np.ndarray) -> None:
        assert not isinstance(input_spec, ImageInput)
        self.input_spec, self.count = input_spec, len(real)
        self.front_end = (
            display_front_end(input_spec) if isinstance(input_spec, WaveformInput) else input_spec
        )
        self.scale = colour_scale(self._mel(real), self.front_end)

    def _mel(self, inputs: np.ndarray) -> np.ndarray:
        return as_display_mel(inputs, self.input_spec)

    def picture(self, one: np.ndarray, label: str, step: int = 1) -> Markup:
        """One input as an SVG with axes; see `spectrograms.picture`."""
        return picture(self._mel(one), self.scale, self.front_end, label, step)

    def mapped(self, one: np.ndarray, area: np.ndarray, label: str) -> Markup:
        """One input in grey under a map (F, T)."""
        mel = self._mel(one)
        pixels = enlarged(overlaid(self.scale.indices(mel) / 255.0, area)[::-1], PIXELS)
        over = void(
            "image", x=LEFT, y=TOP, width=WIDTH, height=HEIGHT, preserveAspectRatio="none",
            href=data_uri("image/png", png_bytes(pixels)),
        )  # fmt: skip
        return picture(mel, self.scale, self.front_end, label, over=over)

    def thumbnail(self, one: np.ndarray, step: int = 1) -> str:
        """One input as a small PNG's `data:` address."""
        indices = self.scale.indices(self._mel(one)[::-1])
        return png_uri(indices // step * step, pixels=1)

    def remark(self, one: np.ndarray) -> str:
        """What a picture does not show: how far its values pass the end of the colours."""
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
        """How to read what stands under a picture."""
        far = self.scale.high + FAR * round_step(self.front_end)
        return (
            "One colour scale for every picture. The signed number under a picture is the "
            f"response; “{self._reaches(far)}” says how far a picture passes the scale."
        )

    @property
    def legend(self) -> list[Markup]:
        """The colour scale and where it comes from."""
        low, high = (level_text(end, self.front_end) for end in (self.scale.low, self.scale.high))
        note = (
            f"{meaning(self.front_end)}; from the {self.count} real excerpts: their 1st "
            f"percentile (at most 87 dB down) to their maximum, {low} to {high}"
        )
        return [
            element("span", self.front_end.unit, class_="unit"),
            colour_bar(self.scale, self.front_end.unit),
            element("span", note, class_="note"),
        ]


class Pictures:
    """Pictures (C, H, W) in 0..1, nothing changed but their size."""

    noun = "Picture"

    def __init__(self, input_spec: ImageInput) -> None:
        self.input_spec = input_spec

    def picture(self, one: np.ndarray, label: str, step: int = 1) -> Markup:
        """One picture as an SVG without axes; `step` counts for spectrograms only."""
        return self._still(one, self.thumbnail(one), label)

    def mapped(self, one: np.ndarray, area: np.ndarray, label: str) -> Markup:
        """One picture in grey under a map (H, W)."""
        pixels = enlarged(overlaid(luminance(one), area), PIXELS)
        return self._still(one, data_uri("image/png", png_bytes(pixels)), label)

    def _still(self, one: np.ndarray, address: str, label: str) -> Markup:
        _, height, width = one.shape
        image = void("image", x=0.0, y=0.0, width=width, height=height, href=address)
        small = max(height, width) < SIDE
        return element(
            "svg", image, class_="picture still pixels" if small else "picture still",
            viewBox=f"0 0 {width} {height}", role="img", aria_label=label,
        )  # fmt: skip

    def thumbnail(self, one: np.ndarray, step: int = 1) -> str:
        """One picture as a PNG's `data:` address."""
        return data_uri("image/png", png_bytes(screen_pixels(one)))

    def remark(self, one: np.ndarray) -> str:
        """What a picture does not show."""
        return "" if np.isfinite(one).all() else NOT_FINITE

    @property
    def note(self) -> str:
        """How to read what stands under a picture."""
        return "The signed number under a picture is the response."

    @property
    def legend(self) -> list[Markup]:
        """What the pictures are."""
        kind = "grey" if self.input_spec.channels == 1 else "colour"
        size = (
            f"{self.input_spec.width} x {self.input_spec.height} pixels, {kind}, 0 dark to 1 bright"
        )
        return [element("span", size, class_="note")]


Medium = Spectrograms | Pictures


def medium_for(input_spec: Input, real: np.ndarray) -> Medium:
    """How what a GAN draws stands on a page beside `real` inputs (N, ...)."""
    return (
        Pictures(input_spec)
        if isinstance(input_spec, ImageInput)
        else Spectrograms(input_spec, real)
    )


def input_pictures(inputs: np.ndarray, input_spec: Input) -> list[str]:
    """Inputs (N, ...) as `data:` addresses of PNGs, spectrograms on one colour scale."""
    medium = medium_for(input_spec, inputs)
    return [medium.thumbnail(one) for one in inputs]
