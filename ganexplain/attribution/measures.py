"""One call, one table: how well an attribution holds, whatever the method."""

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

REPEATS = 3  # runs that stability is taken over
WALL_CLOCK = "seconds"  # the one measure that is another in every run
SMALL_CHANGE = 0.05  # of the input's deviation


@dataclass(frozen=True)
class Measure:
    """A measure of an attribution: what it is called, what it says, and which way is better."""

    title: str
    meaning: str
    better: str


MEASURES = {
    "deletion": Measure("deletion", "area under the score as parts are taken away", "low"),
    "insertion": Measure("insertion", "area under the score as parts are added", "high"),
    "faithfulness": Measure("faithful", "insertion less deletion", "high"),
    "drop": Measure("drop", "loss of score where parts are kept by their weights", "low"),
    "increase": Measure("increase", "that score is above the full input's (0 or 1)", "high"),
    "flip": Measure("flip", "taking the first 3 parts away changes the class (0 or 1)", "high"),
    "complexity": Measure("complexity", "entropy of the weights, 0 to 1", "low"),
    "seed_stability": Measure("seeds", "rank correlation of the weights over seeds", "high"),
    "input_stability": Measure("inputs", "the same over inputs with 5 % of noise", "high"),
    "randomised": Measure("random net", "the same with a network of shuffled weights", "low"),
    "truth_area": Measure("truth", "AUROC of the map for the cells known to matter", "high"),
    "truth_mass": Measure("in truth", "share of the positive map that lies on them", "high"),
    "passes": Measure("passes", "inputs the model was run on", "low"),
    WALL_CLOCK: Measure("seconds", "wall clock", "low"),
}


@dataclass(frozen=True)
class MeasuredAttribution:
    """Scores of an attribution's input, whole, kept and removed, its curves and measures.

    `kept` (n,) of booleans are the parts the method chose, else the three weightiest (of fewer
    than six, half). A measure that does not apply is None.
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
    """What one attribution is worth: 2n + 4 passes beside its own.

    `truth` (H, W) of booleans marks the cells known to matter.
    """
    parts, scorer = question.parts, question.scorer
    top = top_parts(found.weights, min(TOP, max(1, parts.count // 2)))
    kept = top if found.chosen is None else found.chosen
    everything = np.ones(parts.count, dtype=bool)
    values = scorer.class_values(parts.compose(np.stack([everything, kept, ~kept, ~top])))
    full, kept_score, removed = map(float, scorer.of_classes(values[:3]))
    soft = float(scorer(parts.blend(soft_share(found.weights)))[0])
    course = curves(question.score, found.weights, parts.sizes)
    classes = scorer.outputs != "activations"
    probability = classes and scorer.score == "probability"
    measures: dict[str, float | None] = {
        "deletion": course.deletion_area,
        "insertion": course.insertion_area,
        "faithfulness": course.insertion_area - course.deletion_area,
        "drop": drop(full, soft) if probability else None,
        "increase": float(soft > full),
        "flip": float(values[3].argmax() != values[0].argmax()) if classes else None,
        "complexity": complexity(found.weights),
        "passes": float(found.passes),
        "seconds": found.seconds,
        **agreement(found.map, truth),
    }
    return MeasuredAttribution(kept, full, kept_score, removed, course, measures)


def agreement(area: np.ndarray, truth: np.ndarray | None) -> dict[str, float | None]:
    """How map (H, W) agrees with known cells (H, W); None where all or none are known."""
    if truth is None or truth.all() or not truth.any():
        return {"truth_area": None, "truth_mass": None}
    positive = np.maximum(area, 0.0)
    mass = positive[truth].sum() / positive.sum() if positive.any() else 0.0
    return {"truth_area": auroc(area.ravel(), truth.ravel()), "truth_mass": float(mass)}


def check(
    question: Question, method: Method, found: Attribution, seed: int
) -> dict[str, float | None]:
    """Stability over seeds and small changes of the input, and the model-randomisation check.

    The last (Adebayo et al. 2018) is |rank correlation| with the weights for the same network
    with the values of each weight tensor shuffled: an explanation of the model must not
    survive it. Takes up to 2 + 2 + 1 runs of the method.
    """
    again = range(1, REPEATS)
    seeds = [found.weights]
    if method.random and not found.details.get("exhaustive"):
        seeds += [attribute(question, method, seed + k).weights for k in again]
    inputs = [found.weights]
    for k in again:
        changed = question.parts.altered(SMALL_CHANGE, random_stream(seed, "small change", k))
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
        # Of the network itself: a rewritten one may hold copies of the weights.
        scorer = question.scorer.of_model(question.model_of(question.network))
        weights = attribute(replace(question, scorer=scorer), method, seed).weights
    return abs(rank_correlation(found.weights, weights))


@dataclass(frozen=True)
class Curves:
    """Scores as parts go, the weightiest first, and as they come.

    `share` (n + 1,) of the input's area touched, 0 to 1; `deletion` and `insertion` (n + 1,):
    the first from the full input to the fill, the second from the fill to the full input.
    """

    share: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve: small where the parts named first carry the score."""
        return float(np.trapezoid(self.deletion, self.share))

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve: large where they do."""
        return float(np.trapezoid(self.insertion, self.share))


def curves(score: SubsetScore, weights: np.ndarray, sizes: np.ndarray) -> Curves:
    """Deletion and insertion (Petsiuk, Das and Saenko 2018) of parts of weights (n,).

    `sizes` (n,) are the parts' areas. Equal weights go in the order of their number. 2n passes.
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
    """Which parts (n,) of booleans are the `top` weightiest; those without weight are not."""
    chosen = np.zeros(len(weights), dtype=bool)
    chosen[np.argsort(-weights, kind="stable")[:top]] = True
    return chosen & (weights > 0)


def soft_share(weights: np.ndarray) -> np.ndarray:
    """Weights (n,) as shares in 0..1 to keep of each part: the positive ones over the largest."""
    positive = np.maximum(weights, 0.0)
    return positive / max(float(positive.max(initial=0.0)), 1e-30)


def drop(full: float, kept: float) -> float:
    """Relative loss of a probability, 0..1 (average drop of Chattopadhyay et al. 2018)."""
    return max(full - kept, 0.0) / max(full, 1e-12)


def complexity(weights: np.ndarray) -> float:
    """Entropy of |weights| (n,) over its maximum ln n: 0 one part alone, 1 all alike.

    NaN where a weight is not finite.
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
    """Mean of each measure over the rows that have it; None where none has."""
    means: dict[str, float | None] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [v for row in rows if (v := row.get(key)) is not None and np.isfinite(v)]
        means[key] = float(np.mean(values)) if values else None
    return means
