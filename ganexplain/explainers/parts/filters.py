"""Statistics of the filters of a part explainer: presence, places and contributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.explainers.parts.network import Encoding, PartsExplainer, peaks


@dataclass(frozen=True)
class FilterReadings:
    """Parts of D filters with maps (H, W) in N inputs.

    `strength` (N, D) is the peak of a part, where parts have mass one on average; `place`
    (N, D, 2) is its row and column, `mass` (N, D) the sum of the part, `contribution` (N, D) its
    contribution to the logit, `where` (D, H, W) the mean part.
    """

    strength: np.ndarray
    place: np.ndarray
    mass: np.ndarray
    contribution: np.ndarray
    where: np.ndarray

    @property
    def presence(self) -> np.ndarray:
        """Share of the inputs that contain the part (D,): the participation ratio of its mass.

        1 if all inputs have equal mass, 1 / N if one has all of it, 0 if no input has any.
        """
        mean, square = self.mass.mean(axis=0), np.square(self.mass).mean(axis=0)
        return np.where(square > 0, mean**2 / np.maximum(square, 1e-30), 0.0)

    def spans(self) -> np.ndarray:
        """Return the rows and the columns (D, 2, 2) that contain the middle 80 % of each part."""
        found = np.empty((len(self.where), 2, 2))
        for axis in (0, 1):
            along = self.where.sum(axis=2 - axis)
            total = np.cumsum(along, axis=1) / np.maximum(along.sum(axis=1, keepdims=True), 1e-30)
            found[:, axis, 0] = (total >= 0.1).argmax(axis=1)
            found[:, axis, 1] = (total >= 0.9 - 1e-9).argmax(axis=1)
        return found


def feature_gradient(features: Tensor, logit: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the gradient (B, D, H, W) of `logit`, a function (B, D, H, W) -> (B,), at features."""
    with torch.enable_grad():
        leaf = features.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(logit(leaf).sum(), leaf)
    return gradient


def contributions(
    explainer: PartsExplainer, encoding: Encoding, logit: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the contribution (B, D) of each filter's part to the logit, to first order.

    It is the gradient times the part, summed over places. `logit` maps features (B, D, H, W) to
    logits (B,).
    """
    return (feature_gradient(encoding.features, logit) * explainer.weighted_parts(encoding)).sum(
        dim=(2, 3)
    )


def read_filters(encoding: Encoding, given: Tensor) -> FilterReadings:
    """Return the readings of a batch from its encoding and contributions (B, D)."""
    parts = encoding.parts
    values = (parts.amax(dim=(2, 3)), peaks(parts), parts.sum(dim=(2, 3)), given, parts.mean(dim=0))
    return FilterReadings(*(value.cpu().numpy() for value in values))


def join_readings(batches: Sequence[FilterReadings]) -> FilterReadings:
    """Concatenate the readings of several batches."""
    sizes = [len(each.strength) for each in batches]
    names = ("strength", "place", "mass", "contribution")
    rows = {name: np.concatenate([getattr(each, name) for each in batches]) for name in names}
    where = np.average([each.where for each in batches], axis=0, weights=sizes)
    return FilterReadings(**rows, where=where)
