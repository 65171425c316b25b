"""The order of the axes of an array, found by comparing it with the same values in known order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np


def arrangements(array: np.ndarray, axes: str) -> Iterator[tuple[str, np.ndarray]]:
    """The ways to read the axes of an array as `axes`: a layout, and the array in that order.

    Axes that are left over are of length one, or copies of the same: digits in the layout.
    """
    for places in permutations(range(array.ndim), len(axes)):
        rest = [place for place in range(array.ndim) if place not in places]
        if any(array.shape[place] > 9 for place in rest) or not _are_copies(array, rest):
            continue
        letters = dict(zip(places, axes, strict=True))
        layout = "".join(letters.get(at, str(size)) for at, size in enumerate(array.shape))
        first = array[tuple(0 if at in rest else slice(None) for at in range(array.ndim))]
        order = sorted(places)
        yield layout, first.transpose([order.index(place) for place in places])


def _are_copies(array: np.ndarray, places: list[int]) -> bool:
    """Whether the array does not change along some axes."""
    return all(not np.ptp(array, axis=place).any() for place in places)
