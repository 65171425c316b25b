"""From a subset of segments to the input that shows only these, and to its score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import segment_means, segment_sizes
from ganexplain.errors import GanexplainError

SubsetScore = Callable[[np.ndarray], np.ndarray]  # subsets (B, n) of booleans -> scores (B,)
LEAST_AGREEMENT = 1e-4  # of full scale, between a mix and the sum of its stems


class Parts(Protocol):
    """An input in n parts, any of which can be left out; H, W are its last two axes."""

    @property
    def count(self) -> int:
        """The number n of parts."""

    @property
    def sizes(self) -> np.ndarray:
        """The area (n,) of each, in cells."""

    def compose(self, kept: np.ndarray) -> Tensor:
        """Inputs (B, *S) that hold the parts `kept` (B, n) of booleans."""

    def blend(self, share: np.ndarray) -> Tensor:
        """One input (1, *S) of which each part is there to a share (n,) in 0..1."""

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """The map (H, W) of weights (n,)."""

    def gather(self, area: np.ndarray) -> np.ndarray:
        """Weights (n,): the mean of a map (H, W) over each part."""

    def altered(self, amount: float, random: np.random.Generator) -> Parts:
        """The same parts of an input that differs by noise of `amount` times its deviation."""


@dataclass(frozen=True)
class MaskedInput:
    """Segments of x (*S): where one of label map (H, W) is left out, `fill` (*S) stands."""

    x: Tensor
    labels: np.ndarray
    fill: Tensor

    @property
    def count(self) -> int:
        """The number of segments."""
        return int(self.labels.max()) + 1

    @property
    def sizes(self) -> np.ndarray:
        """Cells (n,) of each."""
        return segment_sizes(self.labels)

    def _over_channels(self, values: np.ndarray) -> Tensor:
        """What each segment has of values (B, n), as (B, 1.., H, W) beside inputs (B, *S)."""
        index = torch.as_tensor(self.labels, device=self.x.device)
        cells = torch.as_tensor(values, device=self.x.device)[:, index]
        return cells.reshape(len(values), *(1,) * (self.x.ndim - 2), *index.shape)

    def compose(self, kept: np.ndarray) -> Tensor:
        """Inputs (B, *S); all segments kept gives x to the bit."""
        return torch.where(self._over_channels(np.asarray(kept, dtype=bool)), self.x, self.fill)

    def blend(self, share: np.ndarray) -> Tensor:
        """One input (1, *S) between fill (0) and x (1) in each segment."""
        weight = self._over_channels(share[None]).to(self.x.dtype)
        return self.x * weight + self.fill * (1 - weight)

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """The map (H, W) of weights (n,)."""
        return weights[self.labels]

    def gather(self, area: np.ndarray) -> np.ndarray:
        """Means (n,) of a map (H, W)."""
        return segment_means(self.labels, area)

    def altered(self, amount: float, random: np.random.Generator) -> MaskedInput:
        """The same segments of x with Gaussian noise."""
        noise = torch.as_tensor(random.standard_normal(tuple(self.x.shape))).to(self.x)
        return replace(self, x=self.x + amount * self.x.std() * noise)


@dataclass(frozen=True)
class SourceMix:
    """Components of a sound (n, samples) that sum to it (audioLIME, Haunschmid et al. 2020).

    A part left out is silent; `features` makes inputs (B, *S) of waveforms (B, samples).
    `presence` (n, H, W) says how much of each cell of the input is whose, adding up to 1.
    """

    components: np.ndarray
    features: Callable[[np.ndarray], Tensor]
    presence: np.ndarray

    @property
    def count(self) -> int:
        """The number of components."""
        return len(self.components)

    @property
    def sizes(self) -> np.ndarray:
        """The area (n,) that each has, by its presence."""
        return self.presence.sum(axis=(1, 2))

    def waveforms(self, shares: np.ndarray) -> np.ndarray:
        """Sums (B, samples) of the components, each to a share (B, n)."""
        return np.asarray(shares, dtype=self.components.dtype) @ self.components

    def compose(self, kept: np.ndarray) -> Tensor:
        """Inputs (B, *S)."""
        return self.features(self.waveforms(kept))

    def blend(self, share: np.ndarray) -> Tensor:
        """One input (1, *S) of the components, each turned down to its share."""
        return self.features(self.waveforms(share[None]))

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """The map (H, W) of weights (n,), by presence."""
        return np.tensordot(weights, self.presence, axes=1)

    def gather(self, area: np.ndarray) -> np.ndarray:
        """Means (n,) of a map (H, W), by presence."""
        return (self.presence * area).sum(axis=(1, 2)) / np.maximum(self.sizes, 1e-12)

    def altered(self, amount: float, random: np.random.Generator) -> SourceMix:
        """The same components, each a little louder or softer."""
        gain = 1 + amount * random.standard_normal((self.count, 1))
        return replace(self, components=(self.components * gain).astype(self.components.dtype))


def source_components(stems: np.ndarray, mix: np.ndarray, spans: int) -> np.ndarray:
    """Components (sources * spans, samples): each stem (sources, samples) in each span of time.

    Component = source * spans + span. Raises GanexplainError where the stems do not sum to the
    mix (samples,) within 1e-4 of full scale.
    """
    error = float(np.abs(stems.sum(axis=0) - mix).max(initial=0.0))
    if error > LEAST_AGREEMENT:
        raise GanexplainError(
            f"the stems do not sum to the mix (they are {error:.2g} of full scale apart, at most "
            f"{LEAST_AGREEMENT:g} is allowed); give all of them, at the level of the mix"
        )
    edges = np.linspace(0, stems.shape[1], spans + 1).round().astype(int)
    components = np.zeros((len(stems) * spans, stems.shape[1]), dtype=stems.dtype)
    for source, stem in enumerate(stems):
        for span in range(spans):
            piece = slice(edges[span], edges[span + 1])
            components[source * spans + span, piece] = stem[piece]
    return components


def subset_score(parts: Parts, scorer: Scorer) -> SubsetScore:
    """Scores (B,) of the inputs that hold subsets (B, n); composed a batch at a time."""

    def score(kept: np.ndarray) -> np.ndarray:
        step = scorer.batch_size
        rows = [
            scorer(parts.compose(kept[start : start + step])) for start in range(0, len(kept), step)
        ]
        return np.concatenate(rows)

    return score
