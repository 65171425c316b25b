"""Label maps (H, W): the segment, 0 to n - 1, of each cell of an input."""

from __future__ import annotations

import re

import numpy as np

from ganexplain.errors import GanexplainError, UsageError, check_known

SUPERPIXELS = ("slic", "felzenszwalb", "quickshift")
SLIC_SEGMENTS = 50


def grid(height: int, width: int, rows: int, columns: int) -> np.ndarray:
    """Return equal rectangles, numbered down each column: segment = column * rows + row.

    A rectangle has height // rows by width // columns cells, the last ones also the remainder. For
    80 bands by 115 frames, 4 rows by 6 columns are the 24 segments of SLIME (Mishra, Sturm and
    Dixon 2017): 20 bands by 19 frames, the last column 20 frames. Raises UsageError for more
    rectangles than cells.
    """
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise UsageError(
            f"--segments {columns}x{rows}: the input has {width} x {height} values, columns x "
            f"rows; give at most {width}x{height}"
        )
    row = np.minimum(np.arange(height) // (height // rows), rows - 1)
    column = np.minimum(np.arange(width) // (width // columns), columns - 1)
    return column[None, :] * rows + row[:, None]


def columns_and_rows(text: str) -> tuple[int, int] | None:
    """Return the numbers of a text like 6x4, times x bands; None for another text."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def temporal(height: int, width: int, count: int) -> np.ndarray:
    """Return `count` spans along the last axis (10 of 115 frames: nine of 11, the last of 16)."""
    return grid(height, width, 1, count)


def spectral(height: int, width: int, count: int) -> np.ndarray:
    """Return `count` bands along the first axis."""
    return grid(height, width, count, 1)


def follow_sound(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return rectangles of a spectrogram (F, T) in level, numbered as those of `grid`.

    Times are cut at the frames where most bands become louder (spectral flux, Masri 1996), which
    are at least half a usual span apart; bands so that each has the same share of the level above
    the lowest. Raises UsageError for more rectangles than cells.
    """
    height, width = values.shape
    plain = grid(height, width, rows, columns)  # checks the counts
    level = values.astype(np.float64) - values.min()
    if not level.any():
        return plain
    flux = np.concatenate([[0.0], np.maximum(np.diff(level, axis=1), 0).sum(axis=0)])
    column = np.searchsorted(_onsets(flux, columns), np.arange(width), side="right")
    below, number = np.cumsum(level.sum(axis=1)) / level.sum(), np.arange(rows - 1)
    edges = np.searchsorted(below, (number + 1) / rows) + 1
    edges = np.maximum.accumulate(edges - number) + number  # at least one band each
    edges = np.minimum(edges, height - rows + 1 + number)
    row = np.searchsorted(edges, np.arange(height), side="right")
    return column[None, :] * rows + row[:, None]


def _onsets(flux: np.ndarray, count: int) -> np.ndarray:
    """Return the frames, in order, at which `count` - 1 spans after the first begin.

    They are those of the largest flux (T,), at least half a usual span from each other and from
    the ends: so many always fit.
    """
    width = len(flux)
    apart = max(1, width // (2 * count))
    free = np.zeros(width, dtype=bool)
    free[apart : width - apart + 1] = True
    found: list[int] = []
    for _ in range(count - 1):
        allowed = np.flatnonzero(free)
        best = int(allowed[flux[allowed].argmax()])
        found.append(best)
        free[max(0, best - apart + 1) : best + apart] = False
    return np.sort(np.array(found, dtype=int))


def superpixels(image: np.ndarray, method: str, count: int = SLIC_SEGMENTS) -> np.ndarray:
    """Segments of similar cells by scikit-image, of an image (C, H, W) or (H, W).

    `slic` (about `count` segments), `felzenszwalb` or `quickshift` (three equal channels are made
    for the last where there is one). Values are scaled to 0..1 first. Raises GanexplainError
    where scikit-image is not installed.
    """
    check_known("--segments", method, SUPERPIXELS)
    try:
        from skimage import segmentation
    except ImportError as error:
        raise GanexplainError(
            f"--segments {method} needs scikit-image: "
            "pip install '.[attribution]' in ganexplain's folder"
        ) from error
    low, high = float(image.min()), float(image.max())
    scaled = (image.astype(np.float64) - low) / max(high - low, 1e-12)
    channels_last = np.moveaxis(scaled, 0, -1) if image.ndim == 3 else scaled[..., None]
    if method == "quickshift" and channels_last.shape[-1] == 1:
        channels_last = np.repeat(channels_last, 3, axis=-1)
    colour = channels_last.shape[-1] == 3 and image.ndim == 3
    if method == "slic":
        labels = segmentation.slic(
            channels_last, n_segments=count, compactness=10.0, start_label=0,
            convert2lab=colour, channel_axis=-1,
        )  # fmt: skip
    elif method == "felzenszwalb":
        labels = segmentation.felzenszwalb(
            channels_last, scale=100.0, sigma=0.8, min_size=40, channel_axis=-1
        )
    else:  # as `lime` has it
        labels = segmentation.quickshift(
            channels_last, kernel_size=4, max_dist=200, ratio=0.2, convert2lab=colour, rng=0,
            channel_axis=-1,
        )  # fmt: skip
    return numbered(labels)


def numbered(labels: np.ndarray) -> np.ndarray:
    """Renumber the labels of a map 0, 1, 2, ... in ascending order."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def segment_sizes(labels: np.ndarray) -> np.ndarray:
    """Return the number of cells (n,) of each segment."""
    return np.bincount(labels.ravel())


def segment_means(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean (n,) of values (H, W) over each segment."""
    totals = np.bincount(labels.ravel(), weights=values.ravel().astype(np.float64))
    return totals / segment_sizes(labels)
