"""Distances between samples: Fréchet (method, section 5.1), kernel, neighbours, latent norm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.spatial.distance import cdist, pdist

NEIGHBOURS = 5  # k of Naeem et al.
Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (N, D) and (R, D) to (N, R)
COARSE = 5  # bands and frames of a cell, in which excerpts are compared directly


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
    """`frechet_distance` (B,) of each of `samples` (B, N, D) to `other` (R, D) or (R,)."""
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
        raise ValueError("a sample contains values that are not finite")
    return sample


def _root(samples: np.ndarray) -> np.ndarray:
    """Matrices A (B, at most D, D) with A^T A the covariances of samples (B, N, D)."""
    a = (samples - samples.mean(axis=1, keepdims=True)) / np.sqrt(samples.shape[1] - 1)
    # A triangular factor is smaller where there are more examples than dimensions.
    return np.asarray(np.linalg.qr(a, mode="r")) if a.shape[1] > a.shape[2] else a


def cubic_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(x . y / D + 1)^3 (N, R) of samples (N, D) and (R, D), as of KID (Binkowski et al. 2018)."""
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def gaussian(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """exp(-|x - y|^2 / 2 width^2) (N, R) of samples (N, D) and (R, D)."""
    return np.asarray(np.exp(-cdist(a, b, "sqeuclidean") / (2 * width**2)))


def median_distance(sample: np.ndarray) -> float:
    """The median distance of two of a sample (N, D) with N > 1: the width of its kernel."""
    return float(np.median(pdist(sample)))


def gaussian_kernel(real: np.ndarray) -> Kernel:
    """The Gaussian kernel as wide as the median distance of two of `real` (R, D).

    As of the Kernel Audio Distance (Chung et al. 2025, section 3.2).
    """
    return partial(gaussian, width=median_distance(as_sample(real)) or 1.0)


def kernel_distances(
    first: np.ndarray, second: np.ndarray, counts: np.ndarray, kernel: Kernel = cubic_kernel
) -> np.ndarray:
    """Unbiased estimates (B,) of the squared MMD of B samples and one sample (R, D) or (R,).

    The samples contain example i of `first` (N, D) or (N,) `counts` (B, N) times; two copies of one
    example are not a pair, as their kernel does not depend on the distribution. Binkowski et al.
    2018, eq. 4. Zero on average for samples of one distribution whatever N and D are, so it can
    fall below zero. Raises ValueError as `frechet_distance` does.
    """
    a, b = as_sample(first), as_sample(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"samples have {a.shape[1]} and {b.shape[1]} dimensions")
    ours, theirs, across = kernel(a, a), kernel(b, b), kernel(a, b).mean(axis=1)
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    if not pairs.all():
        raise ValueError("a sample holds copies of one example only")
    np.fill_diagonal(ours, 0)
    np.fill_diagonal(theirs, 0)
    between_ours = np.einsum("bi,ij,bj->b", counts, ours, counts) / pairs
    between_theirs = theirs.sum() / (len(b) * (len(b) - 1))
    return between_ours + between_theirs - 2 * counts @ across / counts.sum(axis=1)


def manifold_scores(
    samples: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """`precision`, `recall` (0 to 1), `density` (0 up) and `coverage` (0 to 1) of features.

    Each example of `samples` (N, D) and `real` (R, D) has an open ball whose radius is the
    distance to its k-th neighbour in the same set, as in the authors' package `prdc`; balls of
    copies (radius 0) are empty. Precision: share of generated examples in a real ball; recall:
    share of real examples in a generated ball (Kynkaanniemi et al. 2019, eq. 2). Density: number
    of real balls around a generated example, over k; coverage: share of real balls that contain a
    generated example (Naeem et al. 2020, eq. 3, 5). With fewer than k + 1 examples k is as large
    as possible. Raises ValueError as `frechet_distance`.
    """
    a, b = as_sample(samples), as_sample(real)
    across = cdist(a, b)
    in_real = across < _radius(b, neighbours)[None]
    in_generated = across < _radius(a, neighbours)[:, None]
    return {
        "precision": float(in_real.any(axis=1).mean()),
        "recall": float(in_generated.any(axis=0).mean()),
        "density": float(_shares(in_real, neighbours).mean()),
        "coverage": float(in_real.any(axis=0).mean()),
    }


def densities(samples: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """The density (N,) of each generated example; its mean is that of `manifold_scores`."""
    a, b = as_sample(samples), as_sample(real)
    return _shares(cdist(a, b) < _radius(b, neighbours)[None], neighbours)


def coarse_cells(mel: np.ndarray) -> np.ndarray:
    """Means (N, D) of excerpts (N, F, T) over cells, scaled so that distances are RMS distances."""
    rows, columns = (max(size // COARSE, 1) for size in mel.shape[-2:])
    cut = mel[..., : rows * COARSE, : columns * COARSE].astype(np.float64)
    height, width = cut.shape[-2] // rows, cut.shape[-1] // columns
    cells = cut.reshape(len(mel), -1, rows, height, columns, width).mean(axis=(3, 5))
    return cells.reshape(len(mel), -1) / np.sqrt(cells[0].size)


def nearest_distances(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """Euclidean distance (N,) of each of `these` (N, D) to the nearest of `those` (R, D)."""
    distances: np.ndarray = cdist(as_sample(these), as_sample(those)).min(axis=1)
    return distances


def _shares(inside: np.ndarray, neighbours: int) -> np.ndarray:
    """Number (N,) of balls around each example over k; `inside` (N, R) is example by ball."""
    found: np.ndarray = inside.sum(axis=1) / min(neighbours, inside.shape[1] - 1)
    return found


def _radius(sample: np.ndarray, k: int) -> np.ndarray:
    """Distance (N,) of each example to its k-th neighbour in the sample, or to the farthest."""
    k = min(k, len(sample) - 1)
    distance = cdist(sample, sample)
    np.fill_diagonal(distance, np.inf)
    return np.partition(distance, k - 1, axis=1)[:, k - 1]


def latent_norm_error(latent: np.ndarray) -> float:
    """Mean distance of |z| of latents (N, Z) from its mean under the prior N(0, I).

    The unit is the standard deviation of |z| under the prior, a chi distribution with Z degrees of
    freedom (mean 11.29 and standard deviation 0.71 for Z = 128). Latents from the prior have 0.8
    and hardly ever exceed 3.
    """
    from scipy.stats import chi  # half a second

    norm = np.linalg.norm(np.asarray(latent, dtype=np.float64), axis=-1)
    prior = chi(latent.shape[-1])
    return float(np.abs(norm - prior.mean()).mean() / prior.std())
