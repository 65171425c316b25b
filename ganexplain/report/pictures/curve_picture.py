"""A prediction for a recording as a PNG: spectrogram above probabilities.

A long recording is divided into rows with one time scale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ganexplain.corpora.spans import Prediction
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks, linear_ticks
from ganexplain.report.charts.spectrograms import COLOUR_MAP, colour_scale
from ganexplain.report.html.notation import drawable
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.png import figure_png

ROW_SECONDS = 120.0  # most seconds in a row, up to MOST_ROWS rows
MOST_ROWS = 6
WIDTH, DPI = 14.0, 100  # inches, and dots per inch
ROW_HEIGHT, ONLY_ROW_HEIGHT, MARGINS = 2.6, 3.8, 0.9  # inches
COLUMNS = 2400  # most values along a row: more would be drawn on one dot
SCALE_FRAMES = 100_000  # most frames of a recording from which the scale is computed
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a800", "#000000")
OTHERS = "#b0b0b0"  # classes beyond the number of colours
LONGEST_TITLE, LONGEST_NAME = 110, 22  # most letters of a file and of a class


def row_spans(seconds: float) -> list[tuple[float, float]]:
    """Return start and end in seconds of the rows of a recording, all of one length."""
    rows = min(math.ceil(seconds / ROW_SECONDS), MOST_ROWS)
    if rows <= 1:
        return [(0.0, seconds)]
    length = 10.0 * math.ceil(seconds / rows / 10.0)
    return [(k * length, (k + 1) * length) for k in range(rows)]


@default_style()
def curve_picture(
    mel: np.ndarray, prediction: Prediction, front_end: FrontEnd, title: str
) -> bytes:
    """Draw log-mel (T, F) in nat above the smoothed probabilities of the same frames, as a PNG.

    For two classes it has the curve of the second with its threshold and shaded segments; for more,
    a curve of each class and segments in its colour.
    """
    from matplotlib.figure import Figure

    spans = row_spans(prediction.seconds)
    height = ROW_HEIGHT * len(spans) if len(spans) > 1 else ONLY_ROW_HEIGHT
    figure = Figure(figsize=(WIDTH, height + MARGINS), dpi=DPI, layout="constrained")
    axes = figure.subplots(
        2 * len(spans), 1, squeeze=False, gridspec_kw={"height_ratios": [1.4, 1] * len(spans)}
    )[:, 0]
    colours = class_colours(prediction)
    scale = colour_scale(mel[None, :: max(1, len(mel) // SCALE_FRAMES)], front_end)
    for above, below, span in zip(axes[::2], axes[1::2], spans, strict=True):
        rows = slice(*np.searchsorted(prediction.times, span))
        image = _draw_spectrogram(above, mel, rows, (scale.low, scale.high), front_end)
        _draw_curves(below, prediction, rows, colours)
        _draw_segments(below, prediction, span, colours)
        for axis in (above, below):
            axis.set_xlim(span)
            axis.set_xticks(linear_ticks(*span, 12))
            axis.tick_params(labelsize=8)
        above.tick_params(labelbottom=False)
    axes[-1].set_xlabel("time (s)", fontsize=9)
    _draw_legend(figure, prediction, colours, title)
    bar = figure.colorbar(image, ax=list(axes), aspect=15 * len(spans), pad=0.01)
    bar.set_label(f"log-mel ({front_end.unit})", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure_png(figure)


def _plain(text: str, longest: int) -> str:
    """Shorten text to `longest` letters."""
    return drawable(text if len(text) <= longest else text[: longest - 1] + "…")


def class_colours(prediction: Prediction) -> dict[int, str]:
    """Return a colour for each class, in the order of their total time.

    If there are two classes, only the second one has a colour. Classes beyond the number of colours
    have none.
    """
    if len(prediction.classes) == 2:
        return {1: COLOURS[0]}
    share = list(prediction.shares().values())
    order = sorted(range(len(share)), key=lambda k: -share[k])
    return dict(zip(order, COLOURS, strict=False))


def _draw_spectrogram(
    axis: Any, mel: np.ndarray, rows: slice, limits: tuple[float, float], front_end: FrontEnd
) -> Any:
    """Draw frames `rows` of log-mel (T, F), averaged over those on one dot."""
    piece = np.asarray(mel[rows])
    starts, length = _blocks(len(piece))
    counts = np.diff([*starts, len(piece)])
    columns = np.add.reduceat(piece, starts, axis=0) / counts[:, None]
    first, _ = frame_edges(0, front_end)
    left = first + rows.start / front_end.frame_rate
    right = left + length * len(starts) / front_end.frame_rate
    image = axis.imshow(
        columns.T, origin="lower", aspect="auto", cmap=COLOUR_MAP, interpolation="nearest",
        vmin=limits[0], vmax=limits[1], extent=(left, right, 0, front_end.mel_bands),
    )  # fmt: skip
    heights, names = zip(*hz_ticks(front_end), strict=True)
    axis.set_yticks(heights, names)
    axis.set_ylabel("Hz", fontsize=9)
    return image


def _blocks(frames: int) -> tuple[np.ndarray, int]:
    """Return the first frames of the blocks that are drawn as one, and the frames in a block."""
    length = max(1, math.ceil(frames / COLUMNS))
    return np.arange(0, frames, length), length


def _draw_curves(axis: Any, prediction: Prediction, rows: slice, colours: dict[int, str]) -> None:
    times, curve = prediction.times[rows], prediction.curve[rows]
    if len(prediction.classes) > 2:
        for label in set(range(len(prediction.classes))) - set(colours):
            _draw_curve(axis, times, curve[:, label], OTHERS)
    for label, colour in colours.items():
        _draw_curve(axis, times, curve[:, label], colour)
    if len(prediction.classes) == 2:
        axis.axhline(prediction.threshold, color="black", linewidth=0.9, linestyle="--")
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_ylabel("probability", fontsize=9)


def _draw_segments(
    axis: Any, prediction: Prediction, span: tuple[float, float], colours: dict[int, str]
) -> None:
    """Shade the segments that overlap a row; for two classes only those of the second."""
    for segment in prediction.segments:
        inside = segment.start < span[1] and segment.end > span[0]
        if inside and (len(prediction.classes) > 2 or segment.label == 1):
            colour = colours.get(segment.label, OTHERS)
            axis.axvspan(segment.start, segment.end, color=colour, alpha=0.22, linewidth=0)


def _draw_curve(axis: Any, times: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Draw a line through least and greatest value of each block, so that no peak is lost."""
    starts, length = _blocks(len(times))
    if length > 1:
        low, high = (f.reduceat(values, starts) for f in (np.minimum, np.maximum))
        times, values = np.repeat(times[starts], 2), np.stack([low, high], axis=1).ravel()
    marker = "." if len(times) == 1 else None  # a line needs two points
    axis.plot(times, values, color=colour, linewidth=1.2, marker=marker)


def _draw_legend(figure: Any, prediction: Prediction, colours: dict[int, str], title: str) -> None:
    """Draw the title, and below it each class with its share of the time."""
    from matplotlib.lines import Line2D

    shares = list(prediction.shares().values())
    names = [_plain(name, LONGEST_NAME) for name in prediction.classes]
    handles = [
        Line2D([], [], color=colour, linewidth=4, label=f"{100 * shares[k]:.1f} % {names[k]}")
        for k, colour in colours.items()
    ]
    if len(names) == 2:
        text = f"threshold {prediction.threshold:g}"
        handles.append(Line2D([], [], color="black", linestyle="--", linewidth=0.9, label=text))
    elif len(names) > len(colours):
        handles.append(Line2D([], [], color=OTHERS, linewidth=4, label="other classes"))
    figure.legend(
        handles=handles, loc="outside upper left", ncols=min(len(handles), 5), fontsize=9,
        frameon=False, title=_plain(title, LONGEST_TITLE), title_fontsize=11, alignment="left",
    )  # fmt: skip
