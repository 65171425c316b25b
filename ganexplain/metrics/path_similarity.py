"""Whether generated examples run through the layers of a network as the real ones of a unit do.

A network can be altered so that what maximises a unit in a search shows nothing of what excites it
in real inputs (Bareeva et al. 2024). Such examples reach the unit through other units of the layers
before it. After the check of Geirhos et al. 2023 (arXiv 2306.04719, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganexplain.metrics.distances import as_sample

LEAST_GAP = 0.2  # correlation by which a layer must tell strong excerpts from others
SILENT = 1e-3  # deviation, of the layer's, below which a unit does not vary


@dataclass(frozen=True)
class PathSimilarity:
    """Similarity (N,) of each example to the real ones of its unit, by layer.

    1: as similar as the strongest real ones are to one another, 0: as others are to them. It can
    be above 1 and below 0.
    """

    examples: Mapping[str, np.ndarray]

    @property
    def layers(self) -> dict[str, float]:
        """The mean over the examples, by layer."""
        return {name: float(values.mean()) for name, values in self.examples.items()}

    @property
    def each(self) -> np.ndarray:
        """The mean over the layers, (N,); NaN if there is no layer."""
        values = list(self.examples.values())
        return np.mean(values, axis=0) if values else np.full(1, np.nan)

    @property
    def mean(self) -> float:
        """The mean over the layers; NaN if there is none."""
        return float(self.each.mean())

    @property
    def least(self) -> float:
        """The similarity in the layer where it is least; NaN if there is none."""
        return min(self.layers.values(), default=float("nan"))


def path_similarity(
    generated: Mapping[str, np.ndarray],
    natural: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
) -> PathSimilarity:
    """The similarity of `generated` examples (N, D) to the strongest real ones `natural` (M, D).

    Each argument has the features of its examples by layer; `other` (R, D) are real ones that do
    not drive the unit. Layers are left out in which `natural` are not more similar to one another
    than to `other` by `LEAST_GAP`. Raises ValueError as `frechet_distance`.

    Features are deviations from the mean of `other`, in their standard deviations, as units differ
    in size whatever the input is. Two examples are as similar as these correlate by rank
    (Spearman), so that an example that only drives all units of a path harder is on that path.
    `other` are best drawn from all excerpts: from the weakest ones all paths lead the same way.
    """
    found = {}
    for layer in [name for name in natural if name in generated and name in other]:
        mine, strong, weak = map(as_sample, (generated[layer], natural[layer], other[layer]))
        ours, theirs, others = _directions(weak, (mine, strong, weak))
        centre, count = theirs.mean(axis=0), len(theirs)
        # Of M unit vectors the mean product of two different ones; of constant examples it is zero.
        own = np.square(theirs).sum()
        alike = (count**2 * centre @ centre - own) / (count * (count - 1))
        apart = float(others.mean(axis=0) @ centre)
        if alike - apart > LEAST_GAP:
            found[layer] = (ours @ centre - apart) / (alike - apart)
    return PathSimilarity(found)


def _directions(usual: np.ndarray, samples: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Vectors of samples (N, D) whose products are Spearman correlations: length 1, or 0."""
    from scipy.stats import rankdata  # half a second

    centre, spread = usual.mean(axis=0), usual.std(axis=0)
    least = SILENT * np.sqrt(np.mean(spread**2))
    scale = np.maximum(spread, least) if least > 0 else np.ones_like(spread)
    found = []
    for sample in samples:
        ranks = rankdata((sample - centre) / scale, axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        length = np.linalg.norm(ranks, axis=1, keepdims=True)
        found.append(np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0))
    return found
