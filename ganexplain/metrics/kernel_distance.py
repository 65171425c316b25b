"""Kernel Inception distance: squared maximum mean discrepancy with a polynomial kernel."""

from __future__ import annotations

import numpy as np

from ganexplain.metrics.distances import as_sample


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased estimate of the squared MMD of samples (N, D) or (N,) and (R, D) or (R,).

    Kernel (x . y / D + 1)^3, as of KID (Binkowski et al. 2018, eq. 4 and section 4). Zero on
    average for samples of one distribution whatever N and D are, so it can fall below zero. Raises
    ValueError as `frechet_distance` does.
    """
    a, b = as_sample(first), as_sample(second)
    within = np.ones((1, len(a)))
    return float(kernel_distances(a, b, within)[0])


def kernel_distances(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The same (B,) for B samples that hold example i of the first `counts` (B, N) times.

    Two copies of one example are not a pair: their kernel says nothing of the distribution.
    """
    a, b = as_sample(first), as_sample(second)
    ours, theirs, across = _kernel(a, a), _kernel(b, b), _kernel(a, b).mean(axis=1)
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    if not pairs.all():
        raise ValueError("a sample holds copies of one example only")
    np.fill_diagonal(ours, 0)
    np.fill_diagonal(theirs, 0)
    between_ours = np.einsum("bi,ij,bj->b", counts, ours, counts) / pairs
    between_theirs = theirs.sum() / (len(b) * (len(b) - 1))
    return between_ours + between_theirs - 2 * counts @ across / counts.sum(axis=1)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"samples have {a.shape[1]} and {b.shape[1]} dimensions")
    return (a @ b.T / a.shape[1] + 1) ** 3
