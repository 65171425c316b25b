"""Spectrograms of log-mel excerpts on one colour scale, with axes in seconds and Hz."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks, linear_ticks
from ganexplain.report.html.levels import round_step
from ganexplain.report.html.markup import Child, Markup, data_uri, element, svg_text, void
from ganexplain.report.html.notation import MINUS, exact
from ganexplain.report.pictures.png import image_png

COLOUR_MAP = "magma"
WIDEST = 10.0  # nat (87 dB), the largest range of the colour scale
PIXELS = 3  # pixels of a cell along each side, so that browsers scale down, not up
LEFT, RIGHT, TOP, BOTTOM = 27.0, 1.0, 3.0, 15.0  # margins of a picture, in its own units
WIDTH, HEIGHT = 172.0, 122.0
COARSE = 4  # step of colours, for small files: 64 colours


@dataclass(frozen=True)
class ColourScale:
    """Colours for values from `low` to `high`; values outside are clipped."""

    low: float
    high: float

    def indices(self, mel: np.ndarray) -> np.ndarray:
        """Return colour indices 0..255, uint8, of values; NaN has the darkest colour."""
        share = (np.nan_to_num(mel, nan=self.low) - self.low) / (self.high - self.low)
        return np.round(np.clip(share, 0.0, 1.0) * 255).astype(np.uint8)


def colour_scale(real: np.ndarray, front_end: FrontEnd) -> ColourScale:
    """Return a colour scale for real excerpts (N, F, T) of a front end.

    It ends at their maximum and starts at their first percentile, at most 87 dB below, both
    rounded outwards to 1 nat or 10 dB. If values are not logarithmic, it starts at their minimum.
    """
    step, highest = round_step(front_end), float(real.max())
    if not step:
        lowest = float(real.min())
        return ColourScale(lowest, highest if highest > lowest else lowest + 1)
    high = math.ceil(highest / step) * step
    lowest = max(float(np.percentile(real, 1)), high - WIDEST * front_end.values_per_nat)
    return ColourScale(min(math.floor(lowest / step) * step, high - step), high)


@lru_cache(maxsize=1)
def _palette() -> bytes:
    from matplotlib import colormaps

    colours = colormaps[COLOUR_MAP](np.arange(256))[:, :3]
    return np.round(colours * 255).astype(np.uint8).tobytes()


def png_uri(indices: np.ndarray, pixels: int = PIXELS) -> str:
    """Return colour indices (rows, columns) as the `data:` address of a PNG, magnified."""
    from PIL import Image

    image = Image.fromarray(np.kron(indices, np.ones((pixels, pixels), dtype=np.uint8)))
    image.putpalette(_palette())
    return data_uri("image/png", image_png(image))


def picture(
    mel: np.ndarray,
    scale: ColourScale,
    front_end: FrontEnd,
    label: str,
    step: int = 1,
    over: Child = (),
) -> Markup:
    """Draw an excerpt (F, T) as an SVG with both axes and a playhead for the player.

    A `step` larger than 1 reduces the number of colours, for a smaller file. `over` is drawn
    between picture and playhead, from (LEFT, TOP), WIDTH by HEIGHT.
    """
    bands, frames = mel.shape
    indices = scale.indices(mel[::-1]) // step * step
    start, stop = frame_edges(frames, front_end)
    image = void(
        "image", x=LEFT, y=TOP, width=WIDTH, height=HEIGHT, preserveAspectRatio="none",
        href=png_uri(indices),
    )  # fmt: skip
    playhead = void(
        "line", class_="playhead", x1=LEFT, x2=LEFT, y1=TOP, y2=TOP + HEIGHT,
        data_from=f"{start:.5f}", data_to=f"{stop:.5f}", data_width=WIDTH,
    )  # fmt: skip
    return element(
        "svg", image, over, _hz_axis(bands, front_end), _seconds_axis(start, stop), playhead,
        class_="picture", viewBox=f"0 0 {LEFT + WIDTH + RIGHT:g} {TOP + HEIGHT + BOTTOM:g}",
        role="img", aria_label=label,
    )  # fmt: skip


def _hz_axis(bands: int, front_end: FrontEnd) -> list[Markup]:
    marks = [svg_text("Hz", LEFT - 5, TOP + 8.0, "tick unit", "end")]
    for height, label in hz_ticks(front_end):
        y = TOP + HEIGHT * (1 - height / bands)
        if y >= TOP + 16:  # else it would overlap the unit
            marks.append(void("line", class_="axis", x1=LEFT - 3, x2=LEFT, y1=y, y2=y))
            marks.append(svg_text(label, LEFT - 5, y + 3.3, anchor="end"))
    return marks


def _seconds_axis(start: float, stop: float) -> list[Markup]:
    marks = []
    bottom = TOP + HEIGHT
    ticks = [t for t in linear_ticks(start, stop, 4) if (t - start) / (stop - start) < 0.95]
    for index, seconds in enumerate(ticks):
        x = LEFT + WIDTH * (seconds - start) / (stop - start)
        text = exact(seconds) + (" s" if index == len(ticks) - 1 else "")
        marks.append(void("line", class_="axis", x1=x, x2=x, y1=bottom, y2=bottom + 3))
        marks.append(svg_text(text, x, bottom + 12.5))
    return marks


def colour_legend(scale: ColourScale, unit: str, note: str) -> list[Markup]:
    """Return a colour bar between its unit and a note."""
    return [
        element("span", unit, class_="unit"),
        colour_bar(scale, unit),
        element("span", note, class_="note"),
    ]


def colour_bar(scale: ColourScale, unit: str) -> Markup:
    """Draw the colours and their values in a unit as an SVG."""
    width, height = 220.0, 10.0
    ramp = png_uri(np.arange(256, dtype=np.uint8)[None], pixels=1)
    marks = [
        void("image", x=10.0, y=0.0, width=width, height=height, preserveAspectRatio="none",
             href=ramp)
    ]  # fmt: skip
    for value in linear_ticks(scale.low, scale.high, 6):
        x = 10 + width * (value - scale.low) / (scale.high - scale.low)
        text = f"{MINUS if value < 0 else '+' if value > 0 else ''}{abs(value):g}"
        marks.append(void("line", class_="axis", x1=x, x2=x, y1=height, y2=height + 3))
        marks.append(svg_text(text, x, height + 13))
    return element(
        "svg", marks, class_="colour-bar", viewBox=f"0 0 {width + 20:g} {height + 15:g}",
        role="img", aria_label=f"colour scale from {scale.low:g} to {scale.high:g} {unit}".rstrip(),
    )  # fmt: skip
