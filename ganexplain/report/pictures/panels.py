"""Axes of a figure at places in inches.

Matplotlib's constrained layout would find the places, but it measures every text of the figure
twice: half of the time of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BAR = 0.1  # inches of width of a colour bar


@dataclass(frozen=True)
class Grid:
    """Panels of one size in rows and columns, with the lowest row's corner at `left`, `bottom`.

    `right` and `top` are the margins on the other sides and `across` and `down` the gaps between
    columns and rows, all in inches.
    """

    left: float
    right: float
    bottom: float
    top: float
    across: float = 0.0
    down: float = 0.0

    def axes(self, figure: Any, rows: int, columns: int) -> Any:
        """Return axes (rows, columns) that share their scales and have outer labels only."""
        width, height = figure.get_size_inches()
        each = (width - self.left - self.right - self.across * (columns - 1)) / columns
        tall = (height - self.bottom - self.top - self.down * (rows - 1)) / rows
        places = {
            "left": self.left / width, "right": 1 - self.right / width,
            "bottom": self.bottom / height, "top": 1 - self.top / height,
            "wspace": self.across / each, "hspace": self.down / tall,
        }  # fmt: skip
        return figure.subplots(
            rows, columns, squeeze=False, sharex=True, sharey=True, gridspec_kw=places
        )


def axis_beside(
    figure: Any, left: float, grid: Grid, width: float = BAR, sharey: Any = None
) -> Any:
    """Return an axis as high as a grid of one row, `left` inches from the left of the figure."""
    across, high = figure.get_size_inches()
    tall = high - grid.bottom - grid.top
    place = (left / across, grid.bottom / high, width / across, tall / high)
    return figure.add_axes(place, sharey=sharey)
