"""Measures against hand-computed cases and definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganexplain.metrics.detection import (
    auroc,
    best_threshold,
    detection_figures,
    multiclass_figures,
    smooth,
    threshold_grid,
)

# --- median filter --------------------------------------------------------------------------


def median_by_hand(values: np.ndarray) -> np.ndarray:
    """The 29th smallest of the 56 values from 28 before to 27 after, ends repeated."""
    padded = np.concatenate([np.full(28, values[0]), values, np.full(27, values[-1])])
    return np.array([np.sort(padded[t : t + 56])[28] for t in range(values.size)])


@pytest.mark.parametrize("frames", [1, 5, 55, 56, 57, 300])
def test_smoothing_is_a_median_of_56_frames(frames: int) -> None:
    values = np.random.default_rng(frames).random(frames)
    np.testing.assert_array_equal(smooth(values), median_by_hand(values))


def test_two_smoothed_probabilities_add_up_to_one() -> None:
    positive = np.random.default_rng(0).random(300)
    smoothed = smooth(np.stack([1 - positive, positive], axis=1))
    np.testing.assert_array_equal(smoothed[:, 1], median_by_hand(positive))
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_several_smoothed_probabilities_are_shares_of_their_medians() -> None:
    values = np.random.default_rng(0).dirichlet([0.3, 0.3, 0.3, 0.3], 200)
    medians = np.stack([median_by_hand(column) for column in values.T], axis=1)
    np.testing.assert_allclose(
        smooth(values), medians / medians.sum(axis=1)[:, None], rtol=1e-12, atol=0
    )
    turns = np.eye(3)[np.arange(200) % 3]  # each class has a median of zero
    np.testing.assert_allclose(smooth(turns)[28:-28], 1 / 3)


def test_smoothing_removes_short_runs_and_keeps_long_ones() -> None:
    values = np.zeros(400)
    values[50:77] = 1  # 27 frames, less than half the window
    values[200:240] = 1  # 40 frames
    smoothed = smooth(values)
    assert smoothed[:150].max() == 0
    assert smoothed.sum() == pytest.approx(40, abs=1)
    assert smoothed[205:235].min() == 1


# --- threshold ------------------------------------------------------------------------------


def test_threshold_grid_is_the_authors() -> None:
    grid = threshold_grid()
    wanted = [1e-5, 1e-4, 1e-3, *(k / 100 for k in range(1, 100)), 1 - 1e-3, 1 - 1e-4, 1 - 1e-5]
    np.testing.assert_allclose(grid, wanted, rtol=0, atol=1e-12)


def test_best_threshold_separates() -> None:
    score = np.array([0.1, 0.2, 0.305, 0.5, 0.9])
    truth = np.array([False, False, True, True, True])
    assert 0.2 <= best_threshold(score, truth) < 0.305


def test_best_threshold_among_equals_is_the_middle() -> None:
    """What exceeds it is positive: of 0.20 to 0.79, 60 thresholds, the 31st."""
    threshold = best_threshold(np.array([0.2, 0.8]), np.array([False, True]))
    assert threshold == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(("truth", "wanted"), [(True, 1e-5), (False, 1 - 1e-5)])
def test_best_threshold_reaches_the_ends(truth: bool, wanted: float) -> None:
    # Scores between the two outermost candidates: only the outermost one is right.
    score = np.array([5e-5 if truth else 1 - 5e-5])
    assert best_threshold(score, np.array([truth])) == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
)
def test_no_candidate_beats_the_best_threshold(pairs: list[tuple[float, bool]]) -> None:
    score = np.array([value for value, _ in pairs])
    truth = np.array([label for _, label in pairs])
    chosen = np.sum((score > best_threshold(score, truth)) == truth)
    for k in range(1, 100):
        assert np.sum((score > k / 100) == truth) <= chosen


# --- AUROC ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "truth", "wanted"),
    [
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),  # scikit-learn's own example
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.2, 0.5, 0.5, 0.7], [0, 0, 1, 1], 0.875),  # three pairs won, one tied, of four
        ([0.3, 0.3, 0.1], [1, 0, 0], 0.75),
    ],
)
def test_auroc_is_that_computed_by_hand(
    score: list[float], truth: list[int], wanted: float
) -> None:
    assert auroc(np.array(score), np.array(truth, bool)) == pytest.approx(wanted)
    assert auroc(np.array(score), np.array(truth)) == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40),
)
def test_auroc_counts_pairs(pairs: list[tuple[int, bool]]) -> None:
    positive = [value for value, label in pairs if label]
    negative = [value for value, label in pairs if not label]
    area = auroc(np.array([v for v, _ in pairs], float), np.array([t for _, t in pairs]))
    if not positive or not negative:
        assert math.isnan(area)
        return
    won = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    assert area == pytest.approx(won / (len(positive) * len(negative)))


# --- figures --------------------------------------------------------------------------------


def test_detection_figures_by_hand() -> None:
    # 3 hits, 1 miss, 2 false alarms, 4 rejections.
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.9, 0.6, 0.1, 0.2, 0.3, 0.5])
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    figures = detection_figures(score, truth, 0.5)
    assert figures["frames"] == 10
    assert figures["frame_error"] == pytest.approx(0.3)
    assert figures["precision"] == pytest.approx(3 / 5)
    assert figures["recall"] == pytest.approx(3 / 4)
    assert figures["specificity"] == pytest.approx(4 / 6)
    assert figures["f1"] == pytest.approx(2 * 0.6 * 0.75 / (0.6 + 0.75))
    pairs = [
        (p > n) + 0.5 * (p == n)
        for p in (0.9, 0.8, 0.7, 0.2)
        for n in (0.9, 0.6, 0.1, 0.2, 0.3, 0.5)
    ]
    assert figures["auroc"] == pytest.approx(sum(pairs) / 24)


def test_a_score_at_the_threshold_is_below_it() -> None:
    figures = detection_figures(np.array([0.5, 0.5]), np.array([True, False]), 0.5)
    assert figures["recall"] == 0
    assert figures["specificity"] == 1


def test_figures_of_a_detector_that_says_nothing_are_zero() -> None:
    figures = detection_figures(np.zeros(4), np.array([True, True, False, False]), 0.5)
    assert (figures["precision"], figures["recall"], figures["f1"]) == (0, 0, 0)
    assert figures["frame_error"] == 0.5


def test_figures_of_a_song_without_singing_are_undefined() -> None:
    figures = detection_figures(np.array([0.9, 0.1, 0.2]), np.zeros(3, bool), 0.5)
    for name in ("precision", "recall", "f1", "auroc"):
        assert math.isnan(figures[name])
    assert (figures["frame_error"], figures["specificity"]) == (1 / 3, 2 / 3)
    figures = detection_figures(np.array([0.9, 0.1]), np.ones(2, bool), 0.5)
    assert math.isnan(figures["specificity"])
    assert (figures["precision"], figures["recall"]) == (1, 0.5)


def test_multiclass_figures_by_hand() -> None:
    probability = np.array(
        [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6]], np.float32
    )
    figures = multiclass_figures(probability, np.array([0, 1, 1, 2]))
    assert figures["frames"] == 4
    assert figures["frame_error"] == pytest.approx(1 / 4)
    # One against the rest: class 0 wins 3 of 3 pairs, class 1 4 of 4, class 2 3 of 3.
    assert figures["auroc"] == pytest.approx(1.0)
    figures = multiclass_figures(probability, np.array([0, 1, 2, 1]))
    assert figures["frame_error"] == pytest.approx(2 / 4)
    # Class 0: 3 of 3. Class 1 (0.8, 0.2 against 0.2, 0.3): 2.5 of 4. Class 2 (0.2 ...): 2 of 3.
    assert figures["auroc"] == pytest.approx((1 + 2.5 / 4 + 2 / 3) / 3)
