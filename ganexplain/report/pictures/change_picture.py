"""An excerpt, its changed versions and the last difference, as one PNG."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganexplain.audio.difference import level_change_db
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.report.charts.axes import frame_edges, hz_ticks
from ganexplain.report.charts.spectrograms import COLOUR_MAP, colour_scale
from ganexplain.report.html.notation import drawable
from ganexplain.report.pictures.default_style import default_style
from ganexplain.report.pictures.panels import Grid, axis_beside
from ganexplain.report.pictures.png import figure_png

LEAST_DB = 6.0  # least range of the scale of the difference
LEFT, GAP, BESIDE = 0.55, 0.12, 0.85  # inches: before the panels, between them, of a colour bar


@default_style()
def change_picture(excerpts: Mapping[str, np.ndarray], front_end: FrontEnd) -> bytes:
    """Draw log-mel excerpts (F, T) with their titles, and the difference of the last two in dB.

    A title is a name, or a name, a colon and more; the title of the difference has both names.
    The excerpts have the colour scale of the first one.
    """
    from matplotlib.figure import Figure

    panels = list(excerpts.values())
    scale = colour_scale(panels[0][None], front_end)
    before, after = panels[-2:]
    by = level_change_db(before, after, front_end)
    reach = max(LEAST_DB, float(np.percentile(np.abs(by), 99.5)))
    size = (3.1 * (len(panels) + 1), 3.3)
    figure = Figure(figsize=size)
    wide = (size[0] - LEFT - GAP * (len(panels) - 1) - 2 * BESIDE) / (len(panels) + 1)
    grid = Grid(left=LEFT, right=wide + 2 * BESIDE, bottom=0.4, top=0.3, across=GAP)
    axes = list(grid.axes(figure, 1, len(panels))[0])
    axes.append(axis_beside(figure, size[0] - wide - BESIDE, grid, wide, sharey=axes[0]))
    axes[-1].tick_params(labelleft=False)
    bands, frames = panels[0].shape
    extent = (*frame_edges(frames, front_end), 0, bands)
    shown = [(panel, COLOUR_MAP, scale.low, scale.high) for panel in panels]
    shown.append((by, "RdBu_r", -reach, reach))
    *_, first, second = (title.split(":")[0] for title in excerpts)
    titles = [*excerpts, f"{second} less {first}"]
    images = []
    for axis, title, (values, colours, low, high) in zip(axes, titles, shown, strict=True):
        images.append(
            axis.imshow(values, origin="lower", aspect="auto", cmap=colours, vmin=low, vmax=high,
                        interpolation="nearest", extent=extent)
        )  # fmt: skip
        axis.set_title(drawable(title), loc="left", fontsize=9)
        axis.set_xlabel("s", fontsize=8)
        axis.tick_params(labelsize=8)
    heights, names = zip(*hz_ticks(front_end), strict=True)
    axes[0].set_yticks(heights, names)
    axes[0].set_ylabel("Hz", fontsize=8)
    bars = ((size[0] - wide - 2 * BESIDE, f"log-mel ({front_end.unit})"), (size[0] - BESIDE, "dB"))
    for image, (left, label) in zip(images[-2:], bars, strict=True):
        beside = axis_beside(figure, left + 0.08, grid)
        figure.colorbar(image, cax=beside, label=label)
    return figure_png(figure)
