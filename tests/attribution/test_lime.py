"""Occlusion and LIME against closed forms, and against the `lime` package on the same masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.lime import (
    all_subsets,
    distinct_top,
    fit_linear,
    lime,
    proximity,
    random_subsets,
    rank_correlation,
)
from ganexplain.attribution.methods.occlusion import occlusion
from ganexplain.errors import UsageError


def linear(weights: np.ndarray, intercept: float = 0.3) -> SubsetScore:
    return lambda kept: kept @ weights + intercept


def interacting(count: int, seed: int) -> SubsetScore:
    """A model whose parts act alone and in pairs."""
    random = np.random.default_rng(seed)
    alone = random.standard_normal(count)
    pairs = np.triu(random.standard_normal((count, count)), 1)
    return lambda kept: np.tanh(
        (kept @ alone + np.einsum("bi,ij,bj->b", kept, pairs, kept)) / count
    )


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12))
def test_occlusion_and_lime_recover_a_linear_model(values: list[float]) -> None:
    weights = np.array(values)
    np.testing.assert_allclose(occlusion(linear(weights), len(weights)), weights, atol=1e-9)
    found = lime(linear(weights), len(weights), samples=4096, ridge=0.0)
    assert found.exhaustive and found.samples == 2 ** len(weights)
    np.testing.assert_allclose(found.weights, weights, atol=1e-7)
    assert found.intercept == pytest.approx(0.3, abs=1e-7)
    assert found.local_error < 1e-7
    if np.abs(weights).max() > 1e-3:
        assert found.r_squared == pytest.approx(1.0, abs=1e-9)


def test_constant_weights_agree_with_constant_ones_alone() -> None:
    constant, rising = np.ones(3), np.array([1.0, 2.0, 3.0])
    assert rank_correlation(constant, constant) == 1
    assert rank_correlation(constant, rising) == rank_correlation(rising, constant) == 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_local_error_is_the_size_of_what_is_off_at_the_input(sign: float) -> None:
    """A score that only the full input has: no linear model reaches it, from above or below."""
    found = lime(lambda kept: np.asarray(sign * kept.all(axis=1)), 4, samples=4096)
    off = sign - found.weights.sum() - found.intercept
    assert sign * off > 0.1 and found.local_error == pytest.approx(abs(off))


@settings(deadline=None)
@given(st.integers(15, 40), st.integers(0, 5))
def test_drawn_samples_recover_a_linear_model_too(count: int, seed: int) -> None:
    weights = np.random.default_rng(seed).standard_normal(count)
    found = lime(linear(weights), count, samples=400, ridge=0.0, seed=seed)
    assert not found.exhaustive
    np.testing.assert_allclose(found.weights, weights, atol=1e-6)
    assert found.agreement == pytest.approx(1.0)
    assert found.named == 3
    assert not [w for w in found.warnings if "seed" in w or "%" in w]


def test_occlusion_takes_a_pass_for_each_part_and_one() -> None:
    asked = []

    def score(kept: np.ndarray) -> np.ndarray:
        asked.append(kept)
        return kept.sum(axis=1).astype(float)

    occlusion(score, 7)
    assert [len(kept) for kept in asked] == [8]


def test_the_same_seed_gives_the_same_answer() -> None:
    model = interacting(24, 0)
    first, again, other = (lime(model, 24, samples=200, seed=s) for s in (1, 1, 2))
    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.weights.tobytes() != other.weights.tobytes()


def test_all_subsets_come_once_and_the_full_one_first() -> None:
    kept = all_subsets(5)
    assert kept[0].all()
    assert len(np.unique(kept, axis=0)) == len(kept) == 32


@given(st.integers(1, 60), st.integers(0, 9))
def test_draws_begin_with_the_full_input(count: int, seed: int) -> None:
    kept = random_subsets(count, 50, seed)
    assert kept.shape == (50, count) and kept[0].all()


def test_kernels_are_those_of_the_package() -> None:
    """lime_image: sqrt(exp(-d^2 / width^2)) of scikit-learn's distances to the full row."""
    metrics = pytest.importorskip("sklearn.metrics")
    kept = random_subsets(10, 100, 0)
    kept[7] = False  # nothing left
    rows = kept.astype(float)
    for ours, theirs in (("cosine", "cosine"), ("l2", "euclidean")):
        far = metrics.pairwise_distances(rows, rows[:1], metric=theirs).ravel()
        expected = np.sqrt(np.exp(-(far**2) / 0.25**2))
        np.testing.assert_allclose(proximity(kept, ours, 0.25), expected, atol=1e-12)


def test_coefficients_are_those_of_the_package_on_the_same_masks() -> None:
    base = pytest.importorskip("lime.lime_base")
    kernel_width = 0.25
    explainer = base.LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / kernel_width**2)))
    for seed, count in ((0, 10), (1, 24), (2, 40)):
        kept = random_subsets(count, 500, seed)
        scores = interacting(count, seed)(kept)
        far = 1 - np.sqrt(kept.mean(axis=1))
        intercept, weights, r_squared, _ = explainer.explain_instance_with_data(
            kept.astype(float), scores[:, None], far, 0, count, feature_selection="none"
        )
        theirs = np.zeros(count)
        for part, weight in weights:
            theirs[part] = weight
        fit = fit_linear(kept, scores, proximity(kept, "cosine", kernel_width), 1.0)
        np.testing.assert_allclose(fit.weights, theirs, atol=1e-6)
        assert fit.intercept == pytest.approx(intercept, abs=1e-6)
        assert fit.r_squared == pytest.approx(r_squared, abs=1e-6)


def test_more_samples_name_fewer_parts() -> None:
    def mean_named(samples: int) -> float:
        named = []
        for model in range(6):
            score = interacting(16, model)
            runs = [lime(score, 16, samples=samples, seed=s).weights for s in range(5)]
            named.append(distinct_top(np.array(runs)))
        return float(np.mean(named))

    few, many = mean_named(60), mean_named(4000)
    assert many < few
    assert many < 4


def test_an_l2_kernel_tends_to_leaving_one_out() -> None:
    """Only samples with one part off weigh in: exp(-8) against exp(-16)."""
    for seed in range(3):
        model = interacting(10, seed)
        drawn = lime(model, 10, samples=2**10 - 1, distance="l2", seed=seed)
        exact = lime(model, 10, samples=2**10, distance="l2", ridge=1e-9)
        assert drawn.effective_samples < 12
        assert any("samples weigh in" in warning for warning in drawn.warnings)
        (few,) = (warning for warning in exact.warnings if "samples weigh in" in warning)
        assert few.endswith("take a wider --width, or occlusion")  # there are no more samples
        left_out = occlusion(model, 10)
        assert np.corrcoef(exact.weights, left_out)[0, 1] > 0.98


def test_an_unstable_run_says_so() -> None:
    random = np.random.default_rng(0)
    found = lime(lambda kept: random.standard_normal(len(kept)), 30, samples=100)
    assert found.agreement < 0.8
    said = " ".join(found.warnings)
    assert "another seed would order the segments otherwise" in said
    assert "act together" in said


def test_the_expected_agreement_is_that_of_real_runs() -> None:
    """Spearman-Brown over fifths foretells the correlation between whole runs."""
    foretold, found = [], []
    for seed in range(8):
        model = interacting(20, seed)
        first, second = (lime(model, 20, samples=300, seed=s) for s in (10, 11))
        foretold.append((first.agreement + second.agreement) / 2)
        found.append(rank_correlation(first.weights, second.weights))
    assert np.mean(foretold) == pytest.approx(np.mean(found), abs=0.08)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="--distance"):
        lime(linear(np.ones(3)), 3, distance="cosin")
    with pytest.raises(UsageError, match="--samples"):
        lime(linear(np.ones(30)), 30, samples=3)
