"""How well a classifier does on a split: over all labelled frames, and file by file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganexplain.data.corpus import UNLABELLED
from ganexplain.data.excerpts import Split
from ganexplain.errors import Diverged
from ganexplain.metrics import best_threshold, detection_figures, multiclass_figures, smooth
from ganexplain.models.excerptnet import ExcerptNet
from ganexplain.models.prediction import predict_frames


@dataclass(frozen=True)
class Evaluation:
    """Figures over a split with the threshold they hold for, and those of each of its files."""

    figures: dict[str, float]
    threshold: float
    files: list[dict[str, float]]


def evaluate(network: ExcerptNet, split: Split, threshold: float | None) -> Evaluation:
    """Evaluate on all labelled frames of a split; the threshold is chosen here where None.

    With the protocol of Schlueter & Grill 2015 (method, section 2.3): median over 0.8 s.
    """
    curves, labels = [], []
    for mel, label in zip(split.mels, split.labels, strict=True):
        curve = smooth(predict_frames(network, mel, split.front_end))
        labelled = label != UNLABELLED
        curves.append(curve[labelled])
        labels.append(label[labelled])
    curve, label = np.concatenate(curves), np.concatenate(labels)
    if not np.isfinite(curve).all():
        raise Diverged("the network's outputs are no longer finite; lower --learning-rate")
    if threshold is None:
        two = curve.shape[1] == 2
        threshold = best_threshold(curve[:, 1], label == 1) if two else 0.5
    files = [_figures(c, y, threshold) for c, y in zip(curves, labels, strict=True)]
    return Evaluation(_figures(curve, label, threshold), threshold, files)


def _figures(curve: np.ndarray, label: np.ndarray, threshold: float) -> dict[str, float]:
    if curve.shape[1] > 2:
        return multiclass_figures(curve, label)
    return detection_figures(curve[:, 1], label == 1, threshold)


def figures_text(figures: dict[str, float]) -> str:
    """The two figures that say most."""
    return f"frame error {100 * figures['frame_error']:.2f} %, AUROC {figures['auroc']:.3f}"
