"""The scores that compare a set of generated examples with real ones, and their meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganexplain.metrics.distances import (
    as_sample,
    coarse_cells,
    densities,
    frechet_distances,
    gaussian_kernel,
    kernel_distances,
    latent_norm_error,
    manifold_scores,
    nearest_distances,
)
from ganexplain.metrics.prediction import Probe
from ganexplain.metrics.transport import sliced_distances, wasserstein_distances
from ganexplain.registry import Registry

BLENDED = ("fid_response", "nearest_real")  # the scores in the composite


@dataclass(frozen=True)
class Examples:
    """N examples: log-mel (N, F, T), responses (N,) and features (N, D); latents (N, Z) if any.

    `encoded` (N, E) is what the encoder of a prediction test makes of them, `path` (N,) their
    `path_similarity`.
    """

    mel: np.ndarray
    response: np.ndarray
    features: np.ndarray
    latent: np.ndarray | None = None
    encoded: np.ndarray | None = None
    path: np.ndarray | None = None


@dataclass(frozen=True)
class Comparison:
    """Examples and real ones to compare them with; values for several scores are computed once.

    With a `probe` it is tested what they predict.
    """

    examples: Examples
    real: Examples
    probe: Probe | None = None

    @cached_property
    def manifold(self) -> dict[str, float]:
        """`manifold_scores` of the features."""
        return manifold_scores(self.examples.features, self.real.features)

    @cached_property
    def scaled(self) -> tuple[np.ndarray, np.ndarray]:
        """The features of both sets, in units of the root mean square of the real ones.

        A cubic kernel needs values near one, and layers differ by orders of magnitude.
        """
        theirs = as_sample(self.real.features)
        unit = np.sqrt(np.mean(theirs**2)) or 1.0
        return as_sample(self.examples.features) / unit, theirs / unit

    @cached_property
    def nearest(self) -> np.ndarray:
        """Distance (N,) of each example to the nearest real one, in coarse cells."""
        return nearest_distances(coarse_cells(self.examples.mel), coarse_cells(self.real.mel))

    def scores(self) -> dict[str, float]:
        """All scores of `SCORES` that are defined for the examples.

        Raises ValueError as `frechet_distance`.
        """
        found = {key: score.of(self) for key, score in SCORES.items()}
        return {key: value for key, value in found.items() if value is not None}

    def resampled(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The scores (B,) with `resample` of B resamples, given as rows (B, N)."""
        found = {k: score.resample(self, rows) for k, score in SCORES.items() if score.resample}
        return {key: values for key, values in found.items() if values is not None}


@dataclass(frozen=True)
class ScoreKind:
    """A score of a selection.

    `compute` returns the score of examples, None if it is not defined for them; `resample` the
    scores (B,) of resamples, given as rows (B, N) of the examples, or None, and without `compute`
    that of all examples too. `rank` instead compares C settings: it returns their scores (C, ...)
    from the other scores (C, ...) by key.
    """

    key: str
    title: str
    meaning: str
    better: str  # `low` or `high`
    compute: Callable[[Comparison], float | None] | None = None
    resample: Callable[[Comparison, np.ndarray], np.ndarray | None] | None = None
    rank: Callable[[Mapping[str, np.ndarray]], np.ndarray] | None = None
    floor: float = 0.0  # the lowest possible score
    rule: str = ""  # its name in `select --by`, which needs `resample` or `rank`; empty for none

    def __post_init__(self) -> None:
        if self.rule and (self.better != "low" or not (self.resample or self.rank)):
            raise ValueError(f"{self.key}: a score with a rule needs better = low and resample")

    def of(self, pair: Comparison) -> float | None:
        """The score of examples; None if it is not defined for them."""
        if self.compute:
            return self.compute(pair)
        rows = np.arange(len(pair.examples.response))[None]
        values = self.resample(pair, rows) if self.resample else None
        return None if values is None else float(values[0])


def _counts(rows: np.ndarray) -> np.ndarray:
    """The number (B, N) of times that each example occurs in resamples, given as rows (B, N)."""
    return np.stack([np.bincount(row, minlength=rows.shape[1]) for row in rows]).astype(float)


def _latent_norm_error(pair: Comparison) -> float | None:
    latent = pair.examples.latent
    return None if latent is None else latent_norm_error(latent)


def _prediction_errors(pair: Comparison, rows: np.ndarray) -> np.ndarray | None:
    """Shares of wrong pairs (B,)."""
    if pair.probe is None or pair.examples.encoded is None:
        return None
    return pair.probe.errors(pair.examples.encoded, _counts(rows))


def _path_similarities(pair: Comparison, rows: np.ndarray) -> np.ndarray | None:
    path = pair.examples.path
    return None if path is None else np.asarray(path[rows].mean(axis=1))


def _manifold_score(
    key: str,
    meaning: str,
    resample: Callable[[Comparison, np.ndarray], np.ndarray | None] | None = None,
) -> ScoreKind:
    """A score of `manifold_scores`."""
    return ScoreKind(key, key, meaning, "high", lambda pair: pair.manifold[key], resample)


def composite(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mean rank (C, ...) by the scores in `BLENDED`, each (C, ...); 1 is the best of the C."""
    from scipy.stats import rankdata  # half a second

    return np.mean([rankdata(table[name], axis=0) for name in BLENDED], axis=0)


def _wassersteins(pair: Comparison, rows: np.ndarray) -> np.ndarray:
    return wasserstein_distances(pair.examples.response, pair.real.response, _counts(rows))


def _gaussian_distances(pair: Comparison, rows: np.ndarray) -> np.ndarray:
    return kernel_distances(*pair.scaled, _counts(rows), gaussian_kernel(pair.scaled[1]))


PREDICTION = "prediction"  # the rule that needs an encoder and validation excerpts
SCORES: Registry[ScoreKind] = Registry(
    ScoreKind,
    "ganexplain.scores",
    {
        score.key: score
        for score in (
            ScoreKind(
                "fid_response",
                "FID response",
                "Fréchet distance of the responses (the paper's)",
                "low",
                resample=lambda pair, rows: frechet_distances(
                    as_sample(pair.examples.response)[rows], pair.real.response
                ),
                rule="fid-response",
            ),
            ScoreKind(
                "wasserstein",
                "Wasserstein",
                "earth mover's distance of the unit's responses",
                "low",
                resample=_wassersteins,
                rule="wasserstein",
            ),
            ScoreKind(
                "fid_features",
                "FID features",
                "Fréchet distance of a layer's features",
                "low",
                resample=lambda pair, rows: frechet_distances(
                    as_sample(pair.examples.features)[rows], pair.real.features
                ),
                rule="fid-features",
            ),
            ScoreKind(
                "kid",
                "KID",
                "kernel distance of a layer's features, unbiased",
                "low",
                resample=lambda pair, rows: kernel_distances(*pair.scaled, _counts(rows)),
                floor=-np.inf,  # an unbiased estimate can be below zero
                rule="kid",
            ),
            ScoreKind(
                "kad",
                "KAD",
                "kernel distance of a layer's features with a Gaussian kernel, unbiased",
                "low",
                resample=_gaussian_distances,
                floor=-np.inf,
                rule="kad",
            ),
            ScoreKind(
                "sliced_wasserstein",
                "sliced W",
                "earth mover's distance of a layer's features, mean over directions",
                "low",
                resample=lambda pair, rows: sliced_distances(*pair.scaled, _counts(rows)),
                rule="sliced-wasserstein",
            ),
            ScoreKind(
                "composite",
                "composite",
                "mean rank by FID response and nearest real",
                "low",
                rank=composite,
                rule="composite",
            ),
            ScoreKind(
                "prediction_error",
                "prediction error",
                "share of pairs of the validation split for which the examples name the wrong one "
                "as the more exciting",
                "low",
                resample=_prediction_errors,
                rule=PREDICTION,
            ),
            _manifold_score("precision", "share of examples among the real ones"),
            _manifold_score("recall", "share of the real ones among the examples"),
            _manifold_score(
                "density",
                "how densely real ones surround the examples",
                lambda pair, rows: densities(pair.examples.features, pair.real.features)[rows].mean(
                    axis=1
                ),
            ),
            _manifold_score("coverage", "share of the real ones with an example near by"),
            ScoreKind(
                "path_similarity",
                "path",
                "how the examples run through the layers before the unit (1: as the strongest real "
                "ones, 0: as random ones)",
                "high",
                resample=_path_similarities,
                floor=-np.inf,
            ),
            ScoreKind(
                "shell_distance",
                "shell distance",
                "how far |z| is from its mean under the prior (standard deviations; 0.8: typical)",
                "low",
                _latent_norm_error,
            ),
            ScoreKind(
                "nearest_real",
                "nearest real",
                "RMS distance, in cells, to the nearest of the real ones compared with (0: a copy)",
                "low",
                lambda pair: float(pair.nearest.mean()),
                lambda pair, rows: pair.nearest[rows].mean(axis=1),
            ),
        )
    },
)


class _Rules(Mapping[str, str]):
    """The choices of `select --by`, and the keys of their scores."""

    def __getitem__(self, rule: str) -> str:
        return {score.rule: score.key for score in SCORES.values() if score.rule}[rule]

    def __iter__(self) -> Iterator[str]:
        return (score.rule for score in SCORES.values() if score.rule)

    def __len__(self) -> int:
        return len(list(iter(self)))


RULES = _Rules()
DEFAULT_RULE = "composite"
