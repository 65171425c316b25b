"""PNG files of Matplotlib's figures and of pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


def figure_png(figure: Figure) -> bytes:
    """Return a figure as a PNG, drawn by Agg independent of the user's backend."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)
    return stream.getvalue()


def png_bytes(pixels: np.ndarray) -> bytes:
    """Return colours (H, W, 3), or (H, W, 4) with opacity, uint8, as a PNG."""
    from PIL import Image

    return image_png(Image.fromarray(pixels))


def image_png(image: Image) -> bytes:
    """Return an image of Pillow as a PNG."""
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return stream.getvalue()
