"""Pictures from files of any format Pillow reads, brought to one size and number of channels."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.errors import BadFile, reason_of
from ganexplain.inputs.picture import ImageInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # others may start programs
MODES = {1: "L", 3: "RGB"}
LONGEST = 2**28  # bytes of a file
ORIENTATION = 0x0112  # EXIF tag: which way up a camera was
LARGEST_16_BITS = 65535
LARGEST = 50_000_000  # pixels, of which several copies are made


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture."""
    return path.suffix.lower() in SUFFIXES


def load_picture(path: Path, input_spec: ImageInput) -> np.ndarray:
    """A picture (C, H, W), float32 in 0..1, resized where it has another size.

    Transparency is laid over black. Raises BadFile where it cannot be read.
    """
    from PIL import Image

    image = opened(path)
    if image.mode.startswith("I"):
        image = _of_8_bits(path, image)
    if "A" in image.getbands() or "transparency" in image.info:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole)
    image = image.convert(MODES[input_spec.channels])
    if image.size != (input_spec.width, input_spec.height):
        image = image.resize((input_spec.width, input_spec.height), Image.Resampling.BILINEAR)
    values = np.asarray(image, dtype=np.float32) / 255
    values = values[None] if input_spec.channels == 1 else values.transpose(2, 0, 1)
    return np.ascontiguousarray(values)


def _of_8_bits(path: Path, image: Any) -> Any:
    """A picture of 16 bits a pixel, which Pillow would clip, with what is transparent black."""
    from PIL import Image

    values = np.asarray(image, dtype=np.int64)
    if values.min() < 0 or values.max() > LARGEST_16_BITS:
        raise _unknown_range(path, "integers beyond 16 bits")
    values[values == image.info.get("transparency", -1)] = 0
    return Image.fromarray((values / 257).astype(np.uint8))


def _unknown_range(path: Path, kind: str) -> BadFile:
    return BadFile(f"{path}: {kind} of no known range; save it with 8 or 16 bits a pixel")


def picture_input(path: Path) -> ImageInput:
    """What pictures like this one are: its size, grey or in colours; BadFile if unreadable."""
    image = opened(path)
    channels = 1 if image.mode in ("1", "L", "LA", "I") or "16" in image.mode else 3
    return ImageInput(channels=channels, height=image.height, width=image.width)


def opened(path: Path) -> Any:
    """An image of Pillow, decoded and upright, as its orientation tag says.

    BadFile where it cannot be read, is too large, or has pixels of no known range.
    """
    from PIL import Image, ImageOps

    try:
        if path.stat().st_size > LONGEST:
            raise ValueError(f"longer than {LONGEST:,} bytes")
        content = io.BytesIO(path.read_bytes())  # of a file Pillow asks for as much as is claimed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, on what it reads all the same
            image: Any = Image.open(content, formats=FORMATS)
            if image.width * image.height > LARGEST:
                raise ValueError(f"{image.width} x {image.height} pixels, more than {LARGEST:,}")
            image.load()
            of_32_bits = image.mode == "I" and image.format == "TIFF"
            if image.getexif().get(ORIENTATION, 1) != 1:
                image = ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise BadFile(
            f"{path}: cannot be read as a picture ({reason_of(error)}); replace it"
        ) from error
    if image.mode == "F":
        raise _unknown_range(path, "floating-point pixels")
    if of_32_bits:
        raise _unknown_range(path, "integers of 32 bits")
    return image
