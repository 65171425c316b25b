"""Evaluates a classifier on a split: over all labelled frames, and for each file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from ganexplain.classifiers.base import ExcerptNet
from ganexplain.classifiers.prediction import (
    CHUNK_PICTURES,
    predict_frames,
    predict_pictures,
)
from ganexplain.corpora.interfaces import LabelledSplit
from ganexplain.corpora.recordings import UNLABELLED
from ganexplain.corpora.splits import Split
from ganexplain.errors import Diverged
from ganexplain.metrics.detection import (
    best_threshold,
    detection_figures,
    multiclass_figures,
    smooth,
)


@dataclass(frozen=True)
class Evaluation:
    """Figures of a split at a threshold, and those of each of its files."""

    figures: dict[str, float]
    threshold: float
    files: list[dict[str, float]]


def evaluate(network: ExcerptNet, split: LabelledSplit, threshold: float | None) -> Evaluation:
    """Evaluate on all labelled frames of a split; a threshold of None is chosen on the split.

    The protocol is that of Schlueter & Grill 2015 (method, section 2.3): median over 0.8 s.
    """
    curves, labels = labelled_curves(split, network)
    curve, label = np.concatenate(curves), np.concatenate(labels)
    if threshold is None:
        threshold = _best_threshold(curve, label)
    files = [_figures(c, y, threshold) for c, y in zip(curves, labels, strict=True)]
    return Evaluation(_figures(curve, label, threshold), threshold, files)


def choose_threshold(network: ExcerptNet, *splits: LabelledSplit) -> float:
    """The threshold with the highest accuracy over the labelled frames of several splits."""
    pairs = [pair for each in splits for pair in zip(*labelled_curves(each, network), strict=True)]
    curves, labels = zip(*pairs, strict=True)
    return _best_threshold(np.concatenate(curves), np.concatenate(labels))


@singledispatch
def labelled_curves(split: Any, network: ExcerptNet) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Probabilities (N, K) and classes (N,) of labelled inputs, treated as one recording."""
    labelled = split.labelled_frames()
    rows = labelled[np.arange(len(labelled))]
    chunks = np.split(rows, range(CHUNK_PICTURES, len(rows), CHUNK_PICTURES))
    curves = [predict_pictures(network, split.gather(each)) for each in chunks]  # few in memory
    return [_checked(np.concatenate(curves))], [rows[:, 2]]


@labelled_curves.register
def _of_excerpts(split: Split, network: ExcerptNet) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Smoothed probabilities (T, K) and classes (T,) of labelled frames, for each recording."""
    curves, labels = [], []
    for mel, label in zip(split.mels, split.labels, strict=True):
        curve = smooth(_checked(predict_frames(network, mel, split.front_end)))
        labelled = label != UNLABELLED
        curves.append(curve[labelled])
        labels.append(label[labelled])
    return curves, labels


def _checked(curve: np.ndarray) -> np.ndarray:
    if not np.isfinite(curve).all():
        raise Diverged("the network's outputs are no longer finite; lower --learning-rate")
    return curve


def _best_threshold(curve: np.ndarray, label: np.ndarray) -> float:
    return best_threshold(curve[:, 1], label == 1) if curve.shape[1] == 2 else 0.5


def _figures(curve: np.ndarray, label: np.ndarray, threshold: float) -> dict[str, float]:
    if curve.shape[1] > 2:
        return multiclass_figures(curve, label)
    return detection_figures(curve[:, 1], label == 1, threshold)


def figures_text(figures: dict[str, float]) -> str:
    """The two most important figures."""
    return f"frame error {100 * figures['frame_error']:.2f} %, AUROC {figures['auroc']:.3f}"
