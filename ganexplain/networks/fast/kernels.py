"""Loops without a function in torch, compiled by numba; imported only where they are used."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

TILE = 8  # windows per tile: weights are fetched once for a tile, its part of the strip stays in L1


def _compiled(function: Callable[..., None]) -> Any:
    """`function` as machine code, cached for later processes if a cache folder can be written.

    Of the fast-math options only contraction of products and sums is used: sums keep their order,
    and infinite values and NaN are computed correctly.
    """
    compiler = functools.partial(numba.njit, nogil=True, fastmath={"contract"})
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # raised where no cache folder can be written
        return compiler()(function)


@_compiled
def _find_places(place, start, conv_width, first_row, width, channels):  # type: ignore[no-untyped-def]
    """Write where in the flat strip each of the places (X, O) begins to `start` (X * O,)."""
    flat = place.reshape(-1)
    for i in range(len(flat)):
        # In floating point, which is exact here: integer division is not vectorised.
        y = np.int64((flat[i] + 0.5) * (1.0 / conv_width))
        start[i] = (y - first_row) * width + (flat[i] - y * conv_width) * channels


@_compiled
def _add_windows(gradient, start, weight, strip):  # type: ignore[no-untyped-def]
    """Add weights (O, K, L * C) times gradients (X, O) to the strip, at `start` (X * O,)."""
    windows, outputs = gradient.shape
    height, lanes = weight.shape[1:]
    width, strip, weight = strip.shape[1], strip.reshape(-1), weight.reshape(-1)
    for first in range(0, windows, TILE):
        for o in range(outputs):
            for x in range(first, min(first + TILE, windows)):
                value, at = gradient[x, o], start[x * outputs + o]
                for k in range(o * height, (o + 1) * height):
                    # Slices from zero: numba does not vectorise an offset that may be negative.
                    row, line = strip[at : at + lanes], weight[k * lanes : (k + 1) * lanes]
                    for j in range(lanes):
                        row[j] += value * line[j]
                    at += width


@_compiled
def _write_rows(strip, out, masked, passed, slope, first_row, count, top, left):  # type: ignore[no-untyped-def]
    """Write the first `count` rows of the strip to `out` (H, W * C), without the padding."""
    height, width = out.shape
    for r in range(count):
        y = first_row + r - top
        if 0 <= y < height:
            row, line = out[y], strip[r, left : left + width]
            if masked:
                through = passed[y]
                for j in range(width):
                    row[j] = line[j] if through[j] > 0 else line[j] * slope
            else:
                for j in range(width):
                    row[j] = line[j]


@_compiled
def input_gradient(  # type: ignore[no-untyped-def]
    gradient, place, weight, passed, masked, slope, strip, out, pool_height, conv_width, padding
):
    """Compute the gradient before a convolution of stride 1 with max-pool behind it.

    Only the place of each maximum has a gradient, so weights are added around these places alone.
    B examples, pooled places (Y, X), O outputs, C inputs, kernel K x L.

    Args:
        gradient: Gradient behind the pool (B, Y, X, O), float32.
        place: Flat index (B, Y, X, O) of each maximum in the convolution's output, int64.
        weight: Weights (O, K, L * C).
        passed: Output (B, H, W * C) of a rectifier before the convolution; read if `masked`.
        masked: Whether there is such a rectifier; `out` is then the gradient before it.
        slope: Slope of the rectifier for negative values.
        strip: Scratch (pool_height + K - 1, padded W * C): the rows below one row of windows.
        out: Result (B, H, W * C).
        pool_height: Height of a window.
        conv_width: Width of the convolution's output.
        padding: (rows, columns, C).
    """
    top, channels = padding[0], padding[2]
    left, overlap = padding[1] * channels, weight.shape[1] - 1
    rows = gradient.shape[1] * pool_height
    start = np.empty(place[0, 0].size, np.int64)
    for b in range(len(gradient)):
        strip[:] = 0
        for first in range(0, rows, pool_height):
            window = first // pool_height
            _find_places(place[b, window], start, conv_width, first, strip.shape[1], channels)
            _add_windows(gradient[b, window], start, weight, strip)
            _write_rows(strip, out[b], masked, passed[b], slope, first, pool_height, top, left)
            for r in range(overlap):
                strip[r] = strip[r + pool_height]
            strip[overlap:] = 0
        _write_rows(strip, out[b], masked, passed[b], slope, rows, overlap, top, left)
        # Rows below the last window have no gradient.
        out[b, max(rows + overlap - top, 0) :] = 0
