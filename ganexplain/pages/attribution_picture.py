"""An attribution as a PNG: the map over the spectrogram of its excerpt."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ganexplain.config import FrontEnd
from ganexplain.pages.axes import frame_edges, hz_ticks
from ganexplain.pages.notation import drawable
from ganexplain.pages.spectrograms import colour_scale

SIZE, DPI = (11.0, 4.2), 100  # inches, and dots an inch
MAP_COLOURS = "RdBu_r"
OPACITY = 0.75  # of the strongest cell


def normalised(area: np.ndarray) -> np.ndarray:
    """A map (H, W) over its 99th percentile in size, cut to -1 .. 1: one cell hides no others."""
    size = float(np.percentile(np.abs(area), 99)) or float(np.abs(area).max(initial=0.0))
    return np.clip(area / max(size, 1e-30), -1.0, 1.0)


def attribution_picture(
    mel: np.ndarray, area: np.ndarray, kept: np.ndarray, front_end: FrontEnd, title: str
) -> bytes:
    """PNG of log-mel (F, T) in nat beside the same under a map (F, T).

    Red speaks for the score and blue against it, the more the stronger; the outline is that of
    the cells `kept` (F, T) of booleans.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    scale = colour_scale(mel[None])
    start, stop = frame_edges(mel.shape[1], front_end)
    extent = (start, stop, 0.0, float(mel.shape[0]))
    place: dict[str, Any] = {"extent": extent, "origin": "lower", "aspect": "auto"}
    limits = {"vmin": scale.low, "vmax": scale.high}
    left.imshow(mel, cmap="magma", **limits, **place)
    right.imshow(mel, cmap="gray", **limits, **place)
    shown = normalised(area)
    image = right.imshow(
        shown, cmap=MAP_COLOURS, vmin=-1, vmax=1, alpha=OPACITY * np.abs(shown), **place
    )
    _outline(right, kept, extent)
    heights, names = zip(*hz_ticks(front_end), strict=True)
    left.set_yticks(heights, [f"{name} Hz" for name in names])
    for axis in (left, right):
        axis.tick_params(labelsize=8)
        axis.set_xlabel("time in the excerpt (s)", fontsize=9)
    bar = figure.colorbar(image, ax=right, pad=0.02)
    bar.solids.set(alpha=1)  # type: ignore[union-attr]
    bar.set_label("against   ←   score   →   for", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(drawable(title), fontsize=10)
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)
    return stream.getvalue()


def _outline(axis: Any, kept: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    if kept.all() or not kept.any():
        return
    fine = np.kron(kept, np.ones((4, 4)))  # the line runs along cells, not through their middles
    axis.contour(
        fine, levels=[0.5], colors="#ffe14d", linewidths=1.2, extent=extent, origin="lower"
    )
