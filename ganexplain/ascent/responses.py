"""Responses to real excerpts, and the excerpts with the highest and lowest ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

BATCH = 32


class Excerpts(Protocol):
    """A split of recordings, or of pictures."""

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """The excerpts (N, ...) at `centres` (N, 2+), float32."""


def batches(rows: np.ndarray, size: int = BATCH) -> Iterator[np.ndarray]:
    """Rows (N, ...) in batches (B, ...) of a size."""
    return (rows[i : i + size] for i in range(0, len(rows), size))


@torch.no_grad()
def batch_responses(
    respond: Callable[[Tensor], Tensor],
    inputs: Iterable[np.ndarray],
    device: torch.device,
    advance: Callable[[int], None] = lambda units: None,
) -> np.ndarray:
    """Responses (N,) to inputs that come in batches (B, ...)."""
    values = []
    for batch in inputs:
        values.append(respond(torch.from_numpy(batch).to(device)).cpu().numpy())
        advance(len(batch))
    return np.concatenate(values)


def excerpt_responses(
    split: Excerpts,
    centres: np.ndarray,
    respond: Callable[[Tensor], Tensor],
    device: torch.device,
    advance: Callable[[int], None] = lambda units: None,
) -> np.ndarray:
    """Responses (M,) to excerpts around `centres` (M, 2), computed in batches."""
    return batch_responses(respond, map(split.gather, batches(centres)), device, advance)


def strongest(
    response: np.ndarray, centres: np.ndarray, count: int, apart: int, direction: str
) -> np.ndarray:
    """Rows (up to `count`) with the highest (`max`) or lowest (`min`) response, best first.

    Non-maximum suppression: a row less than `apart` frames from a chosen one of the same recording
    is skipped, so that one moment does not fill the list. With `apart` 0 excerpts may overlap, as
    in the authors' code.
    """
    order = np.argsort(-response if direction == "max" else response, kind="stable")
    chosen: list[int] = []
    frames_of: dict[int, list[int]] = {}
    for row in order:
        recording, frame = int(centres[row, 0]), int(centres[row, 1])
        if all(abs(frame - other) >= apart for other in frames_of.get(recording, [])):
            chosen.append(int(row))
            frames_of.setdefault(recording, []).append(frame)
            if len(chosen) == count:
                break
    return np.array(chosen, dtype=np.int64)


class Strongest:
    """The excerpts with the highest (`max`) or lowest (`min`) response, best first, so far.

    They are those that `strongest` would choose if it had all responses at once: of each
    recording all come in one call of `add`, recordings in their order. `centres` (N, 2) are theirs.
    """

    def __init__(self, count: int, apart: int, direction: str) -> None:
        self.count, self.apart, self.sign = count, apart, 1 if direction == "max" else -1
        self.heights = np.empty(0)
        self.centres = np.empty((0, 2), dtype=np.int64)

    def add(self, response: np.ndarray, centres: np.ndarray) -> None:
        """Compare with responses (m,) to excerpts around `centres` (m, 2) of other recordings."""
        heights = response * self.sign
        if len(self.heights) == self.count:  # no other row can come in, or suppress one that does
            rows = np.flatnonzero(~(heights <= self.heights[-1]))
            heights, centres = heights[rows], centres[rows]
        chosen = strongest(heights, centres, self.count, self.apart, "max")
        both = np.concatenate([self.heights, heights[chosen]])
        order = np.argsort(-both, kind="stable")[: self.count]
        self.heights = both[order]
        self.centres = np.concatenate([self.centres, centres[chosen]])[order]
