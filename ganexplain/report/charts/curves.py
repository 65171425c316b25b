"""Curves of a quantity over the iterations, a plot for each learning rate and prior weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganexplain.report.charts.axes import Axis, fitted_axis, linear_ticks
from ganexplain.report.html.markup import Markup, element, svg_text, void
from ganexplain.report.html.notation import exact, tick

PLOT_WIDTH, PLOT_HEIGHT, GAP = 168.0, 104.0, 10.0
LEFT, TOP, RIGHT, BOTTOM = 40.0, 22.0, 20.0, 34.0
ABREAST, HEAD_GAP = 3, 26.0  # of plots that are not a full grid
POINTS = 160  # points of a curve


@dataclass(frozen=True)
class Curves:
    """Traces (L, N, S) of N examples at iterations `steps` (S,), for L trajectories.

    `level` (named `level_name`) is drawn as a line; a wide axis is logarithmic beyond it.
    `snapshots` are the iteration counts of the settings of each trajectory, `chosen` the index of
    the trajectory and the iteration count of the chosen setting. Traces that end early are padded
    with NaN.
    """

    title: str
    traces: np.ndarray
    steps: np.ndarray
    learning_rate: Sequence[float]
    prior_weight: Sequence[float]
    level: float
    level_name: str
    snapshots: Sequence[Sequence[int]]
    chosen: tuple[int, int]


def curves(content: Curves) -> Markup:
    """Draw median (line) and 10-90 % (band) of the examples, all plots on the same axes, as SVG.

    Columns are learning rates and rows prior weights. If the settings are not a full grid, the
    plots are in rows of three.
    """
    even = np.linspace(0, len(content.steps) - 1, POINTS).round().astype(int)
    ends = [count for counts in content.snapshots for count in counts]
    # So that a trace much shorter than the longest one has enough points, too.
    short = [np.linspace(0, end, 12).round().astype(int) for end in ends]
    keep = np.unique(np.concatenate([even, np.array(ends, dtype=int), *short]))
    steps = content.steps[keep].astype(np.float64)
    bands = np.percentile(content.traces[:, :, keep].astype(np.float64), [10, 50, 90], axis=1)
    across = Axis(0.0, float(steps.max()))
    upright = fitted_axis([bands, np.array([content.level])], content.level)
    rates = sorted(set(content.learning_rate), reverse=True)
    weights = sorted(set(content.prior_weight), reverse=True)
    count = len(content.traces)
    whole = count == len(rates) * len(weights)
    columns, lines = (len(rates), len(weights)) if whole else (ABREAST, -(-count // ABREAST))
    gap = GAP if whole else HEAD_GAP
    parts: list[Markup] = []
    for index in range(count):
        rate, weight = content.learning_rate[index], content.prior_weight[index]
        column, line = divmod(index, ABREAST)[::-1]
        if whole:
            column, line = rates.index(rate), weights.index(weight)
        x, y = LEFT + column * (PLOT_WIDTH + GAP), TOP + line * (PLOT_HEIGHT + gap)
        parts.append(_plot(content, index, bands[:, index], steps, across, upright, x, y))
        if not whole:
            head = f"{exact(rate)}, {exact(weight)}"
            parts.append(svg_text(head, x + PLOT_WIDTH / 2, y - 8, "head"))
    heads = [f"learning rate {exact(rate)}" for rate in rates] if whole else [""] * columns
    sides = [f"prior weight {exact(weight)}" for weight in weights] if whole else [""] * lines
    parts += _labels(heads, sides, gap, across, upright)
    width = LEFT + columns * (PLOT_WIDTH + GAP) - GAP + RIGHT
    height = TOP + lines * (PLOT_HEIGHT + gap) - gap + BOTTOM
    return element(
        "svg", parts, class_="curves", viewBox=f"0 0 {width:g} {height:g}", role="img",
        aria_label=content.title,
        style=f"min-width:{width * 0.8:.0f}px;max-width:{width * 1.2:.0f}px",
    )  # fmt: skip


def _plot(
    content: Curves, index: int, band: np.ndarray, steps: np.ndarray, across: Axis,
    upright: Axis, x: float, y: float,
) -> Markup:  # fmt: skip
    """Draw one plot with its corner at (x, y); `band` (3, S) has the 10, 50 and 90 % lines."""

    def places(values: np.ndarray) -> list[str]:
        right = x + PLOT_WIDTH * across.position(steps)
        down = y + PLOT_HEIGHT * (1 - upright.position(values))
        return [f"{a:.1f} {b:.1f}" for a, b in zip(right, down, strict=True)]

    there = np.isfinite(band[1])
    steps = steps[there]
    low, middle, high = band[:, there]
    level = y + PLOT_HEIGHT * (1 - float(upright.position(content.level)))
    is_chosen = index == content.chosen[0]
    inside = [
        void("rect", class_="frame", x=x, y=y, width=PLOT_WIDTH, height=PLOT_HEIGHT),
        _grid_lines(content.snapshots[index], across, x, y),
        void("path", class_="band", d=f"M{' L'.join(places(high) + places(low)[::-1])}Z"),
        element("line", element("title", content.level_name), class_="level",
                x1=x, x2=x + PLOT_WIDTH, y1=level, y2=level),
        void("path", class_="median", d=f"M{' L'.join(places(middle))}"),
    ]  # fmt: skip
    if is_chosen:
        inside.append(_chosen_dot(content, steps, middle, across, upright, x, y))
    return element("g", inside, class_="plot chosen" if is_chosen else "plot")


def _grid_lines(snapshots: Sequence[int], across: Axis, x: float, y: float) -> list[Markup]:
    lines = []
    for count in snapshots:
        at = x + PLOT_WIDTH * float(across.position(count))
        lines.append(void("line", class_="snapshot", x1=at, x2=at, y1=y, y2=y + PLOT_HEIGHT))
    return lines


def _chosen_dot(
    content: Curves, steps: np.ndarray, middle: np.ndarray, across: Axis, upright: Axis,
    x: float, y: float,
) -> Markup:  # fmt: skip
    count = content.chosen[1]
    value = float(np.interp(count, steps, middle))
    at = x + PLOT_WIDTH * float(across.position(count))
    height = y + PLOT_HEIGHT * (1 - float(upright.position(value)))
    return void("circle", class_="chosen-dot", cx=at, cy=height, r=4.0)


def _labels(
    heads: Sequence[str], sides: Sequence[str], gap: float, across: Axis, upright: Axis
) -> list[Markup]:
    """Draw axes, headings of columns and headings of rows."""
    labels = []
    bottom = TOP + len(sides) * (PLOT_HEIGHT + gap) - gap
    for column, head in enumerate(heads):
        x = LEFT + column * (PLOT_WIDTH + GAP)
        labels.append(svg_text(head, x + PLOT_WIDTH / 2, TOP - 8, "head"))
        for value in linear_ticks(across.low, across.high, 3):
            at = x + PLOT_WIDTH * float(across.position(value))
            labels.append(void("line", class_="axis", x1=at, x2=at, y1=bottom, y2=bottom + 4))
            anchor = "end" if value == across.high else "middle"
            labels.append(svg_text(tick(value), at, bottom + 15, anchor=anchor))
        labels.append(svg_text("iteration", x + PLOT_WIDTH / 2, bottom + 28, "tick unit"))
    right = LEFT + len(heads) * (PLOT_WIDTH + GAP) - GAP + 13
    for line, side in enumerate(sides):
        top = TOP + line * (PLOT_HEIGHT + gap)
        middle = top + PLOT_HEIGHT / 2
        turn = f"rotate(90 {right - 4:g} {middle:g})"
        labels.append(svg_text(side, right - 4, middle, "head", transform=turn))
        for value in upright.ticks(0.2):
            y = top + PLOT_HEIGHT * (1 - float(upright.position(value)))
            labels.append(void("line", class_="axis", x1=LEFT - 4, x2=LEFT, y1=y, y2=y))
            labels.append(svg_text(tick(value), LEFT - 7, y + 3.5, anchor="end"))
    return labels
