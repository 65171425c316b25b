"""How near a set of generated examples comes to real ones: every score, and what it means."""

from __future__ import annotations

from dataclasses import dataclass


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
            "fid_response", "FID response", "Fréchet distance of the unit's responses"
            " (the paper's)",
            "low",
        ),
        ScoreKind(
            "wasserstein", "Wasserstein", "earth mover's distance of the unit's responses", "low",
        ),
        ScoreKind("fid_features", "FID features", "Fréchet distance of a layer's features", "low"),
        ScoreKind("kid", "KID", "kernel distance of a layer's features, unbiased", "low"),
        ScoreKind("composite", "composite", "mean rank by FID response and KID", "low"),
        ScoreKind("precision", "precision", "share of examples among the real ones", "high"),
        ScoreKind("recall", "recall", "share of the real ones among the examples", "high"),
        ScoreKind("density", "density", "how thick real ones lie around the examples", "high"),
        ScoreKind("coverage", "coverage", "share of the real ones with an example near by", "high"),
        ScoreKind(
            "shell_distance", "shell distance",
            "how far latents lie from those the prior draws, in standard deviations "
            "(0.8: as drawn)",
            "low",
        ),
        ScoreKind(
            "nearest_real", "nearest real",
            "RMS distance to the nearest real excerpt in cells of 5 x 5 "
            "(nat; near 0: learnt by heart)",
            "high",
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
