"""Recognises features that are others and their slopes over time, one above the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ganexplain.inputs.layouts import arrangements
from ganexplain.inputs.log_mel import FrontEnd

WIDTHS = (9, 5, 3, 7, 11)  # frames, the most usual first
SAME = 1e-3  # RMS difference of slopes that are equal, as a share of their deviation
MOST = 3  # parts: values, slopes and slopes of slopes


@dataclass(frozen=True)
class Stack:
    """Features (T, F), and the slopes that follow on them."""

    features: np.ndarray
    deltas: int
    width: int
    kind: str
    axis: str

    def on(self, front_end: FrontEnd) -> FrontEnd:
        """A front end of the features with their slopes."""
        return replace(
            front_end, deltas=self.deltas, delta_width=self.width, delta_kind=self.kind,
            delta_axis=self.axis,
        )  # fmt: skip


def stacks(features: np.ndarray) -> Iterator[Stack]:
    """The features without slopes, where an array in any layout has them, and as they are."""
    for _, plane in arrangements(features, "FT"):
        for count in range(2, MOST + 1):
            if plane.shape[0] % count == 0 and plane.shape[0] > count:
                parts = np.split(plane.T, count, axis=1)
                yield from _without_slopes(parts, "bands")
    for _, planes in arrangements(features, "CFT"):
        if 2 <= len(planes) <= MOST:
            yield from _without_slopes([each.T for each in planes], "channels")


def _without_slopes(parts: list[np.ndarray], axis: str) -> Iterator[Stack]:
    """The first part, if the others are its slopes."""
    for kind, width in product(("fitted", "repeated"), WIDTHS):
        if len(parts[0]) < width:
            continue
        slopes = (_slopes(parts[0], kind, width, order) for order in range(1, len(parts)))
        if all(_alike(ours, theirs) for ours, theirs in zip(slopes, parts[1:], strict=True)):
            yield Stack(parts[0], len(parts) - 1, width, kind, axis)
            return


def _slopes(values: np.ndarray, kind: str, width: int, order: int) -> np.ndarray:
    """The slopes of values (T, F) over time of some order."""
    from scipy.signal import savgol_filter  # half a second

    if kind == "fitted":
        found = savgol_filter(values, width, polyorder=order, deriv=order, axis=0, mode="interp")
        return np.asarray(found)
    for _ in range(order):
        values = savgol_filter(values, width, polyorder=1, deriv=1, axis=0, mode="nearest")
    return values


def _alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    difference = np.sqrt(np.square(ours - theirs, dtype=np.float64).mean())
    return bool(difference <= SAME * theirs.std())
