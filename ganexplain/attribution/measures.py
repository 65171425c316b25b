"""Measures of the quality of an attribution, the same for every method.

`drop`, `increase` and `gain` are AD, AI and AG of a single input, `removal` its faithfulness on
spectra (FF) in L-MAC (Paissan, Ravanelli and Subakan, arXiv 2403.13086). The mask is the positive
weights divided by the largest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.attribution.methods.lime import TOP, mean_correlation, rank_correlation
from ganexplain.attribution.methods.registry import attribute
from ganexplain.metrics.detection import auroc
from ganexplain.networks.weight_shuffling import has_weights_to_shuffle, weights_shuffled
from ganexplain.runs.machine import random_stream

Measures = Mapping[str, float | None]

REPEATS = 3  # runs for a stability
WALL_CLOCK = "seconds"  # the only measure that differs from run to run
SMALL_CHANGE = 0.05  # share of the input's deviation
CERTAIN = 1e-6  # what a probability lacks to 1 that is next to the rounding of 32 bits


@dataclass(frozen=True)
class Measure:
    """A measure of an attribution: title, meaning, and whether `low` or `high` is better."""

    title: str
    meaning: str
    better: str


MEASURES = {
    "deletion": Measure("deletion", "area under the score as parts are removed", "low"),
    "insertion": Measure("insertion", "area under the score as parts are added", "high"),
    "faithfulness": Measure(
        "faithful", "insertion minus deletion, the symmetric relevance gain (SRG)", "high"
    ),
    "drop": Measure("drop", "loss of score if the parts are scaled by their weights", "low"),
    "increase": Measure(
        "increase", "whether that score is above the full input's (0 or 1)", "high"
    ),
    "gain": Measure("gain", "gain of that score, as a share of what the full input lacks", "high"),
    "removal": Measure(
        "removal", "loss of score if the parts are removed in proportion to their weights", "high"
    ),
    "flip": Measure("flip", "removing the first 3 parts changes the class (0 or 1)", "high"),
    "complexity": Measure("complexity", "entropy of the weights, 0 to 1", "low"),
    "seed_stability": Measure("seeds", "rank correlation of the weights over seeds", "high"),
    "input_stability": Measure("inputs", "the same over inputs with 5 % of noise", "high"),
    "randomised": Measure("random net", "the same with a network of shuffled weights", "low"),
    "truth_area": Measure("truth", "AUROC of the map for the cells of the truth", "high"),
    "truth_mass": Measure("in truth", "share of the positive map on those cells", "high"),
    "passes": Measure("passes", "inputs passed through the model", "low"),
    WALL_CLOCK: Measure("seconds", "wall clock", "low"),
}


@dataclass(frozen=True)
class MeasuredAttribution:
    """Scores of the whole input, of the parts kept and of the rest, with curves and measures.

    `kept` (n,), bool, are the parts that the method chose, else the three with the largest weights
    (half of fewer than six). A measure that does not apply is None.
    """

    kept: np.ndarray
    full_score: float
    kept_score: float
    removed_score: float
    curves: Curves
    measures: dict[str, float | None]


def measure(
    question: Question, found: Attribution, truth: np.ndarray | None = None
) -> MeasuredAttribution:
    """Measure an attribution, by 2n + 6 passes.

    `truth` (H, W), bool, marks the cells that are known to matter.
    """
    parts, scorer = question.parts, question.scorer
    top = top_parts(found.weights, min(TOP, max(1, parts.count // 2)))
    kept = top if found.chosen is None else found.chosen
    everything = np.ones(parts.count, dtype=bool)
    values = scorer.class_values(parts.compose(np.stack([everything, kept, ~kept, ~top])))
    full, kept_score, removed = map(float, scorer.class_scores(values[:3]))
    share = soft_share(found.weights)
    soft, without = (float(scorer(parts.blend(each))[0]) for each in (share, 1 - share))
    course = curves(question.score, found.weights, parts.sizes)
    classes = scorer.outputs != "activations"
    probability = classes and scorer.score == "probability"
    measures: dict[str, float | None] = {
        "deletion": course.deletion_area,
        "insertion": course.insertion_area,
        "faithfulness": course.insertion_area - course.deletion_area,
        "drop": drop(full, soft) if probability else None,
        "increase": float(soft > full),
        "gain": gain(full, soft) if probability else None,
        "removal": full - without,
        "flip": float(values[3].argmax() != values[0].argmax()) if classes else None,
        "complexity": complexity(found.weights),
        "passes": float(found.passes),
        "seconds": found.seconds,
        **agreement(found.map, truth),
    }
    return MeasuredAttribution(kept, full, kept_score, removed, course, measures)


def agreement(area: np.ndarray, truth: np.ndarray | None) -> dict[str, float | None]:
    """Return measures of a map (H, W) by truth (H, W); None where it marks all or no cells."""
    if truth is None or truth.all() or not truth.any():
        return {"truth_area": None, "truth_mass": None}
    positive = np.maximum(area, 0.0)
    mass = positive[truth].sum() / positive.sum() if positive.any() else 0.0
    return {"truth_area": auroc(area.ravel(), truth.ravel()), "truth_mass": float(mass)}


def check(
    question: Question, method: Method, found: Attribution, seed: int
) -> dict[str, float | None]:
    """Return stabilities over seeds and over small changes of the input, and `randomised`.

    The model-randomisation check (Adebayo et al. 2018) is |rank correlation| with the weights for
    the same network with shuffled weight tensors, which must be low. Takes up to 2 + 2 + 1 runs of
    the method.
    """
    again = range(1, REPEATS)
    seeds = [found.weights]
    if method.random and not found.details.get("exhaustive"):
        seeds += [attribute(question, method, seed + k).weights for k in again]
    inputs = [found.weights]
    for k in again:
        changed = question.parts.perturb(SMALL_CHANGE, random_stream(seed, "small change", k))
        x = getattr(changed, "x", question.x)
        other = replace(question, parts=changed, x=x)
        inputs.append(attribute(other, method, seed).weights)
    return {
        "seed_stability": mean_correlation(np.array(seeds)) if len(seeds) > 1 else 1.0,
        "input_stability": mean_correlation(np.array(inputs)),
        "randomised": _randomised(question, method, found, seed),
    }


def _randomised(question: Question, method: Method, found: Attribution, seed: int) -> float | None:
    if question.network is None or not has_weights_to_shuffle(question.network):
        return None
    with weights_shuffled(question.network, seed):
        # Not the optimised network, which may contain copies of the weights.
        scorer = question.scorer.for_model(question.model_of(question.network))
        weights = attribute(replace(question, scorer=scorer), method, seed).weights
    return abs(rank_correlation(found.weights, weights))


@dataclass(frozen=True)
class Curves:
    """Scores while parts are removed or added, those with the largest weights first.

    `share` (n + 1,) is the share of the input's area that is removed or added. `deletion` (n + 1,)
    goes from the full input to the fill, `insertion` (n + 1,) from the fill to the full input.
    """

    share: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve: small if the score depends on the first parts."""
        return float(np.trapezoid(self.deletion, self.share))

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve: large if the score depends on the first parts."""
        return float(np.trapezoid(self.insertion, self.share))


def curves(score: SubsetScore, weights: np.ndarray, sizes: np.ndarray) -> Curves:
    """Compute deletion and insertion (Petsiuk, Das and Saenko 2018) by 2n passes.

    Parts have weights (n,) and areas `sizes` (n,); those of equal weight go by their number.
    Insertion is the removal of the least relevant parts first, seen from its end. So insertion
    minus deletion is the symmetric relevance gain (Blücher et al. 2024, arXiv 2401.06654).
    """
    order = np.argsort(-weights, kind="stable")
    count = len(weights)
    rank = np.empty(count, dtype=int)
    rank[order] = np.arange(count)
    inserted = rank[None, :] < np.arange(count + 1)[:, None]  # row k: the first k parts
    scores = score(np.concatenate([inserted, ~inserted[1:-1]]))
    rising, falling = scores[: count + 1], scores[count + 1 :]
    share = np.concatenate([[0.0], np.cumsum(sizes[order]) / sizes.sum()])
    return Curves(share, np.concatenate([rising[-1:], falling, rising[:1]]), rising)


def top_parts(weights: np.ndarray, top: int) -> np.ndarray:
    """Return a mask (n,) of the `top` parts with the largest positive weights."""
    chosen = np.zeros(len(weights), dtype=bool)
    chosen[np.argsort(-weights, kind="stable")[:top]] = True
    return chosen & (weights > 0)


def soft_share(weights: np.ndarray) -> np.ndarray:
    """Return weights (n,) as shares in 0..1: positive ones divided by the largest, others 0."""
    positive = np.maximum(weights, 0.0)
    return positive / max(float(positive.max(initial=0.0)), 1e-30)


def drop(full: float, kept: float) -> float:
    """Return the relative loss of a probability, 0..1 (average drop, Chattopadhyay et al. 2018)."""
    return max(full - kept, 0.0) / max(full, 1e-12)


def gain(full: float, kept: float) -> float:
    """Return the gain of a probability as a share of what it lacks to 1 (average gain, L-MAC).

    It is 0 where that is less than 1e-6: such a gain would be one of rounding.
    """
    lacks = 1 - full
    return max(kept - full, 0.0) / lacks if lacks >= CERTAIN else 0.0


def complexity(weights: np.ndarray) -> float:
    """Return the entropy of |weights| (n,) divided by ln n: 0 for one part, 1 for equal weights.

    It is NaN where a weight is not finite.
    """
    size = np.abs(weights)
    if not np.isfinite(size).all():
        return float("nan")
    if len(size) < 2 or size.sum() == 0:
        return 1.0 if size.sum() == 0 else 0.0
    p = size / size.sum()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum() / np.log(len(size)))


def mean_measures(rows: Sequence[Measures]) -> dict[str, float | None]:
    """Return the mean of each measure over the rows that have it, None where no row has it."""
    means: dict[str, float | None] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [v for row in rows if (v := row.get(key)) is not None and np.isfinite(v)]
        means[key] = float(np.mean(values)) if values else None
    return means
