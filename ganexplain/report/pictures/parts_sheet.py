"""The strongest parts of some filters in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganexplain.inputs.kinds import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks
from ganexplain.report.charts.spectrograms import colour_scale
from ganexplain.report.parts_page import Patch, Shown
from ganexplain.report.pictures.attribution_picture import Extent, outline
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.png import figure_png

COLUMNS = 4  # inputs of each filter
DIMMED = 0.25  # what is left of a picture outside of the part


@default_style()
def parts_sheet(shown: Sequence[Shown], input_spec: Input) -> bytes:
    """PNG: a row for each filter, where it fires on average, then its strongest inputs.

    Inside the part an input has its colours, outside it is grey.
    """
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(shown[0].patches))
    size = (2.3 * (columns + 1), 1.7 * len(shown) + 0.3)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.subplots(len(shown), columns + 1, squeeze=False)
    for axis, each in zip(axes, shown, strict=True):
        _where(axis[0], each, input_spec)
        for place, patch in zip(axis[1:], each.patches, strict=False):
            _input(place, patch, input_spec)
            place.set_title(patch.name(12), fontsize=7)
    for axis in axes.flat:
        axis.tick_params(labelsize=6, length=2)
    for axis in axes[:-1].flat:
        axis.set_xticklabels([])
    for axis in axes[:, 1:].flat:
        axis.set_yticklabels([])
    return figure_png(figure)


def _show(axis: Any, values: np.ndarray, input_spec: Input, **colours: Any) -> Extent:
    """Draw log-mel (F, T), or a picture (H, W) or (H, W, 3); returns where it was drawn.

    `colours` are those of Matplotlib's imshow.
    """
    rows, columns = values.shape[:2]
    edges, aspect = (0.0, float(columns)), "equal"
    if isinstance(input_spec, FrontEnd):
        edges, aspect = frame_edges(columns, input_spec), "auto"
    extent = (*edges, 0.0, float(rows))
    axis.imshow(
        _upright(values, input_spec), extent=extent, origin="lower", aspect=aspect, **colours
    )
    return extent


def _upright(values: np.ndarray, input_spec: Input) -> np.ndarray:
    """Rows from the bottom: of pictures they come from the top."""
    return values if isinstance(input_spec, FrontEnd) else values[::-1]


def _where(axis: Any, each: Shown, input_spec: Input) -> None:
    _show(axis, each.where, input_spec, cmap="viridis", vmin=0)
    axis.set_title(each.title, fontsize=7, loc="left")
    if isinstance(input_spec, FrontEnd):
        heights, names = zip(*hz_ticks(input_spec), strict=True)
        axis.set_yticks(heights, [f"{name} Hz" for name in names])


def _input(axis: Any, patch: Patch, input_spec: Input) -> None:
    values = patch.mel
    if isinstance(input_spec, FrontEnd):
        scale = colour_scale(values[None], input_spec)
        limits = {"vmin": scale.low, "vmax": scale.high}
        _show(axis, values, input_spec, cmap="gray", **limits)
        extent = _show(axis, values, input_spec, cmap="magma", alpha=patch.colours, **limits)
    else:
        share = DIMMED + (1 - DIMMED) * patch.window
        shown = np.broadcast_to(np.clip(values * share, 0, 1), (3, *share.shape))
        extent = _show(axis, shown.transpose(1, 2, 0), input_spec)
    outline(axis, _upright(patch.window > 0, input_spec), extent)
