"""Pictures side by side in one PNG."""

from __future__ import annotations

import io

import numpy as np

SIDE = 96  # screen pixels a picture, about
GAP = 4


def picture_sheet(rows: dict[str, np.ndarray]) -> bytes:
    """PNG of pictures (N, C, H, W) in 0..1, a row for each entry, in their order from the top."""
    from PIL import Image

    drawn = [_row(pictures) for pictures in rows.values()]
    width = max(row.shape[1] for row in drawn)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0))) for row in drawn]
    sheet = np.concatenate(padded)[:-GAP]
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def screen_pixels(picture: np.ndarray) -> np.ndarray:
    """A picture (C, H, W) in 0..1 as (H', W', 3) uint8, whole screen pixels for each of its own."""
    channels = np.repeat(picture, 3, axis=0) if len(picture) == 1 else picture
    values = np.round(np.clip(np.nan_to_num(channels), 0, 1) * 255).astype(np.uint8)
    times = max(SIDE // max(values.shape[1:]), 1)
    return values.transpose(1, 2, 0).repeat(times, axis=0).repeat(times, axis=1)


def _row(pictures: np.ndarray) -> np.ndarray:
    gap = ((0, 0), (0, GAP), (0, 0))
    return np.concatenate([np.pad(screen_pixels(p), gap) for p in pictures], axis=1)[:, :-GAP]
