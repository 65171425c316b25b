"""Closed forms of what the changes of a search bring to real inputs."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.metrics.transfer import transferred_share

STREAM = np.random.default_rng(0)
STARTS, CHANGE = STREAM.normal(size=(6, 4)), STREAM.random((6, 4)) + 0.5
REAL = STREAM.normal(size=(15, 4)) + 20  # apart from what is generated


def total(inputs: np.ndarray) -> np.ndarray:
    return inputs.sum(axis=1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_linear_unit_gains_as_much_in_real_inputs_whichever_way_it_is_driven(sign: int) -> None:
    def respond(inputs: np.ndarray) -> np.ndarray:
        return sign * total(inputs)

    for count in (4, 12, 15):
        share = transferred_share(respond, STARTS + sign * CHANGE, STARTS, REAL[:count])
        assert share == pytest.approx(1)


def test_a_unit_that_changes_only_where_inputs_are_generated_gains_nothing_in_real_ones() -> None:
    def generated_alone(inputs: np.ndarray) -> np.ndarray:
        return np.where(total(inputs) < 20, total(inputs), 3.0)

    assert transferred_share(generated_alone, STARTS + CHANGE, STARTS, REAL) == 0


def test_each_real_input_has_the_change_of_one_example_in_turn() -> None:
    seen: list[np.ndarray] = []

    def respond(inputs: np.ndarray) -> np.ndarray:
        seen.append(inputs)
        return total(inputs)

    transferred_share(respond, STARTS + CHANGE, STARTS, REAL)
    changed = next(each for each in seen if len(each) == 15 and not np.array_equal(each, REAL))
    np.testing.assert_allclose(changed - REAL, CHANGE[np.arange(15) % 6])


def test_changed_inputs_stay_within_the_bounds_of_an_input() -> None:
    share = transferred_share(total, STARTS + CHANGE, STARTS, np.full((6, 4), 0.9), (0.0, 1.0))
    gain = np.minimum(CHANGE, 0.1).sum(axis=1).mean()
    assert share == pytest.approx(gain / CHANGE.sum(axis=1).mean())


def test_without_a_gain_there_is_no_share() -> None:
    assert np.isnan(transferred_share(total, STARTS, STARTS, REAL))
    assert np.isnan(transferred_share(total, STARTS - CHANGE, STARTS, REAL))
    by_chance = STARTS + CHANGE * np.array([[1, -1, 1, -1, 1, -1]]).T
    assert np.isnan(transferred_share(total, by_chance, STARTS, REAL))
