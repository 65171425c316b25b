"""The forest of LIME against closed forms, and against scikit-learn's own figures."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import partial_dependence
from sklearn.metrics import r2_score

from ganexplain.attribution.methods.lime import (
    ScoredSubsets,
    all_subsets,
    lime,
    proximity,
    random_subsets,
    rank_correlation,
)
from ganexplain.attribution.methods.lime_forest import (
    Forest,
    fit_forest,
    lime_forest,
    mean_changes,
    weighted_r_squared,
)
from ganexplain.errors import UsageError

COUNT = 8
KEPT = all_subsets(COUNT)
NEAR = proximity(KEPT, "cosine", 0.25)


def both(kept: np.ndarray) -> np.ndarray:
    return (kept[:, 0] & kept[:, 1]).astype(float)


def either(kept: np.ndarray) -> np.ndarray:
    return (kept[:, 0] ^ kept[:, 1]).astype(float)


@pytest.mark.parametrize(("samples", "tolerance"), [(2**COUNT, 1e-9), (1000, 0.05)])
def test_two_parts_that_count_together_have_the_effect_of_one_times_the_share_of_the_other(
    samples: int, tolerance: float
) -> None:
    """Of all subsets of 8 parts, and of random ones of 12."""
    count = COUNT if samples == 2**COUNT else 12
    found, linear = lime_forest(both, count, samples), lime(both, count, samples)
    kept = all_subsets(count)
    near = proximity(kept, "cosine", 0.25)
    share = near @ kept[:, 1] / near.sum()  # with it, the first adds 1; without it, nothing
    np.testing.assert_allclose(found.weights[:2], share, atol=tolerance)
    assert np.abs(found.weights[2:]).max() < tolerance
    assert linear.r_squared < 0.8 < 0.99 < found.r_squared
    assert found.cancelled < 0.05 and found.warnings == ()


def test_effects_that_change_their_sign_cancel_and_are_reported() -> None:
    """XOR: the first part adds 1 without the second, and takes 1 with it."""
    found, linear = lime_forest(either, COUNT), lime(either, COUNT)
    share = NEAR @ KEPT[:, 1] / NEAR.sum()
    np.testing.assert_allclose(found.weights[:2], 1 - 2 * share)
    assert found.cancelled == pytest.approx(1 - abs(1 - 2 * share))
    assert linear.r_squared < 0.1 and found.r_squared == 1
    assert "of the effects cancel" in " ".join(found.warnings)


def test_the_forest_and_the_line_order_the_parts_of_a_linear_score_alike() -> None:
    weights = np.linspace(1, -1, COUNT)
    found, linear = (ask(lambda kept: kept @ weights, COUNT, 255) for ask in (lime_forest, lime))
    assert not found.exhaustive
    assert rank_correlation(found.weights, linear.weights) > 0.95
    assert (np.sign(found.weights) == np.sign(weights)).all()
    assert found.r_squared > 0.9 and found.local_error < 0.1


def test_effects_are_differences_of_the_partial_dependence_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    kept, scores = random.random((60, 4)) < 0.5, random.standard_normal(60)
    near = random.random(60)
    forest = RandomForestRegressor(10, random_state=0).fit(kept.astype(np.float32), scores)
    changes = Forest(forest.estimators_, np.empty(0)).changes(kept)
    effects, sizes = mean_changes(changes, near)
    for part in range(4):
        curve = partial_dependence(
            forest, kept.astype(np.float32), [part], kind="average", method="brute",
            sample_weight=near,
        )["average"][0]  # fmt: skip
        assert effects[part] == pytest.approx(curve[1] - curve[0])
    assert (sizes >= np.abs(effects)).all()


def test_a_forest_of_equal_weights_is_that_of_scikit_learn() -> None:
    """The bags are others, so the figures are near each other and not equal."""
    kept = random_subsets(10, 200, 0)
    scores = np.sin(kept @ np.arange(1, 11)) + 2 * both(kept) - kept[:, 2]
    forest = fit_forest(ScoredSubsets(kept, scores, np.ones(200), exhaustive=False), 100, seed=0)
    theirs = RandomForestRegressor(100, oob_score=True, random_state=0)
    theirs.fit(kept.astype(np.float32), scores)
    found = weighted_r_squared(scores, forest.out_of_bag, np.ones(200))
    assert found == pytest.approx(theirs.oob_score_, abs=0.05)
    expected = theirs.predict(kept.astype(np.float32))
    assert np.corrcoef(forest.predict(kept), expected)[0, 1] > 0.98


def test_the_weighted_fit_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    scores, predicted, near = random.random((3, 50))
    expected = r2_score(scores, predicted, sample_weight=near)
    unseen = np.append(predicted, np.nan)  # a subset in all bags
    found = weighted_r_squared(np.append(scores, 9.0), unseen, np.append(near, 5.0))
    assert found == pytest.approx(expected)
    assert weighted_r_squared(np.ones(3), np.zeros(3), np.ones(3)) == 0
    assert weighted_r_squared(np.ones(1), np.full(1, np.nan), np.ones(1)) == 0


def test_no_tree_predicts_out_of_bag_what_it_was_fitted_to() -> None:
    """Trees remember: a score of noise is known in the bag, and not at all out of it."""
    kept = random_subsets(20, 100, 0)
    scores = np.random.default_rng(0).standard_normal(100)
    forest = fit_forest(ScoredSubsets(kept, scores, np.ones(100), exhaustive=False), 30, seed=0)
    assert weighted_r_squared(scores, forest.predict(kept), np.ones(100)) > 0.7
    assert weighted_r_squared(scores, forest.out_of_bag, np.ones(100)) < 0.1


def test_the_forest_depends_on_the_seed_and_not_on_the_number_of_jobs() -> None:
    def score(kept: np.ndarray) -> np.ndarray:
        return np.sin(kept @ np.arange(1, 13)) + both(kept)

    first = lime_forest(score, 12, 30, seed=1)
    with joblib.parallel_config(n_jobs=2, backend="threading"):
        again = lime_forest(score, 12, 30, seed=1)
    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.weights.tobytes() != lime_forest(score, 12, 30, seed=2).weights.tobytes()


def test_the_subsets_of_a_seed_are_those_of_lime() -> None:
    asked: list[np.ndarray] = []

    def score(kept: np.ndarray) -> np.ndarray:
        asked.append(kept)
        return both(kept)

    for ask in (lime, lime_forest):
        ask(score, 20, samples=30, seed=4)
    np.testing.assert_array_equal(asked[0], asked[1])


def test_a_score_of_noise_is_reported_as_unpredictable_and_unstable() -> None:
    random = np.random.default_rng(0)
    found = lime_forest(lambda kept: random.standard_normal(len(kept)), 20, samples=30)
    assert found.r_squared < 0.5 and found.agreement < 0.8
    text = " ".join(found.warnings)
    assert "the forest predicts only 0 %" in text
    assert "another seed would order the segments otherwise" in text
    assert "samples weigh in for 20 segments" in text


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_effects_of_all_subsets_are_exact_and_nothing_is_asked_for(count: int) -> None:
    found = lime_forest(lambda kept: kept @ np.array([2.0, -1.0, 0.5])[:count], count)
    np.testing.assert_allclose(found.weights, [2.0, -1.0, 0.5][:count])
    assert found.exhaustive and found.r_squared == 1 and found.warnings == ()


@pytest.mark.parametrize("count", [3, 20])
def test_a_constant_score_has_no_effects_and_no_warning_of_a_poor_fit(count: int) -> None:
    found = lime_forest(lambda kept: np.ones(len(kept)), count, samples=200)
    assert not found.weights.any() and found.cancelled == 0 and found.warnings == ()


def test_a_kernel_that_vanishes_leaves_a_forest() -> None:
    kept = random_subsets(5, 20, 0)
    forest = fit_forest(ScoredSubsets(kept, kept[:, 0] * 1.0, np.zeros(20), exhaustive=False), 9, 0)
    assert np.corrcoef(forest.predict(kept), kept[:, 0])[0, 1] > 0.99


def test_settings_of_lime_are_checked() -> None:
    with pytest.raises(UsageError, match="--distance"):
        lime_forest(both, 3, distance="cosin")
    with pytest.raises(UsageError, match="--samples"):
        lime_forest(both, 30, samples=3)
