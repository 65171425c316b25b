"""What each filter of a part explainer looks for: how often, where, and what for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.explainers.parts.network import Encoding, PartsExplainer, peaks


@dataclass(frozen=True)
class FilterReadings:
    """Of N inputs and D filters whose maps are (H, W).

    `strength` (N, D) is the peak of a filter's part, on a scale where parts have mass one on
    average; `place` (N, D, 2) its row and column; `mass` (N, D) the part's sum; `contribution`
    (N, D) what it gives the logit; `where` (D, H, W) the mean part.
    """

    strength: np.ndarray
    place: np.ndarray
    mass: np.ndarray
    contribution: np.ndarray
    where: np.ndarray

    @property
    def presence(self) -> np.ndarray:
        """How many of the inputs hold the part (D,): 1 where all do alike, 1 / N where one does.

        The participation ratio of the mass; 0 for a filter that never fires.
        """
        mean, square = self.mass.mean(axis=0), np.square(self.mass).mean(axis=0)
        return np.where(square > 0, mean**2 / np.maximum(square, 1e-30), 0.0)

    def spans(self) -> np.ndarray:
        """Rows and columns between which 80 % of each filter's parts lie, (D, 2, 2), in places."""
        found = np.empty((len(self.where), 2, 2))
        for axis in (0, 1):
            along = self.where.sum(axis=2 - axis)
            total = np.cumsum(along, axis=1) / np.maximum(along.sum(axis=1, keepdims=True), 1e-30)
            found[:, axis, 0] = (total >= 0.1).argmax(axis=1)
            found[:, axis, 1] = (total >= 0.9 - 1e-9).argmax(axis=1)
        return found


def slope(features: Tensor, logit: Callable[[Tensor], Tensor]) -> Tensor:
    """The gradient (B, D, H, W) of logits (B,) that are decoded from features (B, D, H, W)."""
    with torch.enable_grad():
        leaf = features.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(logit(leaf).sum(), leaf)
    return gradient


def contributions(
    explainer: PartsExplainer, encoding: Encoding, logit: Callable[[Tensor], Tensor]
) -> Tensor:
    """What the parts of each filter give the logit, (B, D), to first order.

    `logit` gives it (B,) of what is decoded from features (B, D, H, W). The gradient times the
    part, summed over its places.
    """
    return (slope(encoding.features, logit) * explainer.weighed(encoding)).sum(dim=(2, 3))


def read_filters(encoding: Encoding, given: Tensor) -> FilterReadings:
    """Readings of a batch from its encoding and the contributions (B, D)."""
    parts = encoding.parts
    values = (parts.amax(dim=(2, 3)), peaks(parts), parts.sum(dim=(2, 3)), given, parts.mean(dim=0))
    return FilterReadings(*(value.cpu().numpy() for value in values))


def joined(batches: Sequence[FilterReadings]) -> FilterReadings:
    """Readings of several batches as one."""
    sizes = [len(each.strength) for each in batches]
    names = ("strength", "place", "mass", "contribution")
    rows = {name: np.concatenate([getattr(each, name) for each in batches]) for name in names}
    where = np.average([each.where for each in batches], axis=0, weights=sizes)
    return FilterReadings(**rows, where=where)
