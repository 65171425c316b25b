"""Groups of profiles that are alike."""

from __future__ import annotations

import numpy as np

from ganexplain.metrics.grouping import group_profiles, most_central


def test_profiles_of_one_direction_are_a_group_and_the_largest_is_first() -> None:
    low, high = np.array([3.0, 1.0, -2.0, 0.0]), np.array([0.0, 0.1, 1.0, 2.0])
    rows = np.stack([low, high, 5 * high, 0.2 * high, 9 * low, -low])
    labels = group_profiles(rows)
    assert labels.tolist()[:5] == [1, 0, 0, 0, 1]
    assert labels[5] == 2  # its only part above zero is the third of the first two


def test_profiles_without_anything_are_a_group_of_their_own() -> None:
    assert group_profiles(np.zeros((3, 4))).tolist() == [0, 0, 0]
    assert group_profiles(np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])).tolist() == [0, 0, 1]


def test_the_most_central_profile_is_nearest_to_all() -> None:
    assert most_central(np.array([[1.0, 0.0], [1.0, 0.6], [0.6, 1.0], [5.0, 3.0]])) in (1, 3)
