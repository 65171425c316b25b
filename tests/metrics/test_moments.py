"""Moments and triangles of rows that come in blocks, against NumPy's of all rows at once."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.metrics.moments import CentredTriangle, Moments
from ganexplain.metrics.regression import OrthogonalBasis

STREAM = np.random.default_rng(0)
ROWS = STREAM.normal(size=(300, 6)) @ STREAM.normal(size=(6, 6)) + [0, 1, -5, 1e6, 3, 0.1]
ROWS[:, 4] = np.float32(0.1)  # a constant
BLOCKS = {"one": [ROWS], "many": np.split(ROWS, [1, 2, 50, 51, 290])}


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_moments_are_those_of_all_rows(blocks: list[np.ndarray]) -> None:
    found = Moments(6, [3, 0])
    for block in blocks:
        found.add(block)
    assert found.count == 300
    np.testing.assert_allclose(found.mean, ROWS.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.deviations(ddof=1), ROWS.std(axis=0, ddof=1), rtol=1e-9)
    assert found.squares[4] == 0  # exactly, so that a constant unit is known as one
    varied = [0, 1, 2, 3, 5]
    wanted = np.asarray(np.corrcoef(ROWS[:, varied].T))
    for row, column in enumerate((3, 0)):
        correlations = found.correlations(row)
        assert correlations[4] == 0
        np.testing.assert_allclose(
            correlations[varied], wanted[varied.index(column)], rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
def test_a_triangle_has_the_singular_values_of_all_rows(blocks: list[np.ndarray]) -> None:
    found = CentredTriangle.of(blocks)
    sizes, axes = found.axes()
    _, wanted, own = np.linalg.svd(ROWS - ROWS.mean(axis=0), full_matrices=False)
    assert found.count == 300
    np.testing.assert_allclose(found.mean, ROWS.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(sizes[:5], wanted[:5], rtol=1e-7)
    np.testing.assert_allclose(np.abs(axes[:5]), np.abs(own[:5]), atol=1e-7)


def test_a_basis_is_orthonormal_and_leaves_out_what_is_no_direction_of_its_own() -> None:
    numbers = ROWS[:, [0, 1, 5, 4]]
    both = np.concatenate([numbers, numbers @ [[1], [2], [-3], [0]]], axis=1)
    found = OrthogonalBasis.of(np.split(both, [10, 200]))
    assert found.weights.shape == (5, 3)
    np.testing.assert_allclose(found(both).T @ found(both), np.eye(3), atol=1e-12)
    fit = found(both) @ found(both).T @ ROWS[:, 2] + ROWS[:, 2].mean()
    basis = np.column_stack([np.ones(300), numbers[:, :3]])
    wanted = basis @ np.linalg.lstsq(basis, ROWS[:, 2], rcond=None)[0]
    np.testing.assert_allclose(fit, wanted, rtol=1e-9)


def test_nothing_is_a_basis_of_nothing() -> None:
    found = OrthogonalBasis.of([np.empty((5, 0))])
    assert found(np.empty((2, 0))).shape == (2, 0)
