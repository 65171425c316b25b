"""Pictures from files of any format Pillow reads, brought to one size and number of channels."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.errors import BadFile
from ganexplain.inputs import ImageInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # others may start programs
MODES = {1: "L", 3: "RGB"}
LONGEST = 2**28  # bytes of a file
LARGEST = 50_000_000  # pixels, of which several copies are made


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture."""
    return path.suffix.lower() in SUFFIXES


def load_picture(path: Path, eaten: ImageInput) -> np.ndarray:
    """A picture (C, H, W), float32 in 0..1, resized where it has another size.

    Transparency is laid over black. Raises BadFile where it cannot be read.
    """
    from PIL import Image

    image = opened(path)
    if "A" in image.getbands() or "transparency" in image.info:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole)
    if image.mode == "F":
        raise BadFile(f"{path}: floating-point pixels of no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert() would clip
        image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).astype(np.uint8))
    image = image.convert(MODES[eaten.channels])
    if image.size != (eaten.width, eaten.height):
        image = image.resize((eaten.width, eaten.height), Image.Resampling.BILINEAR)
    values = np.asarray(image, dtype=np.float32) / 255
    values = values[None] if eaten.channels == 1 else values.transpose(2, 0, 1)
    return np.ascontiguousarray(values)


def picture_input(path: Path) -> ImageInput:
    """What pictures like this one are: its size, grey or in colours; BadFile if unreadable."""
    image = opened(path)
    channels = 1 if image.mode in ("1", "L", "LA", "I", "F") or "16" in image.mode else 3
    return ImageInput(channels=channels, height=image.height, width=image.width)


def opened(path: Path) -> Any:
    """An image of Pillow, decoded; BadFile where it cannot be read, or is too large."""
    from PIL import Image

    try:
        if path.stat().st_size > LONGEST:
            raise ValueError(f"longer than {LONGEST:,} bytes")
        content = io.BytesIO(path.read_bytes())  # of a file Pillow asks for as much as is claimed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, on what it reads all the same
            image = Image.open(content, formats=FORMATS)
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width} x {image.height} pixels, more than {LARGEST:,}")
            image.load()
    except Exception as error:  # Pillow raises many kinds for damaged files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadFile(f"{path}: cannot be read as a picture ({reason}); replace it") from error
    return image
