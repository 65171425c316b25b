"""The evolved subset: its optimum, its monotony, its independence of the kind of model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wilcoxon

from ganexplain.attribution.masking import MaskedInput, SubsetScore, subset_score
from ganexplain.attribution.methods.elime import balanced_subsets, evolve, random_search
from ganexplain.attribution.methods.lime import all_subsets, fit_linear, rank_correlation
from ganexplain.attribution.scorer import Scorer, from_numpy

THOROUGH = {"founders": 50, "population": 50, "generations": 40, "patience": 10}


def rugged(count: int, seed: int) -> SubsetScore:
    """A probability with many local optima: random interactions of three."""
    random = np.random.default_rng(seed)
    triples = np.array([random.choice(count, 3, replace=False) for _ in range(4 * count)])
    values = random.standard_normal((len(triples), 8))

    def score(kept: np.ndarray) -> np.ndarray:
        code = kept[:, triples] @ np.array([1, 2, 4])
        return 1 / (1 + np.exp(-values[np.arange(len(triples)), code].sum(axis=1) / count**0.5))

    return score


@pytest.mark.parametrize("count", [12, 14])
def test_the_search_finds_the_optimum_of_all_subsets(count: int) -> None:
    score = rugged(count, 0)
    best = score(all_subsets(count)).max()
    found = [evolve(score, count, **THOROUGH, seed=seed) for seed in range(30)]
    assert not any(f.exhaustive for f in found)
    assert sum(f.fitness >= 0.99 * best for f in found) >= 27
    assert all(f.fitness <= best + 1e-12 for f in found)


def test_few_parts_are_searched_exhaustively() -> None:
    score = rugged(8, 1)
    found = evolve(score, 8, **THOROUGH)
    assert found.exhaustive and found.evaluations == 256
    assert found.fitness == score(all_subsets(8)).max()


@pytest.mark.parametrize("seed", range(10))
def test_the_best_never_falls_and_never_lies_below_the_full_input(seed: int) -> None:
    score = rugged(25, seed)
    found = evolve(score, 25, seed=seed)
    assert (np.diff(found.best) >= 0).all()
    assert found.full_fitness == score(np.ones((1, 25), dtype=bool))[0]
    assert found.fitness >= found.full_fitness
    assert found.fitness == score(found.kept[None])[0]
    assert found.best[-1] == found.fitness


def test_evolved_probability_is_above_that_of_the_full_input() -> None:
    """And above that of as many random subsets, by Wilcoxon's test over 30 seeds."""
    for model in range(4):
        score = rugged(30, model)
        found = [evolve(score, 30, seed=seed) for seed in range(30)]
        control = [random_search(score, 30, f.evaluations, seed=s)[1] for s, f in enumerate(found)]
        fitness = np.array([f.fitness for f in found])
        full = found[0].full_fitness
        assert wilcoxon(fitness - full, alternative="greater").pvalue < 0.05
        assert wilcoxon(fitness - control, alternative="greater").pvalue < 0.05


def test_every_subset_is_scored_once_and_a_generation_in_one_batch() -> None:
    batches: list[np.ndarray] = []
    score = rugged(20, 3)

    def counted(kept: np.ndarray) -> np.ndarray:
        batches.append(kept.copy())
        return score(kept)

    found = evolve(counted, 20, **THOROUGH)
    asked = np.concatenate(batches)
    assert len(np.unique(asked, axis=0)) == len(asked) == found.evaluations
    assert len(batches) <= len(found.best)


def test_how_many_are_kept_emerges() -> None:
    kept = {int(evolve(rugged(30, model), 30).kept.sum()) for model in range(8)}
    assert len(kept) > 3


def needed(first: int, second: int) -> SubsetScore:
    return lambda kept: np.where(kept[:, first] & kept[:, second], 0.9, 0.1)


def test_parts_that_both_matter_are_kept() -> None:
    for seed in range(5):
        assert evolve(needed(3, 17), 24, seed=seed).kept[[3, 17]].all()


def test_a_search_scores_no_more_subsets_than_it_was_allowed() -> None:
    """65 founders, then four generations of which the best 2 of 10 stay: 8 new ones each."""
    found = evolve(rugged(40, 0), 40, founders=65, population=10, generations=5)
    assert found.evaluations == 65 + 4 * 8 and len(found.best) == 5


def test_a_search_without_gain_ends_after_its_patience() -> None:
    found = evolve(lambda kept: np.zeros(len(kept)), 30, generations=9, patience=2)
    assert len(found.best) == 1 + 2


def test_the_random_control_pays_the_same_price() -> None:
    score = rugged(20, 3)
    kept, fitness = random_search(score, 20, 50, parsimony=0.3)
    assert fitness == pytest.approx(score(kept[None])[0] - 0.3 * kept.mean())


def test_a_price_on_parts_leaves_only_those_that_matter() -> None:
    for seed in range(5):
        found = evolve(needed(3, 17), 24, **THOROUGH, parsimony=0.2, seed=seed)
        assert np.flatnonzero(found.kept).tolist() == [3, 17]


def test_of_equal_subsets_the_smaller_is_taken() -> None:
    found = evolve(needed(0, 1), 6, **THOROUGH)
    assert found.exhaustive
    assert np.flatnonzero(found.kept).tolist() == [0, 1]


def test_weights_order_segments_as_an_additive_model_does() -> None:
    values = np.random.default_rng(0).standard_normal(20)
    found = evolve(lambda kept: kept @ values, 20)
    assert rank_correlation(found.weights, values) > 0.95


@pytest.mark.parametrize("count", [7, 20, 32, 50])
def test_the_first_generation_is_balanced(count: int) -> None:
    subsets = balanced_subsets(count, 65, np.random.default_rng(count))
    assert subsets.shape == (65, count) and subsets[0].all()
    pairs = subsets[1:].reshape(2, 32, count)
    assert (pairs[0] ^ pairs[1]).all()
    signs = 2.0 * subsets[1:] - 1
    np.testing.assert_array_equal(signs.sum(axis=0), 0)
    together = signs.T @ signs / 64
    if count <= 32:
        np.testing.assert_allclose(together, np.eye(count), atol=1e-12)
    assert np.abs(together[~np.eye(count, dtype=bool)]).max() < 0.8


def test_what_segments_do_by_twos_does_not_blur_what_each_does() -> None:
    """Free draws of the same number miss the effects by far."""
    random = np.random.default_rng(0)
    values, together = random.standard_normal(20), np.triu(random.standard_normal((20, 20)), 1)
    balanced = balanced_subsets(20, 65, random)[1:]
    free = random.integers(0, 2, balanced.shape).astype(bool)
    errors = []
    for kept in (balanced, free):
        signs = 2.0 * kept - 1
        score = kept @ values + np.einsum("bi,ij,bj->b", signs, together, signs)
        errors.append(np.abs(fit_linear(kept, score, np.ones(64), 0.0).weights - values).max())
    assert errors[0] < 1e-10 and errors[1] > 0.5


def test_the_same_seed_gives_the_same_answer() -> None:
    score = rugged(30, 0)
    first, again, other = (evolve(score, 30, seed=seed) for seed in (4, 4, 5))
    assert first.kept.tobytes() == again.kept.tobytes()
    assert first.best.tolist() == again.best.tolist()
    assert first.best.tolist() != other.best.tolist()


# --- any model ------------------------------------------------------------------------------


class Attention(torch.nn.Module):
    """Patches of an image attend to one another, as in a vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Conv2d(3, 16, 4, stride=4)
        self.mix = torch.nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = torch.nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.embed(x).flatten(2).transpose(1, 2)
        return self.head(patches + self.mix(patches, patches, patches)[0]).mean(dim=1)


def forest() -> Scorer:
    ensemble = pytest.importorskip("sklearn.ensemble")
    random = np.random.default_rng(0)
    x = random.standard_normal((200, 3, 16, 16))
    y = (x[:, 0, :8, :8].mean(axis=(1, 2)) > 0).astype(int)
    trees = ensemble.RandomForestClassifier(20, random_state=0).fit(x.reshape(200, -1), y)
    model = from_numpy(lambda batch: trees.predict_proba(batch.reshape(len(batch), -1)))
    return Scorer(model, 1, outputs="probabilities")


@pytest.mark.parametrize("kind", ["callable", "transformer", "forest"])
def test_any_model_will_do(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "callable":
        scorer = Scorer(lambda x: x[:, 0].mean(dim=(1, 2), keepdim=False)[:, None], 1)
    elif kind == "transformer":
        scorer = Scorer(Attention().eval(), 2)
    else:
        scorer = forest()
    x = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(5))
    labels = np.arange(16).reshape(4, 4).repeat(4, 0).repeat(4, 1)
    score = subset_score(MaskedInput(x, labels, torch.zeros_like(x)), scorer)
    found = evolve(score, 16)
    assert found.fitness > found.full_fitness
    assert scorer.passes == found.evaluations
