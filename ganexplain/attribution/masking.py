"""Inputs that contain only a subset of their parts, and the score of such inputs."""

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
LARGEST_MIX_ERROR = 1e-4  # of full scale, between a mix and the sum of its stems


class Parts(Protocol):
    """An input (*S) in n parts, any of which can be removed; S ends with H, W."""

    @property
    def count(self) -> int:
        """The number n of parts."""

    @property
    def sizes(self) -> np.ndarray:
        """Area (n,) of each part in cells."""

    def compose(self, kept: np.ndarray) -> Tensor:
        """Return inputs (B, *S) that contain only the parts `kept` (B, n), bool."""

    def blend(self, share: np.ndarray) -> Tensor:
        """Return one input (1, *S) with a share (n,) in 0..1 of each part."""

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """Return the map (H, W) of weights (n,)."""

    def gather(self, area: np.ndarray) -> np.ndarray:
        """Return the mean (n,) of a map (H, W) over each part."""

    def perturb(self, amount: float, random: np.random.Generator) -> Parts:
        """Return the same parts of the input with noise of `amount` times its deviation."""


@dataclass(frozen=True)
class MaskedInput:
    """Segments of x (*S) by a label map (H, W); removed ones are replaced by `fill` (*S)."""

    x: Tensor
    labels: np.ndarray
    fill: Tensor

    @property
    def count(self) -> int:
        """The number of segments."""
        return int(self.labels.max()) + 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of cells (n,) of each segment."""
        return segment_sizes(self.labels)

    def _over_channels(self, values: np.ndarray) -> Tensor:
        """Spread values (B, n) of segments over cells, (B, 1.., H, W), to broadcast to inputs."""
        index = torch.as_tensor(self.labels, device=self.x.device)
        cells = torch.as_tensor(values, device=self.x.device)[:, index]
        return cells.reshape(len(values), *(1,) * (self.x.ndim - 2), *index.shape)

    def compose(self, kept: np.ndarray) -> Tensor:
        """Return inputs (B, *S); with all segments kept they equal x exactly."""
        return torch.where(self._over_channels(np.asarray(kept, dtype=bool)), self.x, self.fill)

    def blend(self, share: np.ndarray) -> Tensor:
        """Return one input (1, *S), interpolated between fill (0) and x (1) in each segment."""
        weight = self._over_channels(share[None]).to(self.x.dtype)
        return self.x * weight + self.fill * (1 - weight)

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """Return the map (H, W) of weights (n,)."""
        return weights[self.labels]

    def gather(self, area: np.ndarray) -> np.ndarray:
        """Return the mean (n,) of a map (H, W) over each segment."""
        return segment_means(self.labels, area)

    def perturb(self, amount: float, random: np.random.Generator) -> MaskedInput:
        """Return the same segments of x with Gaussian noise."""
        noise = torch.as_tensor(random.standard_normal(tuple(self.x.shape))).to(self.x)
        return replace(self, x=self.x + amount * self.x.std() * noise)


@dataclass(frozen=True)
class SourceMix:
    """Components (n, samples) of a sound that sum to it (audioLIME, Haunschmid et al. 2020).

    A removed component is silent. `features` computes inputs (B, *S) from waveforms (B, samples).
    `presence` (n, H, W) is the share of each component in each cell of the input; shares sum to 1.
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
        """Area (n,) of each component: the sum of its presence."""
        return self.presence.sum(axis=(1, 2))

    def waveforms(self, shares: np.ndarray) -> np.ndarray:
        """Return sums (B, samples) of the components, scaled by shares (B, n)."""
        return np.asarray(shares, dtype=self.components.dtype) @ self.components

    def compose(self, kept: np.ndarray) -> Tensor:
        """Return inputs (B, *S) of the sounds of the components kept."""
        return self.features(self.waveforms(kept))

    def blend(self, share: np.ndarray) -> Tensor:
        """Return one input (1, *S) of the sum of the components, scaled by their shares."""
        return self.features(self.waveforms(share[None]))

    def spread(self, weights: np.ndarray) -> np.ndarray:
        """Return the map (H, W): weights (n,) times presence."""
        return np.tensordot(weights, self.presence, axes=1)

    def gather(self, area: np.ndarray) -> np.ndarray:
        """Return the means (n,) of a map (H, W), weighted by presence."""
        return (self.presence * area).sum(axis=(1, 2)) / np.maximum(self.sizes, 1e-12)

    def perturb(self, amount: float, random: np.random.Generator) -> SourceMix:
        """Return the same components with random gains around 1."""
        gain = 1 + amount * random.standard_normal((self.count, 1))
        return replace(self, components=(self.components * gain).astype(self.components.dtype))


def source_components(stems: np.ndarray, mix: np.ndarray, spans: int) -> np.ndarray:
    """Cut stems (sources, samples) into spans of time: components (sources * spans, samples).

    Component = source * spans + span. Raises GanexplainError where the stems do not sum to the
    mix (samples,) within 1e-4 of full scale.
    """
    error = float(np.abs(stems.sum(axis=0) - mix).max(initial=0.0))
    if error > LARGEST_MIX_ERROR:
        raise GanexplainError(
            f"the stems do not sum to the mix (they are {error:.2g} of full scale apart, at most "
            f"{LARGEST_MIX_ERROR:g} is allowed); give all of them, at the level of the mix"
        )
    edges = np.linspace(0, stems.shape[1], spans + 1).round().astype(int)
    components = np.zeros((len(stems) * spans, stems.shape[1]), dtype=stems.dtype)
    for source, stem in enumerate(stems):
        for span in range(spans):
            piece = slice(edges[span], edges[span + 1])
            components[source * spans + span, piece] = stem[piece]
    return components


def subset_score(parts: Parts, scorer: Scorer) -> SubsetScore:
    """Return a function from subsets (B, n) to the scores (B,) of inputs with only these parts."""

    def score(kept: np.ndarray) -> np.ndarray:
        step = scorer.batch_size  # one batch of inputs in memory at a time
        batches = (kept[start : start + step] for start in range(0, len(kept), step))
        return np.concatenate([scorer(parts.compose(batch)) for batch in batches])

    return score
