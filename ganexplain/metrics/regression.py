"""What is linear in the outputs of a network: the share of responses it explains, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.metrics.moments import Blocks, CentredTriangle


@dataclass(frozen=True)
class OrthogonalBasis:
    """Sums of numbers (H,) that are orthonormal over the rows from which they were found.

    They are `weights` (H, R) of the numbers less their `mean` (H,). As in `numpy.linalg.lstsq`,
    what is only rounding in the numbers is left out, so R may be smaller than H.
    """

    mean: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, blocks: Blocks) -> OrthogonalBasis:
        """That of the rows (M, H) of all blocks."""
        found = CentredTriangle.of(blocks)
        sizes, axes = found.axes()
        least = np.finfo(np.float64).eps * max(found.count, len(found.mean))
        kept = sizes > least * sizes.max(initial=0)
        return cls(found.mean, axes[kept].T / sizes[kept])

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """The sums (m, R) of numbers (m, H)."""
        return np.asarray((numbers - self.mean) @ self.weights)


def fitted(values: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Least squares fit of values (M,) or (M, U) by outputs (M, K) or (M,) and a constant."""
    basis = _centred(np.reshape(outputs, (len(values), -1)))
    centred = _centred(values)
    weights = np.linalg.lstsq(basis, centred, rcond=None)[0]
    return np.asarray(values.mean(axis=0, dtype=np.float64) + basis @ weights)


def residual(values: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """What is left of values (M,) or (M, U) behind their fit by outputs (M, K) or (M,).

    Its correlation with every output is zero, and so is its mean.
    """
    return np.asarray(values, dtype=np.float64) - fitted(values, outputs)


def explained_share(values: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Share (U,), or (), of the variance of values that outputs explain, from 0 to 1.

    It is 0 for values that are constant.
    """
    total = np.square(_centred(values)).sum(axis=0)
    left = np.square(residual(values, outputs)).sum(axis=0)
    share = 1 - np.divide(left, total, out=np.ones_like(total), where=total > 0)
    return np.asarray(np.clip(share, 0, 1))


def _centred(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(values - values.mean(axis=0))
