"""LIME (Ribeiro, Singh and Guestrin 2016) with the settings of SLIME, and its reliability."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganexplain.attribution.masking import SubsetScore
from ganexplain.attribution.methods.base import Attribution, Method, Question
from ganexplain.errors import UsageError, check_known
from ganexplain.runs.machine import random_stream

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DISTANCES = ("cosine", "l2")
BLOCKS = 5  # independent sets of samples whose fits are compared
UNSHRUNK = 1e-9  # ridge that only makes a fit with vanishing kernel weights solvable
TOP = 3  # parts of an explanation (SLIME)
POOR_FIT, POOR_AGREEMENT = 0.5, 0.8
FEW_A_PART = 5.0  # effective samples for each part


@dataclass(frozen=True)
class Fit:
    """A weighted linear model of the score: weights (n,), intercept, and its weighted R^2.

    `local_error` is |model - score| at the full input.
    """

    weights: np.ndarray
    intercept: float
    r_squared: float
    local_error: float


@dataclass(frozen=True)
class LimeResult:
    """Weights (n,) of the parts and figures of their reliability.

    `effective_samples` = (sum w)^2 / sum w^2 of the kernel weights. `agreement` is the expected
    rank correlation with a run of another seed, from the fits on five separate fifths of the
    samples (Spearman-Brown for five times the length). `named` is the number of different parts
    among the first three of these fits (3: stable). An exhaustive run has no randomness: it has
    agreement 1, and `named` at most 3.
    """

    weights: np.ndarray
    intercept: float
    r_squared: float
    local_error: float
    effective_samples: float
    samples: int
    exhaustive: bool
    agreement: float
    named: int
    warnings: tuple[str, ...]


def lime(
    score: SubsetScore,
    count: int,
    samples: int = 2000,
    distance: str = "cosine",
    width: float = 0.25,
    ridge: float = 1.0,
    seed: int = 0,
) -> LimeResult:
    """Fit a linear model to the scores of random subsets near the full input.

    Args:
        score: function from subsets to scores.
        count: the number n of parts.
        samples: number of subsets, in which a part is kept with probability 1/2. All 2^n subsets
            are used instead if they are not more.
        distance: distance d to the full input: `cosine`, 1 - sqrt(kept / n), or `l2`, Euclidean.
        width: width of the kernel exp(-d^2 / (2 width^2)) that weights the subsets.
        ridge: penalty on the weights; an exhaustive run has none.
        seed: seed of the subsets.

    Raises:
        UsageError: the distance is unknown, or there are fewer than 10 samples.
    """
    subsets = score_subsets(score, count, samples, distance, width, seed)
    kept, scores, near = subsets.kept, subsets.scores, subsets.near
    if subsets.exhaustive:
        ridge = min(ridge, UNSHRUNK)  # its purpose is to reduce the noise of sampling
    fit = fit_linear(kept, scores, near, ridge)
    agreement, named = 1.0, min(TOP, count)
    if not subsets.exhaustive:
        parts = [slice(k, None, BLOCKS) for k in range(BLOCKS)]
        fits = [fit_linear(kept[p], scores[p], near[p], ridge).weights for p in parts]
        agreement, named = expected_agreement(np.array(fits)), distinct_top(np.array(fits))
    return LimeResult(
        fit.weights, fit.intercept, fit.r_squared, fit.local_error, subsets.effective, len(kept),
        subsets.exhaustive, agreement, named,
        (*_poor_fit(fit.r_squared), *subsets.warnings(agreement)),
    )  # fmt: skip


@dataclass(frozen=True)
class ScoredSubsets:
    """Subsets `kept` (B, n) with scores (B,) and kernel weights `near` (B,); the first is full.

    `exhaustive` says whether they are all subsets.
    """

    kept: np.ndarray
    scores: np.ndarray
    near: np.ndarray
    exhaustive: bool

    @property
    def effective(self) -> float:
        """The number of subsets of equal weight that would be as informative."""
        return float(self.near.sum() ** 2 / np.square(self.near).sum())

    def warnings(self, agreement: float) -> tuple[str, ...]:
        """Return warnings of too few subsets and of a low `agreement` of runs."""
        warnings, count = [], self.kept.shape[1]
        if self.effective < FEW_A_PART * count:
            more = "" if self.exhaustive else "more --samples, "
            warnings.append(
                f"only {self.effective:.0f} samples weigh in for {count} segments: take {more}"
                "a wider --width, or occlusion"
            )
        if not self.exhaustive and agreement < POOR_AGREEMENT:
            warnings.append(
                f"another seed would order the segments otherwise (expected rank correlation "
                f"{agreement:.2f}): take more --samples, or fewer segments"
            )
        return tuple(warnings)


def score_subsets(
    score: SubsetScore, count: int, samples: int, distance: str, width: float, seed: int
) -> ScoredSubsets:
    """Score random subsets, or all if these are not more; arguments and errors as of `lime`."""
    check_known("--distance", distance, DISTANCES)
    if samples < BLOCKS * 2:
        raise UsageError(f"--samples {samples}: at least {BLOCKS * 2} are needed")
    exhaustive = 2.0**count <= samples
    kept = all_subsets(count) if exhaustive else random_subsets(count, samples, seed)
    return ScoredSubsets(kept, score(kept), proximity(kept, distance, width), exhaustive)


def random_subsets(count: int, samples: int, seed: int) -> np.ndarray:
    """Return subsets (samples, n), each part kept with probability 1/2; the first is full."""
    kept = random_stream(seed, "lime").integers(0, 2, (samples, count)).astype(bool)
    kept[0] = True
    return kept


def all_subsets(count: int) -> np.ndarray:
    """Return all 2^n subsets (2^n, n), the full one first."""
    numbers = np.arange(2**count - 1, -1, -1)
    return (numbers[:, None] >> np.arange(count) & 1).astype(bool)


def proximity(kept: np.ndarray, distance: str, width: float) -> np.ndarray:
    """Return kernel weights (B,) of subsets (B, n)."""
    far = 1 - np.sqrt(kept.mean(axis=1)) if distance == "cosine" else np.sqrt((~kept).sum(axis=1))
    return np.exp(-np.square(far) / (2 * width**2))


def fit_linear(kept: np.ndarray, scores: np.ndarray, near: np.ndarray, ridge: float) -> Fit:
    """Regress scores (B,) on subsets (B, n), with sample weights `near` (B,) and an intercept."""
    x, total = kept.astype(np.float64), near.sum()
    x_mean, y_mean = near @ x / total, near @ scores / total
    centred, rest = x - x_mean, scores - y_mean
    gram = centred.T @ (centred * near[:, None])
    gram[np.diag_indices_from(gram)] += ridge
    weights = np.linalg.solve(gram, centred.T @ (near * rest))
    intercept = y_mean - x_mean @ weights
    left = near @ np.square(scores - x @ weights - intercept)
    spread = near @ np.square(rest)
    full = np.flatnonzero(kept.all(axis=1))
    error = abs(weights.sum() + intercept - scores[full[0]]) if full.size else np.nan
    r_squared = 1 - left / spread if spread > 1e-30 else 0.0
    return Fit(weights, float(intercept), float(r_squared), float(error))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation of weights (n,): 1 if both are constant, 0 if one is."""
    from scipy.stats import rankdata  # half a second

    a, b = rankdata(first), rankdata(second)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    if size == 0:
        return float(not (a.any() or b.any()))
    return float(a @ b / size)


def distinct_top(weights: np.ndarray, top: int = TOP) -> int:
    """Count the parts that are among the `top` largest of any row of weights (R, n)."""
    return len(np.unique(np.argsort(-weights, axis=1, kind="stable")[:, :top]))


def mean_correlation(weights: np.ndarray) -> float:
    """Return the mean rank correlation over all pairs of rows of weights (R, n)."""
    pairs = [(i, j) for i in range(len(weights)) for j in range(i)]
    return float(np.mean([rank_correlation(weights[i], weights[j]) for i, j in pairs]))


def expected_agreement(fits: np.ndarray) -> float:
    """Return the rank correlation of two runs, each as long as all rows of `fits` (R, n).

    By the formula of Spearman and Brown, from weights that are fitted separately to R parts.
    """
    short = max(mean_correlation(fits), 0.0)
    return len(fits) * short / (1 + (len(fits) - 1) * short)


def _poor_fit(r_squared: float) -> tuple[str, ...]:
    if r_squared >= POOR_FIT:
        return ()
    return (
        f"the weights explain only {100 * max(r_squared, 0):.0f} % of how the score varies: "
        "segments act together, not each by itself",
    )


@dataclass(frozen=True)
class Surrogate(Method):
    """A model of the score that is fitted to random subsets of the segments, near the full input.

    The fields of a fit are those of the attribution: `weights`, `warnings` and details.
    """

    samples: int
    distance: str
    width: float

    random = True

    def fit(self, score: SubsetScore, count: int, seed: int) -> DataclassInstance:
        """Return the fit to the scores of subsets of `count` parts."""
        raise NotImplementedError

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the weights, with the figures of the fit."""
        details = asdict(self.fit(question.score, question.parts.count, seed))
        weights, warnings = details.pop("weights"), details.pop("warnings")
        return Attribution.from_weights(question, weights, details=details, warnings=warnings)

    def passes(self, count: int) -> int:
        """Return one pass for each subset."""
        return min(self.samples, 2**count)


@dataclass(frozen=True)
class Lime(Surrogate):
    """Weights of a linear model of the score, fitted to random subsets of the segments."""

    ridge: float

    def fit(self, score: SubsetScore, count: int, seed: int) -> LimeResult:
        """Return the linear model."""
        return lime(score, count, self.samples, self.distance, self.width, self.ridge, seed)


METHOD = Lime
