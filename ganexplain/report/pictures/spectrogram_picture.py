"""One spectrogram with axes and colour scale, as a PNG for a paper or a talk."""

from __future__ import annotations

import numpy as np

from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks
from ganexplain.report.charts.spectrograms import COLOUR_MAP, ColourScale
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.panels import Grid, axis_beside
from ganexplain.report.pictures.png import figure_png

SIZE, DPI = (4.8, 3.0), 150  # inches, and dots per inch
PANEL = Grid(left=0.6, right=0.85, bottom=0.5, top=0.12)  # inches


@default_style()
def spectrogram_picture(mel: np.ndarray, scale: ColourScale, front_end: FrontEnd) -> bytes:
    """Draw log-mel (F, T) in the colours of `scale` as a PNG; NaN has the darkest one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI)
    axis = PANEL.axes(figure, 1, 1)[0, 0]
    bands, frames = mel.shape
    image = axis.imshow(
        np.nan_to_num(mel, nan=scale.low), origin="lower", aspect="auto", cmap=COLOUR_MAP,
        vmin=scale.low, vmax=scale.high, interpolation="nearest",
        extent=(*frame_edges(frames, front_end), 0, bands),
    )  # fmt: skip
    heights, names = zip(*hz_ticks(front_end), strict=True)
    axis.set_yticks(heights, names)
    axis.set_ylabel("frequency (Hz)", fontsize=9)
    axis.set_xlabel("time (s)", fontsize=9)
    bar = figure.colorbar(image, cax=axis_beside(figure, SIZE[0] - PANEL.right + 0.1, PANEL))
    bar.set_label(f"log-mel ({front_end.unit})", fontsize=9)
    for each in (axis, bar.ax):
        each.tick_params(labelsize=8)
    return figure_png(figure)
