"""The ranking of explanations: order, ties and intervals of known samples."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.errors import UsageError
from ganexplain.metrics.bootstrap import rank_configurations


def test_order_and_choice_follow_the_direction() -> None:
    values = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 1.0], [5.0, 5.0, 0.0]])
    low, high = rank_configurations(values, "low"), rank_configurations(values, "high")
    assert low.rank.tolist() == [2, 1, 3] and high.rank.tolist() == [2, 3, 1]
    assert low.chosen.tolist() == [1, 0, 2] and high.chosen.tolist() == [2, 2, 0]
    np.testing.assert_allclose(high.mean, values.mean(axis=1))


def test_the_interval_is_that_of_the_mean() -> None:
    """Of 400 normal draws the bootstrap interval is mean -+ 1.96 / sqrt(400)."""
    values = np.random.default_rng(0).standard_normal((2, 400)) + np.array([[0.0], [5.0]])
    found = rank_configurations(values, "high")
    for k in range(2):
        width = found.interval[k] - found.mean[k]
        np.testing.assert_allclose(width, [-0.098, 0.098], atol=0.015)
    assert found.tied.tolist() == [False, True]


@pytest.mark.parametrize("inputs", [3, 5, 10])
def test_intervals_of_few_inputs_contain_their_mean(inputs: int) -> None:
    """As often as Student's t contains it: 95 %; without the samples of one input 90 % of three."""
    draws = np.random.default_rng(3).standard_normal((500, 1, inputs))
    bounds = [rank_configurations(each, "low", seed).interval[0] for seed, each in enumerate(draws)]
    assert 0.92 < np.mean([low <= 0 <= high for low, high in bounds]) < 0.98


def test_what_is_common_to_all_does_not_make_a_tie() -> None:
    """Inputs differ widely, one way is a little better on each of them."""
    inputs = np.random.default_rng(1).standard_normal(30) * 10
    found = rank_configurations(np.stack([inputs, inputs + 0.1]), "low")
    assert found.tied.tolist() == [True, False]
    assert np.ptp(found.interval, axis=1).min() > 1


def test_two_equal_ways_are_tied_as_often_as_a_normal_is_within_one_deviation() -> None:
    """Their mean difference over its standard error is a standard normal: 68.3 % within one."""
    draws = np.random.default_rng(2).standard_normal((300, 2, 40))
    ties = [
        rank_configurations(values, "high", seed).tied.all() for seed, values in enumerate(draws)
    ]
    assert np.mean(ties) == pytest.approx(0.683, abs=4 * np.sqrt(0.683 * 0.317 / 300))


def test_a_direction_that_is_neither_is_refused() -> None:
    with pytest.raises(UsageError, match="better: 'lower' is not known"):
        rank_configurations(np.ones((2, 3)), "lower")


@pytest.mark.parametrize("better", ["low", "high"])
def test_what_is_missing_is_the_worst(better: str) -> None:
    values = np.array([[1.0, np.nan], [2.0, 3.0], [2.5, 4.0]])
    found = rank_configurations(values, better)
    assert found.chosen[1] != 0
    assert np.isfinite(found.mean).all()
