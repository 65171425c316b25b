"""Strips of dots: the responses of several groups of examples on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.charts.axes import fitted_axis
from ganexplain.report.html.markup import Markup, element, svg_text, void
from ganexplain.report.html.notation import tick

WIDTH, LINE, LEFT, RIGHT, TOP, BOTTOM = 400.0, 27.0, 112.0, 8.0, 4.0, 34.0
SPREAD = 8.0  # largest distance of dots from the middle of their line


@dataclass(frozen=True)
class Strip:
    """The `responses` of one group; `kind` is its style, that of a row of the page."""

    name: str
    kind: str
    responses: np.ndarray


def strips(lines: Sequence[Strip], level: float) -> Markup:
    """Draw responses as dots and medians as bars, on an axis that is linear up to 5 `level`."""
    axis = fitted_axis([line.responses for line in lines], level)
    height = TOP + LINE * len(lines)
    parts: list[Markup] = []
    for value in axis.ticks(0.1):
        x = LEFT + WIDTH * float(axis.position(value))
        parts.append(void("line", class_="snapshot", x1=x, x2=x, y1=TOP, y2=height))
        parts.append(svg_text(tick(value), x, height + 13))
    parts.append(svg_text("response", LEFT + WIDTH / 2, height + 27, "tick unit"))
    for index, line in enumerate(lines):
        middle = TOP + LINE * (index + 0.5)
        parts.append(_strip(line, LEFT + WIDTH * axis.position(line.responses), middle))
    return element(
        "svg", parts, class_="strips", role="img", aria_label="all responses",
        viewBox=f"0 0 {LEFT + WIDTH + RIGHT:g} {height + BOTTOM:g}",
    )  # fmt: skip


def _strip(line: Strip, places: np.ndarray, middle: float) -> Markup:
    # Steps of the golden ratio separate neighbours without randomness.
    offsets = ((np.arange(len(places)) * 0.618034) % 1.0 - 0.5) * 2 * SPREAD
    dots = [
        void("circle", cx=float(x), cy=middle + float(dy), r=2.6)
        for x, dy in zip(places, offsets, strict=True)
    ]
    centre = float(np.median(places))
    bar = void("line", class_="centre", x1=centre, x2=centre, y1=middle - 11, y2=middle + 11)
    name = svg_text(line.name, LEFT - 12, middle + 4, "name", "end")
    return element("g", name, dots, bar, class_=f"strip {line.kind}")
