"""What is linear in the outputs of a network, and the rest."""

import numpy as np
import pytest

from ganexplain.metrics.regression import explained_share, fitted, residual

Sample = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def sample() -> Sample:
    stream = np.random.default_rng(0)
    return stream.normal(size=(200, 5)), stream.normal(loc=[3, -1], size=(200, 2))


def test_a_residual_does_not_correlate_with_any_output(sample: Sample) -> None:
    values, outputs = sample
    left = residual(values + outputs @ np.ones((2, 5)), outputs)
    both = np.corrcoef(np.concatenate([left, outputs], axis=1).T)
    assert np.abs(both[:5, 5:]).max() < 1e-12
    assert np.abs(left.mean(axis=0)).max() < 1e-12


def test_the_fit_is_that_of_the_normal_equations(sample: Sample) -> None:
    values, outputs = sample
    design = np.column_stack([np.ones(200), outputs])
    wanted = design @ np.linalg.solve(design.T @ design, design.T @ values)
    np.testing.assert_allclose(fitted(values, outputs), wanted, atol=1e-12)
    np.testing.assert_allclose(fitted(values[:, 0], outputs), wanted[:, 0], atol=1e-12)


def test_the_share_explained_by_one_output_is_the_squared_correlation(sample: Sample) -> None:
    values, outputs = sample
    wanted = np.corrcoef(values[:, 0], outputs[:, 0])[0, 1] ** 2
    assert explained_share(values[:, 0], outputs[:, 0]) == pytest.approx(wanted)


def test_all_is_explained_by_outputs_that_are_the_values_and_nothing_of_a_constant(
    sample: Sample,
) -> None:
    values, outputs = sample
    assert explained_share(values @ np.ones((5, 1)), values).tolist() == pytest.approx([1.0])
    assert explained_share(np.full((200, 1), 4.0), outputs).tolist() == [0.0]
    assert np.ptp(residual(outputs[:, 0], outputs)) < 1e-12
