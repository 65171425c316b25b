"""Scores of a selection: closed forms, hand-computed cases, invariances, degenerate sets."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi, wasserstein_distance

from ganexplain.metrics.bootstrap import interval, resample_rows, tied_with_best
from ganexplain.metrics.distances import (
    Kernel,
    cubic_kernel,
    densities,
    frechet_distance,
    frechet_distances,
    gaussian_kernel,
    kernel_distances,
    latent_norm_error,
    manifold_scores,
    nearest_distances,
)
from ganexplain.metrics.prediction import HeldOut, Probe
from ganexplain.metrics.scores import (
    RULES,
    SCORES,
    Comparison,
    Examples,
    composite,
)
from ganexplain.metrics.transport import sliced_distances
from ganexplain.selection.ranking import score_settings

rng = np.random.default_rng(0)


def probe(direction: str) -> Probe:
    """40 encoded excerpts whose response is the sum of their code, of eight recordings."""
    encoded = np.random.default_rng(1).normal(size=(40, 3))
    held_out = HeldOut(encoded.sum(axis=1), encoded[:, :1], np.arange(40) // 5)
    return Probe.of(encoded, held_out, direction, np.zeros((1, 3)), 0)


def examples(count: int, shift: float = 0.0, latent: bool = False) -> Examples:
    features = rng.normal(shift, 1, (count, 6))
    mel = rng.normal(shift, 1, (count, 20, 25)).astype(np.float32)
    z = rng.normal(size=(count, 128)) if latent else None
    return Examples(mel, features.sum(axis=1), features, z)


# --- kernel distance ------------------------------------------------------------------------


def kernel_distance(first: np.ndarray, second: np.ndarray, kernel: Kernel = cubic_kernel) -> float:
    return float(kernel_distances(first, second, np.ones((1, len(first))), kernel)[0])


def test_kernel_distance_of_a_hand_computed_case() -> None:
    # (xy + 1)^3: within {0, 2} 1, within {1, 3} 64, across 1, 1, 27 and 343.
    first, second = np.array([0.0, 2.0]), np.array([1.0, 3.0])
    assert kernel_distance(first, second) == 1 + 64 - 2 * 93
    # The kernel takes the mean over dimensions: repeating a dimension changes nothing.
    one, other = (np.stack([side, side], axis=1) for side in (first, second))
    assert kernel_distance(one, other) == 1 + 64 - 2 * 93


@pytest.mark.parametrize("shift, expected", [(0.0, 0.0), (1.0, 22.0)])
def test_kernel_distance_is_unbiased(shift: float, expected: float) -> None:
    """Of N(0, 1) and N(m, 1): 4 + (m^3 + 3m)^2 + 3 (m^2 + 1)^2 + 3 m^2 + 1 - 2 (3 m^2 + 4)."""
    drawn = [kernel_distance(rng.normal(size=10), rng.normal(shift, 1, 12)) for _ in range(4000)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - expected) < 4 * error
    assert error < 1


def test_copies_of_an_example_are_no_pair() -> None:
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    twice, once = kernel_distances(a, b, np.array([[2.0] * 7, [1.0] * 7]))
    assert twice == pytest.approx(once)
    assert once == pytest.approx(kernel_distance(a, b))
    some = kernel_distances(a, b, np.array([[1.0, 0, 1, 1, 0, 0, 1]]))[0]
    assert some == pytest.approx(kernel_distance(a[[0, 2, 3, 6]], b))
    for others in ([], [[1.0] * 7]):
        with pytest.raises(ValueError, match="copies"):
            kernel_distances(a, b, np.array([[7.0] + [0] * 6, *others]))


def test_kernel_distance_does_not_grow_with_dimensions_where_frechet_does() -> None:
    pairs = [(rng.normal(size=(50, 64)), rng.normal(size=(50, 64))) for _ in range(20)]
    assert abs(np.mean([kernel_distance(*pair) for pair in pairs])) < 0.02
    assert np.mean([frechet_distance(*pair) for pair in pairs]) > 20  # of one distribution: 0


# --- neighbours -----------------------------------------------------------------------------


def test_manifold_scores_of_a_hand_computed_case() -> None:
    real = np.array([0.0, 1.0, 2.0, 10.0])  # to the next: 1, 1, 1, 8
    made = np.array([0.5, 100.0, 101.0])  # to the next: 99.5, 1, 1
    found = manifold_scores(made, real, neighbours=1)
    assert found["precision"] == pytest.approx(1 / 3)
    assert found["recall"] == 1.0  # all lie in the ball of 0.5
    assert found["density"] == pytest.approx(2 / 3)  # 0.5 lies in the balls of 0 and 1
    assert found["coverage"] == pytest.approx(2 / 4)


def prdc_by_loops(made: np.ndarray, real: np.ndarray, k: int) -> dict[str, float]:
    """The four scores as Naeem et al.'s package prdc 0.2 defines them, example by example."""

    def radius(own: np.ndarray, i: int) -> float:  # the k-th neighbour, itself not counted
        return sorted(np.linalg.norm(own - own[i], axis=1))[k]

    def inside(one: np.ndarray, own: np.ndarray, i: int) -> bool:
        return bool(np.linalg.norm(one - own[i]) < radius(own, i))

    in_real = [[inside(m, real, i) for i in range(len(real))] for m in made]
    in_made = [[inside(r, made, i) for i in range(len(made))] for r in real]
    return {
        "precision": float(np.mean([any(row) for row in in_real])),
        "recall": float(np.mean([any(row) for row in in_made])),
        "density": float(np.mean([sum(row) / k for row in in_real])),
        "coverage": float(np.mean([any(row) for row in zip(*in_real, strict=True)])),
    }


@pytest.mark.parametrize("levels", [2, 3, 1000])
def test_manifold_scores_are_those_of_prdc(levels: int) -> None:
    """Of features with few values, as behind a rectifier, many distances equal a radius."""
    stream = np.random.default_rng(levels)
    made, real = (stream.integers(0, levels, (n, 3)).astype(float) for n in (30, 50))
    found = manifold_scores(made, real)
    assert found == pytest.approx(prdc_by_loops(made, real, 5))
    assert found != pytest.approx(manifold_scores(real, made))  # which set is the real one counts


def test_density_is_the_mean_of_the_parts_of_its_examples_on_tied_features_too() -> None:
    """Four real copies of one example and one apart: no ball of a copy holds anything."""
    real = np.array([[0.0], [0.0], [0.0], [0.0], [4.0]])
    generated = np.array([[0.0], [1.0]])
    found = densities(generated, real, neighbours=3)
    np.testing.assert_array_equal(found, [0.0, 1 / 3])  # 1 lies in the ball of 4, radius 4, alone
    assert manifold_scores(generated, real, 3)["density"] == pytest.approx(found.mean())


def test_equal_distributions_have_the_expected_density_and_coverage() -> None:
    """Density 1; coverage 1 - (R-1)...(R-k) / ((N+R-1)...(N+R-k)): Naeem et al., eq. 8 and 9."""
    n, r, k = 40, 60, 5
    runs = [manifold_scores(rng.normal(size=(n, 3)), rng.normal(size=(r, 3))) for _ in range(200)]
    terms = [(r - i) / (n + r - i) for i in range(1, k + 1)]
    assert np.mean([run["density"] for run in runs]) == pytest.approx(1, abs=0.03)
    assert np.mean([run["coverage"] for run in runs]) == pytest.approx(1 - np.prod(terms), abs=0.01)


def test_realism_and_diversity_come_apart() -> None:
    real = rng.normal(size=(60, 4))
    collapsed = real[:1] + 0.01 * rng.normal(size=(60, 4))
    spread = 3 * rng.normal(size=(60, 4))
    one, other = manifold_scores(collapsed, real), manifold_scores(spread, real)
    assert one["precision"] == 1 and one["recall"] < 0.1 and one["coverage"] < 0.3
    assert other["recall"] > 0.9 and other["precision"] < 0.7
    same = manifold_scores(real, real)
    assert same["precision"] == same["recall"] == same["coverage"] == 1


def test_degenerate_sets_have_scores() -> None:
    still = np.ones((3, 2))
    nothing = dict.fromkeys(("precision", "recall", "density", "coverage"), 0.0)
    assert manifold_scores(still, still) == nothing  # copies of one example surround nothing
    assert manifold_scores(still, still + 1) == nothing
    with pytest.raises(ValueError, match="sample"):
        manifold_scores(np.ones((1, 2)), still)


def test_nearest_distance_knows_a_copy() -> None:
    real = rng.normal(size=(30, 5))
    assert (nearest_distances(real[3:9], real) == 0).all()
    found = nearest_distances(np.array([[0.0], [5.0]]), np.array([[1.0], [7.0]]))
    assert found.tolist() == [1, 2]


# --- latents --------------------------------------------------------------------------------


def test_shell_distance_of_prior_and_mode() -> None:
    drawn = rng.normal(size=(4000, 128))
    assert latent_norm_error(drawn) == pytest.approx(np.sqrt(2 / np.pi), abs=0.03)
    on_it = drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * chi(128).mean()
    assert latent_norm_error(on_it) == pytest.approx(0, abs=1e-9)
    assert latent_norm_error(np.zeros((2, 128))) == pytest.approx(chi(128).mean() / chi(128).std())


# --- all scores -----------------------------------------------------------------------------


def test_every_score_has_a_value_and_a_meaning() -> None:
    path = rng.normal(size=12)
    made = replace(examples(12, latent=True), encoded=rng.normal(size=(12, 3)), path=path)
    found = Comparison(made, examples(9), probe("max")).scores()
    assert set(found) | {"composite"} == set(SCORES)
    assert all(np.isfinite(value) for value in found.values())
    assert set(RULES.values()) <= set(SCORES)
    assert found["path_similarity"] == pytest.approx(path.mean())
    fewer = Comparison(examples(12), examples(9)).scores()
    assert not {"shell_distance", "path_similarity"} & set(fewer)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.randoms(use_true_random=False))
def test_order_of_examples_changes_no_score(count: int, others: int, random: object) -> None:
    made, real = examples(count), examples(others, 0.5)
    order = np.random.default_rng(random.randint(0, 2**30)).permutation(count)  # type: ignore[attr-defined]
    mixed = Examples(made.mel[order], made.response[order], made.features[order])
    one, other = Comparison(made, real).scores(), Comparison(mixed, real).scores()
    assert one == pytest.approx(other, rel=1e-9, abs=1e-9)


def test_a_real_set_is_at_no_distance_from_itself() -> None:
    real = examples(20)
    found = Comparison(real, real).scores()
    assert found["fid_response"] == found["wasserstein"] == found["nearest_real"] == 0
    assert found["fid_features"] == pytest.approx(0, abs=1e-12)


def test_wasserstein_of_a_hand_computed_case_and_of_doubled_sets() -> None:
    def of(first: list[float], second: list[float]) -> float:
        made, real = (
            Examples(np.zeros((len(v), 5, 5)), np.array(v), np.array(v)[:, None])
            for v in (first, second)
        )
        return Comparison(made, real).scores()["wasserstein"]

    assert of([0, 1], [3, 5]) == pytest.approx(3.5)
    assert of([0, 1] * 2, [3, 5] * 3) == pytest.approx(3.5)
    assert of([0, 0, 0], [0, 0, 3]) == pytest.approx(1)


def test_nearest_real_is_an_rms_in_nat() -> None:
    real = examples(4)
    made = Examples(real.mel + 0.25, real.response, real.features)
    assert Comparison(made, real).scores()["nearest_real"] == pytest.approx(0.25, abs=0.02)


def test_the_interval_of_a_mean_rank_is_within_the_ranks() -> None:
    stream = np.random.default_rng(0)
    made = {
        "learning_rate": np.array([0.1, 0.01]), "prior_weight": np.zeros(2),
        "iterations": np.array([5, 5]), "mel": stream.normal(size=(2, 3, 4, 6)),
        "response": stream.normal(size=(2, 3)), "features": stream.normal(size=(2, 3, 2)),
        "latent": stream.normal(size=(2, 3, 2)),
    }  # fmt: skip
    real = Examples(made["mel"][0] + 1, made["response"][1] + 1, made["features"][0])
    table = score_settings(made, real, "composite", 0, np.empty((2, 0)))
    ends = table["composite_interval"]
    assert ends.min() >= 1 and ends.max() <= 2


def test_the_composite_is_a_mean_rank() -> None:
    table = {"fid_response": np.array([1.0, 2.0, 3.0]), "nearest_real": np.array([0.2, 0.1, 0.3])}
    assert composite(table).tolist() == [1.5, 1.5, 3.0]


def test_resamples_hold_the_scores_of_what_they_name() -> None:
    made, real = replace(examples(10), encoded=rng.normal(0.3, 1, (10, 3))), examples(8, 0.3)
    rows = np.array([np.arange(10), [0, 1, 2, 3, 4, 4, 4, 4, 4, 4]])
    pair = Comparison(made, real, probe("max"))
    found, whole = pair.resampled(rows), pair.scores()
    assert set(found) | {"composite"} == set(RULES.values()) | {"nearest_real", "density"}
    for name, values in found.items():
        assert values[0] == pytest.approx(whole[name])
    assert found["fid_features"][1] == pytest.approx(
        frechet_distance(made.features[rows[1]], real.features)
    )
    assert found["wasserstein"][1] == pytest.approx(
        wasserstein_distance(made.response[rows[1]], real.response)
    )


@pytest.mark.parametrize("direction, sign", [("max", 1), ("min", -1)])
def test_examples_far_out_in_the_direction_of_the_unit_predict_it(
    direction: str, sign: int
) -> None:
    far = sign * np.full((4, 3), 2.0)
    right, wrong = (
        Comparison(replace(examples(4), encoded=code), examples(5), probe(direction)).scores()
        for code in (far, -far)
    )
    assert right["prediction_error"] < 0.1
    assert wrong["prediction_error"] > right["prediction_error"] + 0.1
    assert "prediction_error" not in Comparison(examples(4), examples(5)).scores()


def test_kid_is_in_units_of_the_real_features() -> None:
    """A cubic kernel is made for values near one; the unit of a layer's features cancels."""
    made, real = examples(10), examples(8, 0.3)
    large, those = (replace(side, features=1000 * side.features) for side in (made, real))
    assert Comparison(large, those).scores()["kid"] == pytest.approx(
        Comparison(made, real).scores()["kid"]
    )
    unit = np.sqrt(np.mean(real.features**2))
    assert Comparison(made, real).scores()["kid"] == pytest.approx(
        kernel_distance(made.features / unit, real.features / unit)
    )


def test_tied_means_within_one_standard_error_of_the_difference() -> None:
    score = np.array([1.0, 1.99, 2.01, 2.9])
    wobble = np.sqrt((300 - 1) / 300) * np.where(np.arange(300) % 2, 1.0, -1.0)  # deviation 1
    resampled = np.stack([np.zeros(300), wobble, wobble, wobble])
    assert tied_with_best(score, resampled).tolist() == [True, True, False, False]


def test_many_distances_at_once_are_those_one_by_one() -> None:
    samples, real = rng.normal(size=(4, 9, 3)), rng.normal(size=(20, 3))
    found = frechet_distances(samples, real)
    assert found == pytest.approx([frechet_distance(sample, real) for sample in samples])


# --- bootstrap ------------------------------------------------------------------------------


def test_resamples_are_drawn_from_the_seed() -> None:
    assert (resample_rows(50, 3) == resample_rows(50, 3)).all()
    assert (resample_rows(50, 3) != resample_rows(50, 4)).any()
    assert all(len(set(row)) > 1 for row in resample_rows(2, 0).tolist())


@pytest.mark.parametrize("examples", [8, 12, 50])
def test_intervals_hold_the_truth_about_as_often_as_they_say(examples: int) -> None:
    """Responses N(3, 1) against real ones of mean 1, deviation 1: the distance is 4."""
    real = np.array([1 - np.sqrt(0.5), 1 + np.sqrt(0.5)])
    rows, held = resample_rows(examples, 0), 0
    for _ in range(600):
        made = rng.normal(3, 1, examples)
        score = np.array(frechet_distance(made, real))
        low, high = interval(score, frechet_distances(made[rows][..., None], real), examples)
        held += low <= 4 <= high
    assert 0.9 < held / 600 < 0.99


def test_bias_of_resampling_is_taken_off() -> None:
    """Copies of examples make a Frechet distance of many dimensions larger than it is."""
    made, real = rng.normal(size=(50, 64)), rng.normal(size=(50, 64))
    score = np.array(frechet_distance(made, real))
    resampled = frechet_distances(made[resample_rows(50, 0)], real)
    assert resampled.min() > score
    low, high = interval(score, resampled, 50)
    assert low < score < high


def test_pairing_tells_settings_apart_whose_intervals_overlap() -> None:
    real, rows = rng.normal(0, 1, 50), resample_rows(50, 0)
    base, wobble = rng.normal(2, 1, 50), 1e-3 * rng.normal(size=50)
    straight = np.stack([np.ones(50), base], axis=1)
    wobble -= straight @ np.linalg.lstsq(straight, wobble)[0]  # neither mean nor spread differs
    made = np.stack([base, base + 0.1, base + wobble, base + 5])
    score = np.array([frechet_distance(row, real) for row in made])
    resampled = np.stack([frechet_distances(row[rows][..., None], real) for row in made])
    bounds = interval(score, resampled, 50)
    assert bounds[1, 0] < bounds[0, 1]  # they overlap
    assert tied_with_best(score, resampled).tolist() == [True, False, True, False]


def test_kad_is_the_unbiased_mmd_with_a_gaussian_as_wide_as_the_median_distance() -> None:
    """Against loops over pairs; samples of one distribution are at no distance on average."""
    made, real = examples(7, 0.4), examples(9)
    width = np.median([np.linalg.norm(x - y) for x, y in combinations(real.features, 2)])

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.exp(-np.sum((x - y) ** 2) / (2 * width**2)))

    def within(rows: np.ndarray) -> float:
        return float(np.mean([kernel(x, y) for x, y in combinations(rows, 2)]))

    across = np.mean([kernel(x, y) for x in made.features for y in real.features])
    assert Comparison(made, real).scores()["kad"] == pytest.approx(
        within(made.features) + within(real.features) - 2 * across
    )
    stream = np.random.default_rng(3)
    same = [
        kernel_distance(first, second, gaussian_kernel(second))
        for first, second in (stream.normal(size=(2, 20, 3)) for _ in range(200))
    ]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))


def test_sliced_wasserstein_is_a_mean_over_directions_of_the_sphere() -> None:
    """Against SciPy's in one dimension; of a shift by v in a plane it is 2 |v| / pi."""
    stream = np.random.default_rng(4)
    a, b = stream.normal(size=(12, 1)), stream.normal(size=(9, 1))
    once = np.ones((1, 12))
    assert sliced_distances(a, b, once)[0] == pytest.approx(wasserstein_distance(a[:, 0], b[:, 0]))
    plane = stream.normal(size=(12, 2))
    shifted = plane + np.array([3.0, 4.0])
    assert sliced_distances(shifted, plane, once)[0] == pytest.approx(5 * 2 / np.pi, rel=0.15)
    rows = np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8])
    counts = np.bincount(rows, minlength=12)[None].astype(float)
    assert sliced_distances(plane, shifted, counts)[0] == pytest.approx(
        sliced_distances(plane[rows], shifted, once)[0]
    )
