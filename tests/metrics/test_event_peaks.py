from __future__ import annotations

import numpy as np
import pytest

from ganexplain.metrics.event_peaks import (
    MOST,
    EventSpans,
    kind_shares,
    met_kinds,
)


def planted(kinds: list[int]) -> EventSpans:
    """Events of 0.1 s, one a second, each kind in a band of 100 Hz of its own."""
    numbers = np.array(kinds, dtype=int)
    begins = np.arange(len(kinds), dtype=float)
    lowest = 100.0 + 1000 * numbers
    return EventSpans(
        np.stack([begins, begins + 0.1], axis=1), np.stack([lowest, lowest + 100], axis=1), numbers
    )


@pytest.mark.parametrize(
    "second,hertz,expected",
    [
        (0.0, 150.0, [True, False]),
        (0.149, 150.0, [True, False]),
        (0.151, 150.0, [False, False]),  # more than 50 ms after its end
        (0.951, 1150.0, [False, True]),
        (0.949, 1150.0, [False, False]),
        (1.05, 150.0, [False, False]),  # at the time of one kind, in the band of the other
        (0.05, 201.0, [False, False]),
    ],
)
def test_a_peak_meets_an_event_within_50_ms_and_its_band(
    second: float, hertz: float, expected: list[bool]
) -> None:
    met = met_kinds(np.array([[second]]), np.array([[[hertz] * 2]]), [planted([0, 1])], 2)
    assert met[0, 0].tolist() == expected


@pytest.mark.parametrize("low,high,met", [(50, 99, False), (50, 100, True), (200, 400, True),
                                          (201, 400, False), (120, 130, True)])  # fmt: skip
def test_the_place_of_a_peak_must_overlap_the_band(low: float, high: float, met: bool) -> None:
    found = met_kinds(np.zeros((1, 1)), np.array([[[low, high]]]), [planted([0])], 1)
    assert found.item() == met


def test_the_share_of_planted_peaks_is_the_one_that_was_planted() -> None:
    random, inputs = np.random.default_rng(0), [planted([0, 1])] * 80
    meets = random.permutation(80) < 60  # three quarters of the peaks of filter 0 are at kind 1
    seconds = np.stack([np.where(meets, 1.05, 0.5), np.full(80, 0.05), np.full(80, 0.5)], axis=1)
    hertz = np.stack([np.full(80, 1150.0), np.full(80, 150.0), np.full(80, 150.0)], axis=1)
    hertz = np.stack([hertz, hertz], axis=2)
    shares = kind_shares(np.ones((80, 3)), met_kinds(seconds, hertz, inputs, 2))
    assert shares.tolist() == [[0.0, 0.75], [1.0, 0.0], [0.0, 0.0]]


def test_overlapping_events_of_two_kinds_count_for_both() -> None:
    both = EventSpans(np.array([[0, 0.1]] * 2), np.array([[100, 900], [200, 300.0]]), np.arange(2))
    met = met_kinds(np.array([[0.05, 0.05]]), np.array([[[250.0] * 2, [500.0] * 2]]), [both], 2)
    assert met[0].tolist() == [[True, True], [True, False]]


def test_only_the_strongest_peaks_count_and_filters_that_do_not_fire_have_no_share() -> None:
    strength = np.concatenate([np.full(MOST, 2.0), np.full(300, 1.0)])[:, None].repeat(2, axis=1)
    strength[:, 1] = 0.0
    strength[0, 1] = 1.0  # fires once
    met = np.zeros((MOST + 300, 2, 3), dtype=bool)
    met[:MOST, :, 2] = True
    met[MOST:, :, 0] = True
    shares = kind_shares(strength, met)
    assert shares[0].tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(shares[1]).all()


def test_an_input_without_events_is_met_by_nothing() -> None:
    silent = EventSpans(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, dtype=int))
    assert not met_kinds(np.zeros((1, 4)), np.zeros((1, 4, 2)), [silent], 3).any()
