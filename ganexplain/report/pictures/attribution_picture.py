"""An attribution as a PNG: the map over a spectrogram or over a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks
from ganexplain.report.charts.spectrograms import colour_scale
from ganexplain.report.html.notation import drawable
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.panels import Grid, axis_beside
from ganexplain.report.pictures.png import figure_png, png_bytes

DPI = 100  # dots per inch
MAP_COLOURS = "RdBu_r"
OPACITY = 0.75  # of the strongest cell
SPECTROGRAMS = Grid(left=0.7, right=0.9, bottom=0.5, top=0.4, across=0.15)
PICTURES = Grid(left=0.1, right=0.9, bottom=0.15, top=0.4, across=0.1)

Extent = tuple[float, float, float, float]  # left, right, bottom and top, in an axis's units


@dataclass(frozen=True)
class MapOver:
    """A map `area` (H, W) over `grey` values (H, W), with the cells `kept` (H, W) outlined."""

    grey: np.ndarray
    area: np.ndarray
    kept: np.ndarray
    extent: Extent


def normalised(area: np.ndarray) -> np.ndarray:
    """Divide a map (H, W) by the 99th percentile of its magnitude and clip it to -1 .. 1.

    So a single extreme cell does not hide the others.
    """
    size = float(np.percentile(np.abs(area), 99)) or float(np.abs(area).max(initial=0.0))
    return np.clip(area / max(size, 1e-30), -1.0, 1.0)


def overlaid(grey: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Return colours (H, W, 3), uint8, of a map (H, W) over grey values (H, W) in 0..1."""
    from matplotlib import colormaps

    share = normalised(area)
    opacity = (OPACITY * np.abs(share))[..., None]
    colour = colormaps[MAP_COLOURS]((share + 1) / 2)[..., :3]
    return np.round(255 * (grey[..., None] * (1 - opacity) + colour * opacity)).astype(np.uint8)


def enlarged(pixels: np.ndarray, times: int) -> np.ndarray:
    """Magnify colours (H, W, 3) by an integer factor."""
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def picture_png(picture: np.ndarray) -> bytes:
    """Return a picture (C, H, W) in 0..1 as a PNG of its own size."""
    values = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return png_bytes(np.broadcast_to(values, (3, *values.shape[1:])).transpose(1, 2, 0))


def luminance(picture: np.ndarray) -> np.ndarray:
    """Return the grey values (H, W) of a picture (C, H, W) in 0..1."""
    weights = np.array([0.299, 0.587, 0.114]) if len(picture) == 3 else np.ones(1)
    return np.clip(np.tensordot(weights, picture, axes=1), 0, 1)


@default_style()
def attribution_picture(
    mel: np.ndarray, area: np.ndarray, kept: np.ndarray, front_end: FrontEnd, title: str
) -> bytes:
    """Draw log-mel (F, T), beside the same under a map (F, T), as a PNG.

    Red cells raise the score and blue cells lower it. The cells `kept` (F, T), bool, are outlined.
    """
    scale = colour_scale(mel[None], front_end)
    start, stop = frame_edges(mel.shape[1], front_end)
    grey = scale.indices(mel) / 255.0
    over = MapOver(grey, area, kept, (start, stop, 0.0, float(mel.shape[0])))
    figure, (left, right) = _pair(over, (11.0, 4.2), SPECTROGRAMS, title)
    left.imshow(
        mel, cmap="magma", vmin=scale.low, vmax=scale.high,
        extent=over.extent, origin="lower", aspect="auto",
    )  # fmt: skip
    heights, names = zip(*hz_ticks(front_end), strict=True)
    left.set_yticks(heights, [f"{name} Hz" for name in names])
    for axis in (left, right):
        axis.set_xlabel("time in the excerpt (s)", fontsize=9)
    return figure_png(figure)


@default_style()
def picture_attribution(
    picture: np.ndarray, area: np.ndarray, kept: np.ndarray, title: str
) -> bytes:
    """Draw a picture (C, H, W) in 0..1, beside the same under a map (H, W), as a PNG.

    The cells `kept` (H, W), bool, are outlined.
    """
    _, height, width = picture.shape
    shown = np.broadcast_to(np.clip(picture, 0, 1), (3, height, width)).transpose(1, 2, 0)
    extent = (0.0, float(width), 0.0, float(height))
    size = (9.0, min(max(4.0 * height / width + 0.8, 2.5), 9.0))
    up = (slice(None, None, -1),)  # the figure has its origin at the bottom
    over = MapOver(luminance(picture)[up], area[up], kept[up], extent)
    figure, axes = _pair(over, size, PICTURES, title)
    axes[0].imshow(shown[up], extent=extent, origin="lower")
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_aspect("equal")
    return figure_png(figure)


def _pair(over: MapOver, size: tuple[float, float], grid: Grid, title: str) -> tuple[Any, Any]:
    """Return a figure and its two axes: the left one is empty, the right one has the map."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI)
    left, right = grid.axes(figure, 1, 2)[0]
    colours = overlaid(over.grey, over.area)
    right.imshow(colours, extent=over.extent, origin="lower", aspect="auto")
    outline(right, over.kept, over.extent)
    for axis in (left, right):
        axis.tick_params(labelsize=8)
    beside = axis_beside(figure, size[0] - grid.right + 0.12, grid)
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), MAP_COLOURS), cax=beside)
    bar.set_label("against   ←   score   →   for", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(drawable(title), fontsize=10)
    return figure, (left, right)


def outline(axis: Any, kept: np.ndarray, extent: Extent) -> None:
    """Outline the cells `kept` (H, W), bool, unless they are all or none."""
    if kept.all() or not kept.any():
        return
    fine = np.kron(kept, np.ones((4, 4)))  # the line runs along cells, not through their middles
    axis.contour(
        fine, levels=[0.5], colors="#ffe14d", linewidths=1.2, extent=extent, origin="lower"
    )
