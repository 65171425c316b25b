"""The strongest parts of several filters in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks
from ganexplain.report.charts.spectrograms import colour_scale
from ganexplain.report.parts_page import FilterParts, Patch
from ganexplain.report.pictures.attribution_picture import Extent, outline
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.panels import Grid
from ganexplain.report.pictures.png import figure_png

COLUMNS = 4  # inputs of each filter
DIMMED = 0.25  # brightness of a picture outside of the part
PANELS = Grid(left=0.55, right=0.1, bottom=0.25, top=0.25, across=0.1, down=0.25)


@default_style()
def parts_sheet(filters: Sequence[FilterParts], input_spec: Input) -> bytes:
    """Draw a row for each filter, its mean part and then its strongest inputs, as a PNG.

    An input has colours inside the part and is grey or dim outside of it.
    """
    from matplotlib.figure import Figure

    panels = _LogMel(input_spec) if isinstance(input_spec, FrontEnd) else _Pictures()
    columns = min(COLUMNS, len(filters[0].patches))
    size = (2.3 * (columns + 1), 1.7 * len(filters) + 0.3)
    figure = Figure(figsize=size, dpi=100)
    axes = PANELS.axes(figure, len(filters), columns + 1)
    for axis in axes.flat:  # all share two scales, and each image would set them anew
        axis.autoscale(False)
        axis.tick_params(labelsize=6, length=2)
    for axis, each in zip(axes, filters, strict=True):
        extent = panels.mean_part(axis[0], each)
        axis[0].set_title(each.title, fontsize=7, loc="left")
        for place, patch in zip(axis[1:], each.patches, strict=False):
            panels.patch(place, patch)
            place.set_title(patch.name(12), fontsize=7)
    axes[0, 0].set(xlim=extent[:2], ylim=extent[2:])
    return figure_png(figure)


class _LogMel:
    """Log-mel (F, T), the lowest band at the bottom."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end

    def _show(self, axis: Any, values: np.ndarray, **colours: Any) -> Extent:
        rows, columns = values.shape
        extent = (*frame_edges(columns, self.front_end), 0.0, float(rows))
        axis.imshow(values, extent=extent, origin="lower", aspect="auto", **colours)
        return extent

    def mean_part(self, axis: Any, each: FilterParts) -> Extent:
        heights, names = zip(*hz_ticks(self.front_end), strict=True)
        axis.set_yticks(heights, [f"{name} Hz" for name in names])
        return self._show(axis, each.where, cmap="viridis", vmin=0)

    def patch(self, axis: Any, patch: Patch) -> None:
        scale = colour_scale(patch.mel[None], self.front_end)
        limits = {"vmin": scale.low, "vmax": scale.high}
        self._show(axis, patch.mel, cmap="gray", **limits)
        extent = self._show(axis, patch.mel, cmap="magma", alpha=patch.colours, **limits)
        outline(axis, patch.window > 0, extent)


class _Pictures:
    """Pictures (C, H, W), 0 to 1, with the first row at the top."""

    def _show(self, axis: Any, values: np.ndarray, **colours: Any) -> Extent:
        rows, columns = values.shape[:2]
        extent = (0.0, float(columns), 0.0, float(rows))
        axis.imshow(values[::-1], extent=extent, origin="lower", aspect="equal", **colours)
        return extent

    def mean_part(self, axis: Any, each: FilterParts) -> Extent:
        return self._show(axis, each.where, cmap="viridis", vmin=0)

    def patch(self, axis: Any, patch: Patch) -> None:
        share = DIMMED + (1 - DIMMED) * patch.window
        shown = np.broadcast_to(np.clip(patch.mel * share, 0, 1), (3, *share.shape))
        extent = self._show(axis, shown.transpose(1, 2, 0))
        outline(axis, patch.window[::-1] > 0, extent)
