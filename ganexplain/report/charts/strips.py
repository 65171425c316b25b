"""Responses of groups of excerpts as strips of dots on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.charts.axes import fitted_axis
from ganexplain.report.html.markup import Markup, element, void
from ganexplain.report.html.notation import tick

WIDTH, LINE, LEFT, RIGHT, TOP, BOTTOM = 400.0, 27.0, 112.0, 8.0, 4.0, 34.0
SPREAD = 8.0  # how far dots leave the middle of their line


@dataclass(frozen=True)
class Strip:
    """One line: `kind` is its style (that of a row of the page)."""

    name: str
    kind: str
    responses: np.ndarray


def strips(lines: Sequence[Strip], level: float) -> Markup:
    """Every response a dot, the median a bar; the axis is logarithmic beyond 5 times `level`."""
    axis = fitted_axis([line.responses for line in lines], level)
    height = TOP + LINE * len(lines)
    parts: list[Markup] = []
    for value in axis.ticks(0.1):
        x = LEFT + WIDTH * float(axis.position(value))
        parts.append(void("line", class_="snapshot", x1=x, x2=x, y1=TOP, y2=height))
        parts.append(
            element("text", tick(value), class_="tick", x=x, y=height + 13, text_anchor="middle")
        )
    parts.append(
        element("text", "response", class_="tick unit", x=LEFT + WIDTH / 2, y=height + 27,
                text_anchor="middle")
    )  # fmt: skip
    for index, line in enumerate(lines):
        middle = TOP + LINE * (index + 0.5)
        parts.append(_strip(line, LEFT + WIDTH * axis.position(line.responses), middle))
    return element(
        "svg", parts, class_="strips", role="img", aria_label="all responses",
        viewBox=f"0 0 {LEFT + WIDTH + RIGHT:g} {height + BOTTOM:g}",
    )  # fmt: skip


def _strip(line: Strip, places: np.ndarray, middle: float) -> Markup:
    # Golden-ratio steps spread neighbours without chance.
    offsets = ((np.arange(len(places)) * 0.618034) % 1.0 - 0.5) * 2 * SPREAD
    dots = [
        void("circle", cx=float(x), cy=middle + float(dy), r=2.6)
        for x, dy in zip(places, offsets, strict=True)
    ]
    centre = float(np.median(places))
    bar = void("line", class_="centre", x1=centre, x2=centre, y1=middle - 11, y2=middle + 11)
    name = element("text", line.name, class_="name", x=LEFT - 12, y=middle + 4, text_anchor="end")
    return element("g", name, dots, bar, class_=f"strip {line.kind}")
