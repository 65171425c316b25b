"""LIME with a random forest in place of the linear model.

After Bolaños, Pepino, Meza and Ferrer, "Benchmarking Time-localized Explanations for Audio
Classification Models" (arXiv 2506.04391), who weight segments by the forest's importances. The
signed effects and the figures of reliability are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.lime import (
    BLOCKS,
    POOR_FIT,
    TOP,
    ScoredSubsets,
    Surrogate,
    distinct_top,
    expected_agreement,
    score_subsets,
)
from ganexplain.runs.machine import random_stream

TREES = 100
LEAST_WEIGHT = 1e-9  # so that trees can be fitted to far subsets alone
CANCELLED = 0.5  # share of the effects whose signs differ from subset to subset


@dataclass(frozen=True)
class ForestResult:
    """Signed effects `weights` (n,) of the parts, and figures of their reliability.

    The effect of a part is the mean difference of the forest's prediction with the part kept and
    with it removed, over the subsets, weighted by the kernel. If all subsets were scored, it is the
    difference of the scores themselves, and there is no forest. Impurity and permutation importance
    have no sign: they would mix evidence for the class with evidence against it, and a map of them
    could not be compared with those of other methods. What they see and a mean does not is a part
    that speaks for the class beside some parts and against it beside others (XOR). Therefore
    `cancelled`, 0 to 1, is 1 - sum |mean effect| / sum of mean |effect|: the share of the effects
    that has such opposite signs.

    `r_squared` is the weighted R^2 out of bag: each subset is predicted by the trees that were not
    fitted to it. `local_error` is |forest - score| at the full input. `effective_samples`,
    `samples`, `exhaustive`, `agreement` and `named` are those of LIME. An exhaustive run has an
    `r_squared` of 1 and a `local_error` of 0.
    """

    weights: np.ndarray
    r_squared: float
    local_error: float
    cancelled: float
    effective_samples: float
    samples: int
    exhaustive: bool
    agreement: float
    named: int
    warnings: tuple[str, ...]


def lime_forest(
    score: SubsetScore,
    count: int,
    samples: int = 2000,
    distance: str = "cosine",
    width: float = 0.25,
    seed: int = 0,
) -> ForestResult:
    """Fit a random forest to the scores of the subsets of LIME, with the same kernel weights.

    The arguments are those of `lime`, and so are the subsets of a seed. If all subsets are scored,
    the effects are computed from their scores.

    Raises:
        UsageError: the distance is unknown, or there are fewer than 10 samples.
    """
    subsets = score_subsets(score, count, samples, distance, width, seed)
    if subsets.exhaustive:
        changes = exact_changes(subsets)
        r_squared, local_error, agreement, named = 1.0, 0.0, 1.0, min(TOP, count)
    else:
        forest = fit_forest(subsets, TREES, seed)
        changes = forest.changes(subsets.kept)
        r_squared = weighted_r_squared(subsets.scores, forest.out_of_bag, subsets.near)
        local_error = abs(float(forest.predict(subsets.kept[:1])[0] - subsets.scores[0]))
        fits = np.array([_effects_of_block(subsets, block, seed) for block in range(1, BLOCKS + 1)])
        agreement, named = expected_agreement(fits), distinct_top(fits)
    effects, sizes = mean_changes(changes, subsets.near)
    cancelled = float(1 - np.abs(effects).sum() / sizes.sum()) if sizes.any() else 0.0
    return ForestResult(
        effects, r_squared, local_error, cancelled, subsets.effective, len(subsets.kept),
        subsets.exhaustive, agreement, named,
        _warnings(subsets, r_squared, cancelled, agreement),
    )  # fmt: skip


@dataclass(frozen=True)
class Forest:
    """Regression trees, and `out_of_bag` (B,): predictions of the subsets that they are fitted to.

    Each subset is predicted by the trees whose bags are without it; NaN where there is none.
    """

    trees: Sequence[Any]
    out_of_bag: np.ndarray

    def predict(self, kept: np.ndarray) -> np.ndarray:
        """Return the predicted scores (B,) of subsets (B, n)."""
        rows = kept.astype(np.float32)
        return np.mean([tree.predict(rows, check_input=False) for tree in self.trees], axis=0)

    def changes(self, kept: np.ndarray) -> np.ndarray:
        """Return what each part changes in the predictions of subsets (B, n), as (B, n).

        That is the prediction with the part less the prediction without it, all else as it is. A
        tree predicts both alike unless it asks for the part on the way from its root to the subset.
        """
        changes = np.zeros(kept.shape)
        for tree in self.trees:
            subset, part = np.nonzero(_asked(tree, kept))
            other = kept[subset].astype(np.float32)
            before = tree.predict(kept.astype(np.float32), check_input=False)[subset]
            other[np.arange(len(part)), part] = ~kept[subset, part]
            changes[subset, part] += before - tree.predict(other, check_input=False)
        return np.where(kept, changes, -changes) / len(self.trees)


def fit_forest(subsets: ScoredSubsets, trees: int, seed: int, block: int = 0) -> Forest:
    """Fit `trees` trees, each to a bag of as many subsets as there are, drawn with replacement.

    `seed` and `block` define the bags. The bags are ours: in scikit-learn's forest the weights
    change the draw in some versions and the fit in others, and a bag by weights has few of the far
    subsets, without which the nearest ones have nothing to differ from.
    """
    from sklearn.tree import DecisionTreeRegressor  # half a second

    random = random_stream(seed, "forest", block)
    rows, near = subsets.kept.astype(np.float32), np.maximum(subsets.near, LEAST_WEIGHT)
    fitted, total, votes = [], np.zeros(len(rows)), np.zeros(len(rows))
    for _ in range(trees):
        bag = random.integers(0, len(rows), len(rows))
        tree = DecisionTreeRegressor(random_state=int(random.integers(2**31)))
        fitted.append(tree.fit(rows[bag], subsets.scores[bag], sample_weight=near[bag]))
        out = np.setdiff1d(np.arange(len(rows)), bag)
        if out.size:
            total[out] += tree.predict(rows[out])
            votes[out] += 1
    return Forest(fitted, np.where(votes > 0, total / np.maximum(votes, 1), np.nan))


def _asked(tree: Any, kept: np.ndarray) -> np.ndarray:
    """Return which parts (B, n) a tree asks for on its way to each of the subsets (B, n)."""
    nodes = tree.tree_.feature
    asks = nodes[:, None] == np.arange(kept.shape[1])  # leaves have the number -2
    path = tree.decision_path(kept.astype(np.float32), check_input=False)
    return np.asarray(path @ asks.astype(np.float32)) > 0


def exact_changes(subsets: ScoredSubsets) -> np.ndarray:
    """Return what each part changes in the scores of all 2^n subsets, as (2^n, n)."""
    kept, scores = subsets.kept, subsets.scores
    # Row r contains the parts whose bits are not in r (`all_subsets`).
    other = np.arange(len(kept))[:, None] ^ (1 << np.arange(kept.shape[1]))
    return np.where(kept, 1, -1) * (scores[:, None] - scores[other])


def mean_changes(changes: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means (n,) of changes (B, n), and of their sizes, with weights `near` (B,)."""
    share = near / near.sum()
    return share @ changes, share @ np.abs(changes)


def weighted_r_squared(scores: np.ndarray, predicted: np.ndarray, near: np.ndarray) -> float:
    """Return the R^2 of predictions (B,) of scores (B,), with weights `near` (B,).

    Scores without a prediction (NaN) do not count. It is 0 where the others are constant.
    """
    there = np.isfinite(predicted)
    scores, predicted, near = scores[there], predicted[there], near[there]
    mean = near @ scores / max(near.sum(), 1e-30)
    spread = near @ np.square(scores - mean)
    return float(1 - near @ np.square(scores - predicted) / spread) if spread > 1e-30 else 0.0


def _effects_of_block(subsets: ScoredSubsets, block: int, seed: int) -> np.ndarray:
    """Return the effects (n,) in a forest of a fifth of the trees, fitted to a fifth of subsets."""
    rows = slice(block - 1, None, BLOCKS)
    fifth = ScoredSubsets(
        subsets.kept[rows], subsets.scores[rows], subsets.near[rows], exhaustive=False
    )
    forest = fit_forest(fifth, TREES // BLOCKS, seed, block)
    return mean_changes(forest.changes(fifth.kept), fifth.near)[0]


def _warnings(
    subsets: ScoredSubsets, r_squared: float, cancelled: float, agreement: float
) -> tuple[str, ...]:
    warnings = []
    if r_squared < POOR_FIT and np.ptp(subsets.scores) > 0:  # else there is nothing to fit
        warnings.append(
            f"the forest predicts only {100 * max(r_squared, 0):.0f} % of how the score varies: "
            "take more --samples, or fewer segments"
        )
    elif cancelled > CANCELLED:
        warnings.append(
            f"{100 * cancelled:.0f} % of the effects cancel: segments speak for it beside some "
            "segments and against it beside others, and their weights are only means"
        )
    # Effects of all subsets are known, however few of them weigh in.
    return tuple(warnings) if subsets.exhaustive else (*warnings, *subsets.warnings(agreement))


@dataclass(frozen=True)
class LimeForest(Surrogate):
    """Signed effects in a random forest of the score, fitted to the random subsets of LIME."""

    def fit(self, score: SubsetScore, count: int, seed: int) -> ForestResult:
        """Return the forest's effects and figures."""
        return lime_forest(score, count, self.samples, self.distance, self.width, seed)


METHOD = LimeForest
