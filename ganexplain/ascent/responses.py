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
