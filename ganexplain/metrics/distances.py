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
    return float(frechet_distances(as_sample(first)[None], second)[0])


def frechet_distances(samples: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same (B,) of each of `samples` (B, N, D) to `other` (R, D) or (R,)."""
    other = as_sample(other)
    if samples.shape[2] != other.shape[1]:
        raise ValueError(f"samples have {samples.shape[2]} and {other.shape[1]} dimensions")
    mean_part = np.sum((samples.mean(axis=1) - other.mean(axis=0)) ** 2, axis=1)
    a, b = _root(samples), _root(other[None])
    overlap = np.linalg.svd(a @ b.swapaxes(1, 2), compute_uv=False).sum(axis=1)
    spread = np.sum(a**2, axis=(1, 2)) + np.sum(b**2) - 2 * overlap
    return np.asarray(mean_part + np.maximum(spread, 0.0))


def as_sample(values: np.ndarray) -> np.ndarray:
    """A sample (N, D) in double precision of (N, D) or (N,); ValueError as `frechet_distance`."""
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[:, None] if sample.ndim == 1 else sample
    if sample.ndim != 2 or len(sample) < 2:
        raise ValueError(f"a sample is (N, D) with N > 1, not {sample.shape}")
    if not np.isfinite(sample).all():
        raise ValueError("a sample holds values that are not finite")
    return sample


def _root(samples: np.ndarray) -> np.ndarray:
    """Matrices A (B, at most D, D) with A^T A the covariances of samples (B, N, D)."""
    a = (samples - samples.mean(axis=1, keepdims=True)) / np.sqrt(samples.shape[1] - 1)
    # A triangular factor is smaller where there are more examples than dimensions.
    return np.asarray(np.linalg.qr(a, mode="r")) if a.shape[1] > a.shape[2] else a
