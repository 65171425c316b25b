"""Wasserstein distances of order 1 between samples, in one dimension and sliced in several."""

from __future__ import annotations

import numpy as np

from ganexplain.metrics.distances import as_sample

DIRECTIONS = 64  # of a sliced distance
DIRECTIONS_SEED = 0


def wasserstein_distances(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Distances (B,) of `second` (R,) to B samples with example i of `first` (N,) `counts` times.

    `counts` is (B, N). The distance is the area between both cumulative distributions.
    """
    whole = np.concatenate([as_sample(first)[:, 0], as_sample(second)[:, 0]])
    order = np.argsort(whole)
    mass = np.concatenate(
        [
            counts / counts.sum(axis=1, keepdims=True),
            np.full((len(counts), len(second)), -1 / len(second)),
        ],
        axis=1,
    )
    apart = np.abs(np.cumsum(mass[:, order], axis=1)[:, :-1])
    return np.asarray(apart @ np.diff(whole[order]))


def sliced_distances(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean (B,) of `wasserstein_distances` along 64 directions of samples (N, D) and (R, D).

    The directions are uniform on the sphere, the same for all samples (Bonneel et al. 2015,
    section 3.1, with order 1). Raises ValueError as `frechet_distance` does.
    """
    a, b = as_sample(first), as_sample(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"samples have {a.shape[1]} and {b.shape[1]} dimensions")
    directions = np.random.default_rng(DIRECTIONS_SEED).normal(size=(DIRECTIONS, a.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    along = zip((a @ directions.T).T, (b @ directions.T).T, strict=True)
    return np.mean([wasserstein_distances(ours, theirs, counts) for ours, theirs in along], axis=0)
