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


@dataclass(frozen=True)
class LayerPath:
    """The path of the strongest real examples of a unit through a layer of D features.

    `middle` (D,) and `scale` (D,) are mean and deviation of other real examples, `centre` (D,) is
    the mean direction of the strongest. `alike` is the mean correlation of two of the strongest,
    `apart` that of one of them with another real one.
    """

    middle: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    alike: float
    apart: float

    @classmethod
    def measure(cls, natural: np.ndarray, other: np.ndarray) -> LayerPath:
        """That of the strongest real examples (M, D) and others (R, D)."""
        strong, usual = as_sample(natural), as_sample(other)
        middle, spread, count = usual.mean(axis=0), usual.std(axis=0), len(strong)
        least = SILENT * np.sqrt(np.mean(spread**2))
        scale = np.maximum(spread, least) if least > 0 else np.ones_like(spread)
        theirs, others = (_directions((each - middle) / scale) for each in (strong, usual))
        centre = theirs.mean(axis=0)
        # Of M unit vectors the mean product of two different ones; of constant examples it is zero.
        own = np.square(theirs).sum()
        alike = float(count**2 * centre @ centre - own) / (count * (count - 1))
        return cls(middle, scale, centre, alike, float(others.mean(axis=0) @ centre))

    @property
    def tells(self) -> bool:
        """Whether the strongest are more similar to one another than to others."""
        return self.alike - self.apart > LEAST_GAP

    def similarity(self, features: np.ndarray) -> np.ndarray:
        """The similarity (N,) of examples (N, D) to the strongest."""
        mine = _directions((features - self.middle) / self.scale)
        return np.asarray((mine @ self.centre - self.apart) / (self.alike - self.apart))


def layer_paths(
    natural: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, LayerPath]:
    """The paths by layer, without layers in which the strongest are not like one another."""
    found = {name: LayerPath.measure(natural[name], other[name]) for name in natural}
    return {name: path for name, path in found.items() if path.tells}


def path_similarity(
    examples: Mapping[str, np.ndarray],
    natural: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
) -> PathSimilarity:
    """The similarity of `examples` (N, D) to the strongest real ones `natural` (M, D).

    Each argument has the features of its examples by layer; `other` (R, D) are real ones that do
    not drive the unit. Layers are left out in which `natural` are not more similar to one another
    than to `other` by `LEAST_GAP`. Raises ValueError as `frechet_distance`.

    Features are deviations from the mean of `other`, in their standard deviations, as units differ
    in size whatever the input is. Two examples are as similar as these correlate by rank
    (Spearman), so that an example that only drives all units of a path harder is on that path.
    `other` are best drawn from all excerpts: from the weakest ones all paths lead the same way.
    """
    shared = [name for name in natural if name in examples and name in other]
    paths = layer_paths({name: natural[name] for name in shared}, other)
    return PathSimilarity(
        {name: path.similarity(as_sample(examples[name])) for name, path in paths.items()}
    )


def _directions(sample: np.ndarray) -> np.ndarray:
    """Vectors of a sample (N, D) whose products are Spearman correlations: length 1, or 0."""
    from scipy.stats import rankdata  # half a second

    ranks = rankdata(sample, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)
