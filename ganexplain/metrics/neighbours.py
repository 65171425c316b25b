"""Realism and diversity apart, by nearest neighbours among real examples."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from ganexplain.metrics.distances import as_sample

NEIGHBOURS = 5  # of Naeem et al.


def manifold_scores(
    generated: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """`precision`, `recall` (0 to 1), `density` (0 up) and `coverage` (0 to 1) of features.

    `generated` (N, D), `real` (R, D). Each example has a ball as wide as its k-th neighbour of its
    own kind is far, open as in the authors' package `prdc`: what is just as far away lies outside,
    so copies of one excerpt (radius 0) hold nothing. Precision: share of generated examples in a
    real ball; recall: of real ones in a generated ball (Kynkaanniemi et al. 2019, eq. 2). Density:
    real balls around a generated example, over k; coverage: share of real balls with a generated
    example in them (Naeem et al. 2020, eq. 3, 5). With fewer than k + 1 examples of a kind k is as
    large as can be. Raises ValueError as `frechet_distance` does.
    """
    a, b = as_sample(generated), as_sample(real)
    across = cdist(a, b)
    in_real = across < _radius(b, neighbours)[None]
    in_generated = across < _radius(a, neighbours)[:, None]
    return {
        "precision": float(in_real.any(axis=1).mean()),
        "recall": float(in_generated.any(axis=0).mean()),
        "density": float(_shares(in_real, neighbours).mean()),
        "coverage": float(in_real.any(axis=0).mean()),
    }


def densities(generated: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """The part (N,) of each generated example in the density of `manifold_scores`, its mean."""
    a, b = as_sample(generated), as_sample(real)
    return _shares(cdist(a, b) < _radius(b, neighbours)[None], neighbours)


def nearest_distances(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """Euclidean distance (N,) of each of `these` (N, D) to the nearest of `those` (R, D)."""
    distances: np.ndarray = cdist(as_sample(these), as_sample(those)).min(axis=1)
    return distances


def _shares(inside: np.ndarray, neighbours: int) -> np.ndarray:
    """Balls around each example (N,) over k, of which examples lie `inside` which balls (N, R)."""
    found: np.ndarray = inside.sum(axis=1) / min(neighbours, inside.shape[1] - 1)
    return found


def _radius(sample: np.ndarray, k: int) -> np.ndarray:
    """Distance (N,) of each example to its k-th neighbour in the sample, or the farthest."""
    k = min(k, len(sample) - 1)
    distance = cdist(sample, sample)
    np.fill_diagonal(distance, np.inf)
    return np.partition(distance, k - 1, axis=1)[:, k - 1]
