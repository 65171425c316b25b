"""Loops that torch has no function for, compiled by numba; imported only where they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

TILE = 8  # windows done together: weights are fetched once a tile, the strip's part stays in L1


def _compiled(function: Callable[..., None]) -> Any:
    """Machine code of `function`, kept for later processes where a cache folder can be written.

    Products and sums may be contracted, nothing else: sums keep their order, and values that
    are not finite stay so.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba's word for a cache folder that cannot be written
        return numba.njit(**options)(function)


@_compiled
def _find_places(place, start, conv_width, first_row, width, channels):  # type: ignore[no-untyped-def]
    """Where in the flat strip each of the places (X, O) begins, into `start` (X * O,)."""
    flat = place.reshape(-1)
    for i in range(len(flat)):
        # By way of floating point, exact here, because it makes vectors; division does not.
        y = np.int64((flat[i] + 0.5) * (1.0 / conv_width))
        start[i] = (y - first_row) * width + (flat[i] - y * conv_width) * channels


@_compiled
def _add_windows(gradient, start, weight, strip):  # type: ignore[no-untyped-def]
    """Weights (O, K, L * C) times gradients (X, O) onto the strip, from `start` (X * O,) on."""
    windows, outputs = gradient.shape
    height, lanes = weight.shape[1:]
    width, strip, weight = strip.shape[1], strip.reshape(-1), weight.reshape(-1)
    for first in range(0, windows, TILE):
        for o in range(outputs):
            for x in range(first, min(first + TILE, windows)):
                value, at = gradient[x, o], start[x * outputs + o]
                for k in range(o * height, (o + 1) * height):
                    # Slices from zero: with an offset that may be negative numba makes no vectors.
                    row, line = strip[at : at + lanes], weight[k * lanes : (k + 1) * lanes]
                    for j in range(lanes):
                        row[j] += value * line[j]
                    at += width


@_compiled
def _write_rows(strip, out, masked, passed, slope, first_row, count, top, left):  # type: ignore[no-untyped-def]
    """The first `count` rows of the strip to `out` (H, W * C), less the padding."""
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
    """Gradient before a convolution of stride one with max-pool behind it.

    Only the place of a maximum has a gradient behind the pool, so weights are added around
    those places alone. B examples, pooled places (Y, X), O outputs, C inputs:
    `gradient` (B, Y, X, O) float32; `place` (B, Y, X, O) int64, the flat index of the maximum
    in the convolution's output, which is `conv_width` wide; `weight` (O, K, L * C) of a kernel
    K x L; `out` (B, H, W * C) is written. Where `masked`, `passed` (B, H, W * C) is what a
    rectifier of slope `slope` put out, and `out` is the gradient before it. `strip`
    (pool_height + K - 1, padded W * C) is scratch, the rows that one row of windows reaches;
    `padding` is (rows, columns, C).
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
        # What no window reaches, below the last one, has no gradient.
        out[b, max(rows + overlap - top, 0) :] = 0
