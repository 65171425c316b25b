"""Exact intervals of shares."""

import pytest
from scipy.stats import binom

from ganexplain.metrics.shares import exact_interval


@pytest.mark.parametrize("hits, examples", [(0, 6), (3, 6), (6, 6), (11, 12), (47, 50)])
def test_the_tails_at_the_ends_are_two_and_a_half_percent(hits: int, examples: int) -> None:
    low, high = exact_interval(hits / examples, examples)
    if hits:
        assert binom.sf(hits - 1, examples, low) == pytest.approx(0.025)
    if hits < examples:
        assert binom.cdf(hits, examples, high) == pytest.approx(0.025)
    assert (low == 0) == (hits == 0) and (high == 1) == (hits == examples)


def test_all_of_twelve_may_be_three_quarters() -> None:
    """All of N hits have the lower end (0.025) to the power of 1 / N."""
    assert exact_interval(1.0, 12) == (pytest.approx(0.025 ** (1 / 12)), 1.0)


def test_no_examples_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no examples"):
        exact_interval(0.0, 0)
