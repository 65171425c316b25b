"""What a GAN draws as pictures for a page: spectrograms or the pictures themselves."""

from __future__ import annotations

import io

import numpy as np

from ganexplain.pages.picture_sheet import screen_pixels
from ganexplain.pages.sounds import data_uri
from ganexplain.pages.spectrograms import colour_scale, png_uri


def input_pictures(inputs: np.ndarray) -> list[str]:
    """Excerpts (N, F, T) or pictures (N, C, H, W) as `data:` addresses of PNGs."""
    if inputs.ndim == 3:
        scale = colour_scale(inputs)
        return [png_uri(scale.indices(mel[::-1]), pixels=1) for mel in inputs]
    return [_png(picture) for picture in inputs]


def _png(picture: np.ndarray) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(screen_pixels(picture)).save(stream, format="PNG")
    return data_uri("image/png", stream.getvalue())
