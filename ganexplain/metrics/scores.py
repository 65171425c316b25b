"""How near a set of generated examples comes to real ones: every score, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, wasserstein_distance

from ganexplain.metrics.distances import (
    as_sample,
    densities,
    frechet_distance,
    frechet_distances,
    kernel_distance,
    kernel_distances,
    manifold_scores,
    nearest_distances,
    shell_distance,
)

COARSE = 5  # bands and frames to a cell where excerpts are compared directly


@dataclass(frozen=True)
class ScoreKind:
    """A column of a selection: its key, its title, what it says, and whether `low` is better."""

    key: str
    title: str
    meaning: str
    better: str


SCORES = {
    kind.key: kind
    for kind in (
        ScoreKind(
            "fid_response", "FID response",
            "Fréchet distance of the responses (the paper's)", "low",
        ),
        ScoreKind(
            "wasserstein", "Wasserstein", "earth mover's distance of the unit's responses", "low",
        ),
        ScoreKind("fid_features", "FID features", "Fréchet distance of a layer's features", "low"),
        ScoreKind("kid", "KID", "kernel distance of a layer's features, unbiased", "low"),
        ScoreKind("composite", "composite", "mean rank by FID response and nearest real", "low"),
        ScoreKind("precision", "precision", "share of examples among the real ones", "high"),
        ScoreKind("recall", "recall", "share of the real ones among the examples", "high"),
        ScoreKind("density", "density", "how thick real ones lie around the examples", "high"),
        ScoreKind("coverage", "coverage", "share of the real ones with an example near by", "high"),
        ScoreKind(
            "shell_distance", "shell distance",
            "how far |z| lies from what the prior draws (standard deviations; 0.8: as drawn)",
            "low",
        ),
        ScoreKind(
            "nearest_real", "nearest real",
            "RMS distance, in cells, to the nearest of the real ones compared with (0: a copy)",
            "low",
        ),
    )
}  # fmt: skip
RULES = {
    "fid-response": "fid_response",
    "fid-features": "fid_features",
    "kid": "kid",
    "wasserstein": "wasserstein",
    "composite": "composite",
}
# Of which the composite is the mean rank: the response, and the sound it is given for.
BLENDED = ("fid_response", "nearest_real")


@dataclass(frozen=True)
class Examples:
    """N examples: log-mel (N, F, T), responses (N,) and features (N, D); latents (N, Z) if any."""

    mel: np.ndarray
    response: np.ndarray
    features: np.ndarray
    latent: np.ndarray | None = None


def score_examples(examples: Examples, real: Examples) -> dict[str, float]:
    """All scores of `SCORES` but the composite, which compares settings.

    `shell_distance` only of examples with latents. Errors as `frechet_distance`.
    """
    scores = {
        "fid_response": frechet_distance(examples.response, real.response),
        "fid_features": frechet_distance(examples.features, real.features),
        "kid": kernel_distance(*_scaled(examples, real)),
        "wasserstein": float(wasserstein_distance(examples.response, real.response)),
        **manifold_scores(examples.features, real.features),
        "nearest_real": float(_nearest(examples, real).mean()),
    }
    if examples.latent is not None:
        scores["shell_distance"] = shell_distance(examples.latent)
    return scores


def composite(table: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mean rank (C, ...) by the scores of `BLENDED`, each (C, ...): 1 is the best of the C."""
    return np.mean([rankdata(table[name], axis=0) for name in BLENDED], axis=0)


def resampled_scores(examples: Examples, real: Examples, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (B,) of B resamples given as rows (B, N): those that rank but for the composite,
    and nearest real and density, which are means over examples.
    """
    response, features = as_sample(examples.response), as_sample(examples.features)
    counts = np.stack([np.bincount(row, minlength=len(response)) for row in rows]).astype(float)
    return {
        "fid_response": frechet_distances(response[rows], real.response),
        "fid_features": frechet_distances(features[rows], real.features),
        "kid": kernel_distances(*_scaled(examples, real), counts),
        "wasserstein": _wassersteins(response[:, 0], real.response, counts),
        "nearest_real": _nearest(examples, real)[rows].mean(axis=1),
        "density": densities(examples.features, real.features)[rows].mean(axis=1),
    }


def _scaled(examples: Examples, real: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Both sets' features in units of the real ones' root mean square.

    A cubic kernel is made for values near one, and layers differ by orders of magnitude.
    """
    theirs = as_sample(real.features)
    unit = np.sqrt(np.mean(theirs**2)) or 1.0
    return as_sample(examples.features) / unit, theirs / unit


def _wassersteins(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """1-D Wasserstein distances (B,) of order 1 between samples (N,) and (R,).

    Sample b repeats example i of the first `counts` (B, N) times. The distance is the area between
    both cumulative distributions.
    """
    whole = np.concatenate([first, second.astype(np.float64)])
    order = np.argsort(whole)
    weight = np.concatenate(
        [
            counts / counts.sum(axis=1, keepdims=True),
            np.full((len(counts), len(second)), -1 / len(second)),
        ],
        axis=1,
    )
    apart = np.abs(np.cumsum(weight[:, order], axis=1)[:, :-1])
    return np.asarray(apart @ np.diff(whole[order]))


def _nearest(examples: Examples, real: Examples) -> np.ndarray:
    return nearest_distances(_coarse(examples.mel), _coarse(real.mel))


def _coarse(mel: np.ndarray) -> np.ndarray:
    """Excerpts (N, F, T) averaged over cells, so that their Euclidean distance is an RMS one."""
    rows, columns = (max(size // COARSE, 1) for size in mel.shape[-2:])
    cut = mel[..., : rows * COARSE, : columns * COARSE].astype(np.float64)
    height, width = cut.shape[-2] // rows, cut.shape[-1] // columns
    cells = cut.reshape(len(mel), -1, rows, height, columns, width).mean(axis=(3, 5))
    return cells.reshape(len(mel), -1) / np.sqrt(cells[0].size)
