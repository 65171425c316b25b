"""Frechet distance: closed forms, identities, and scipy's matrix square root where that holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from ganexplain.metrics.distances import frechet_distance

rng = np.random.default_rng(0)


def with_moments(mean: np.ndarray, covariance: np.ndarray, count: int) -> np.ndarray:
    """A sample whose mean and covariance (ddof = 1) are exactly these."""
    x = rng.normal(size=(count, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T).reshape(len(mean), -1))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_one_dimension_is_the_authors_score() -> None:
    ours, real = rng.normal(3, 2, 50), rng.normal(1, 0.5, 40)
    expected = (ours.mean() - real.mean()) ** 2 + (ours.std(ddof=1) - real.std(ddof=1)) ** 2
    assert frechet_distance(ours, real) == pytest.approx(expected, rel=1e-12)


def test_hand_computed_case() -> None:
    assert frechet_distance(np.array([0.0, 2.0]), np.array([3.0, 7.0])) == pytest.approx(
        (5 - 1) ** 2 + (np.sqrt(8) - np.sqrt(2)) ** 2
    )


def test_commuting_covariances_have_a_closed_form() -> None:
    a, b = np.array([4.0, 1.0, 9.0]), np.array([1.0, 1.0, 4.0])
    first = with_moments(np.zeros(3), np.diag(a), 30)
    second = with_moments(np.array([1.0, 0.0, 2.0]), np.diag(b), 20)
    expected = 5 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dimensions", [1, 2, 8, 30])
def test_equals_the_matrix_square_root_where_covariances_are_regular(dimensions: int) -> None:
    a = rng.normal(size=(100, dimensions))
    b = rng.normal(size=(80, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + 1
    s, t = (np.cov(x.T).reshape(dimensions, dimensions) for x in (a, b))
    expected = (
        np.sum((a.mean(0) - b.mean(0)) ** 2)
        + np.trace(s)
        + np.trace(t)
        - 2 * np.trace(sqrtm(s @ t)).real
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count, dimensions", [(50, 64), (5, 300), (50, 3)])
def test_metric_identities(count: int, dimensions: int) -> None:
    a = rng.normal(size=(count, dimensions))
    b = 2 * rng.normal(size=(count + 3, dimensions)) + 0.5
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)
    assert frechet_distance(a, b) > 0
    assert frechet_distance(a[::-1], b) == pytest.approx(frechet_distance(a, b), rel=1e-12)
    rotation = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]
    assert frechet_distance(a @ rotation, b @ rotation) == pytest.approx(frechet_distance(a, b))
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * frechet_distance(a, b))


def test_a_shift_costs_its_square() -> None:
    a = rng.normal(size=(10, 40))
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 40)


def test_degenerate_samples() -> None:
    still = np.ones((5, 3))
    assert frechet_distance(still, still) == 0
    assert frechet_distance(still, still + 1) == pytest.approx(3)


@pytest.mark.parametrize(
    "bad", [np.array([1.0]), np.zeros((0, 2)), np.array([1.0, np.nan]), np.zeros((2, 2, 2))]
)
def test_refuses_what_has_no_distance(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"sample|dimensions"):
        frechet_distance(bad, np.array([0.0, 1.0]))
