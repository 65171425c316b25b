"""Frechet distance between two samples, each taken as a Gaussian (method, section 5.1)."""

from __future__ import annotations

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Frechet distance of the Gaussians fitted to samples (N, D) or (N,), ddof = 1.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). With A and B the centred samples over
    sqrt(N - 1), the last trace is the nuclear norm of A B^T: real, symmetric, and right for
    fewer examples than dimensions, where a matrix square root fails. In one dimension this is
    (m1 - m2)^2 + (s1 - s2)^2, the authors' score. Raises ValueError for fewer than two
    examples, different dimensions, or values that are not finite.
    """
    a, b = _sample(first), _sample(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"samples have {a.shape[1]} and {b.shape[1]} dimensions")
    mean_part = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    a = (a - a.mean(axis=0)) / np.sqrt(len(a) - 1)
    b = (b - b.mean(axis=0)) / np.sqrt(len(b) - 1)
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    spread = np.sum(a**2) + np.sum(b**2) - 2 * overlap
    return float(mean_part + max(spread, 0.0))


def _sample(values: np.ndarray) -> np.ndarray:
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[:, None] if sample.ndim == 1 else sample
    if sample.ndim != 2 or len(sample) < 2:
        raise ValueError(f"a sample is (N, D) with N > 1, not {sample.shape}")
    if not np.isfinite(sample).all():
        raise ValueError("a sample holds values that are not finite")
    return sample
