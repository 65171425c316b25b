"""Responses to real excerpts, and the excerpts with the highest and lowest ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

BATCH = 32


class Excerpts(Protocol):
    """A split of recordings, or of pictures."""

    def gather(self, centres: np.ndarray) -> np.ndarray:
        """The excerpts (N, ...) at `centres` (N, 2+), float32."""


@torch.no_grad()
def excerpt_responses(
    split: Excerpts,
    centres: np.ndarray,
    respond: Callable[[Tensor], Tensor],
    device: torch.device,
    advance: Callable[[int], None] = lambda units: None,
) -> np.ndarray:
    """Responses (M,) to excerpts around `centres` (M, 2), computed in batches."""
    values = []
    for i in range(0, len(centres), BATCH):
        mel = torch.from_numpy(split.gather(centres[i : i + BATCH])).to(device)
        values.append(respond(mel).cpu().numpy())
        advance(len(mel))
    return np.concatenate(values)


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
