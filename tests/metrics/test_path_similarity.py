"""Whether generated examples run through the layers as real ones do."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from ganexplain.metrics.path_similarity import path_similarity

UNITS = 40


def excerpts(path: np.ndarray, count: int, seed: int, noise: float = 0.5) -> np.ndarray:
    """Features (count, UNITS) of excerpts that excite the units of a path (UNITS,)."""
    return path + noise * np.random.default_rng(seed).normal(size=(count, UNITS))


@pytest.fixture
def paths() -> np.ndarray:
    """Units (3, UNITS) of three paths."""
    return np.random.default_rng(0).normal(size=(3, UNITS))


def test_examples_of_the_path_of_real_ones_have_the_similarity_1(paths: np.ndarray) -> None:
    found = path_similarity(
        {"conv": excerpts(paths[0], 300, 1)},
        {"conv": excerpts(paths[0], 300, 2)},
        {"conv": excerpts(paths[1], 300, 3)},
    )
    assert found.mean == pytest.approx(1, abs=0.02)
    assert found.least == found.mean == found.layers["conv"]


def test_excerpts_that_do_not_drive_the_unit_have_the_similarity_0(paths: np.ndarray) -> None:
    other = excerpts(paths[1], 300, 3)
    natural = excerpts(paths[0], 300, 2)
    assert path_similarity({"a": other}, {"a": natural}, {"a": other}).mean == pytest.approx(0)
    fresh = excerpts(paths[1], 300, 4)
    found = path_similarity({"a": fresh}, {"a": natural}, {"a": other}).mean
    assert found == pytest.approx(0, abs=0.02)


def test_examples_of_another_path_are_less_similar_than_half(paths: np.ndarray) -> None:
    made = {"first": excerpts(paths[0], 50, 1), "second": excerpts(3 * paths[2], 50, 2)}
    found = path_similarity(
        made,
        {layer: excerpts(paths[0], 50, 3) for layer in made},
        {layer: excerpts(paths[1], 50, 4) for layer in made},
    )
    assert found.least == found.layers["second"] < 0.5
    assert found.layers["first"] > 0.9
    assert found.mean == pytest.approx((found.layers["first"] + found.layers["second"]) / 2)


def test_the_similarity_is_that_of_the_rank_correlations_of_all_pairs() -> None:
    """By `scipy.stats.spearmanr`, pair by pair."""
    stream = np.random.default_rng(0)
    natural = np.arange(6) + stream.normal(1, 2, (5, 6))
    other = stream.normal(-1, 1, (7, 6))
    made = stream.normal(size=(4, 6))
    middle, unit = other.mean(axis=0), other.std(axis=0)
    made_, natural_, other_ = ((x - middle) / unit for x in (made, natural, other))

    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([spearmanr(x, y).statistic for x in a for y in b if (x != y).any()]))

    alike, apart = correlation(natural_, natural_), correlation(other_, natural_)
    wanted = (correlation(made_, natural_) - apart) / (alike - apart)
    found = path_similarity({"a": made}, {"a": natural}, {"a": other})
    assert found.mean == pytest.approx(wanted)
    assert found.each.mean() == pytest.approx(wanted)


def test_a_path_that_is_only_driven_harder_is_the_same(paths: np.ndarray) -> None:
    natural, other = excerpts(paths[0], 50, 2), excerpts(paths[1], 50, 3)
    middle, made = other.mean(axis=0), excerpts(paths[0], 50, 1)
    plain = path_similarity({"a": made}, {"a": natural}, {"a": other})
    harder = path_similarity({"a": middle + 9 * (made - middle)}, {"a": natural}, {"a": other})
    assert harder.mean == pytest.approx(plain.mean)


def test_layers_that_tell_nothing_are_left_out(paths: np.ndarray) -> None:
    natural, other = excerpts(paths[0], 300, 2), excerpts(paths[0], 300, 3)
    assert np.isnan(path_similarity({"a": natural}, {"a": natural}, {"a": other}).mean)
    constant = np.ones((50, UNITS))
    alone = path_similarity({"a": constant}, {"a": constant}, {"a": constant})
    assert not alone.layers
    assert np.isnan(alone.least)
