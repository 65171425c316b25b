"""Reads pictures with Pillow, and converts them to one size and number of channels."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.errors import BadFile, reason_of
from ganexplain.inputs.picture import ImageInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # other formats may start programs
MODES = {1: "L", 3: "RGB"}
LONGEST = 2**28  # bytes of a file
ORIENTATION = 0x0112  # EXIF tag of the camera's orientation
LARGEST_16_BITS = 65535
LARGEST = 50_000_000  # pixels; several copies are made of them


def is_picture(path: Path) -> bool:
    """Whether a file has the ending of a picture."""
    return path.suffix.lower() in SUFFIXES


def load_picture(path: Path, input_spec: ImageInput) -> np.ndarray:
    """A picture (C, H, W), float32 in 0..1, resized to `input_spec` if it has another size.

    Transparent pixels are blended with black. Raises BadFile if it cannot be read.
    """
    from PIL import Image

    image = open_image(path)
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
    """A picture with 16 bits per pixel in 8 bits, which Pillow would clip; transparent is black."""
    from PIL import Image

    values = np.asarray(image, dtype=np.int64)
    if values.min() < 0 or values.max() > LARGEST_16_BITS:
        raise _unknown_range(path, "integers beyond 16 bits")
    values[values == image.info.get("transparency", -1)] = 0
    return Image.fromarray((values / 257).astype(np.uint8))


def _unknown_range(path: Path, kind: str) -> BadFile:
    return BadFile(f"{path}: {kind} with an unknown range; save it with 8 or 16 bits per pixel")


def picture_spec(path: Path) -> ImageInput:
    """The input specification of a picture: its size and 1 or 3 channels; BadFile if unreadable."""
    image = open_image(path)
    channels = 1 if image.mode in ("1", "L", "LA", "I") or "16" in image.mode else 3
    return ImageInput(channels=channels, height=image.height, width=image.width)


def open_image(path: Path) -> Any:
    """A decoded image of Pillow, rotated as its orientation tag says.

    Raises BadFile if it cannot be read, is too large, or has pixels with an unknown range.
    """
    from PIL import Image, ImageOps

    try:
        if path.stat().st_size > LONGEST:
            raise ValueError(f"longer than {LONGEST:,} bytes")
        # In memory: from a file Pillow would allocate as much as the header claims.
        content = io.BytesIO(path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about faults that Pillow tolerates
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
