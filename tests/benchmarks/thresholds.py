"""Does a threshold hold from song to song better where scores are normalised, or hear more around?

    OMP_NUM_THREADS=1 python tests/benchmarks/thresholds.py sample_data/pretrained/classifier.pt \\
        --corpus CORPUS --corpus sample_data

Each rule changes the logits of a recording (smoothed, 0.8 s). Its threshold is the best one for the
validation recordings of all corpora together. Of the test recordings of each corpus: frame error
with it, that with the best threshold of all, and AUROC. For the scores as they are also with the
thresholds that have the least mean error over validation recordings or over both classes, and with
that of the checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d

from ganexplain.classifiers.checkpoint import Classifier, load_classifier
from ganexplain.classifiers.prediction import predict_frames
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.recordings import UNLABELLED
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.metrics.detection import auroc, smooth
from ganexplain.runs.progress import NullProgress

CERTAIN = 6.0  # logits, beyond which a frame says no more of those around it
Scores = list[tuple[np.ndarray, np.ndarray]]  # logits and whether somebody sings, (T,) each


def logit(probability: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probability, 1e-7, 1)) - np.log(np.clip(1 - probability, 1e-7, 1))


def around(seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    """The logits, and half the mean of those around."""
    frames = round(70 * seconds)

    def rule(x: np.ndarray) -> np.ndarray:
        return x + 0.5 * uniform_filter1d(np.clip(x, -CERTAIN, CERTAIN), frames, mode="nearest")

    return rule


def valley(x: np.ndarray) -> float:
    """The threshold that divides a song's logits best in two groups (Otsu 1979)."""
    heights, edges = np.histogram(x, 64)
    centres, weights = (edges[1:] + edges[:-1]) / 2, heights / heights.sum()
    below, moment = np.cumsum(weights), np.cumsum(weights * centres)
    between = (moment[-1] * below - moment) ** 2 / np.clip(below * (1 - below), 1e-9, None)
    return float(centres[between.argmax()])


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda x: x,
    "+ half the mean of 5 s around": around(5),
    "+ half the mean of 10 s around": around(10),
    "+ half the mean of 20 s around": around(20),
    "- a fifth of the song's mean": lambda x: x - 0.2 * x.mean(),
    "- a fifth of the song's 20th percentile": lambda x: x - 0.2 * np.percentile(x, 20),
    "- the song's valley, within 1 of 0": lambda x: x - np.clip(valley(x), -1, 1),
}


def scores_of(classifier: Classifier, corpus: str, part: str) -> Scores:
    split = load_log_mel_split(
        read_corpora([corpus]), part, classifier.sound, cache_directory(""), NullProgress()
    )
    curves = [
        smooth(predict_frames(classifier.network, mel, classifier.sound)[:, 1])
        for mel in split.mels
    ]
    return [(logit(c), label) for c, label in zip(curves, split.labels, strict=True)]


def labelled(scores: Scores, rule: Callable[[np.ndarray], np.ndarray]) -> Scores:
    known = [(rule(x), label) for x, label in scores]
    return [(x[y != UNLABELLED], y[y != UNLABELLED] == 1) for x, y in known]


def error(scores: Scores, threshold: float) -> float:
    x, sung = (np.concatenate(each) for each in zip(*scores, strict=True))
    return float(np.mean((x > threshold) != sung))


def of_both_classes(scores: Scores, threshold: float) -> float:
    x, sung = (np.concatenate(each) for each in zip(*scores, strict=True))
    return float(np.mean(x[sung] <= threshold) + np.mean(x[~sung] > threshold)) / 2


def of_songs(scores: Scores, threshold: float) -> float:
    return float(np.mean([np.mean((x > threshold) != sung) for x, sung in scores]))


def best(measure: Callable[[Scores, float], float], scores: Scores) -> float:
    grid = np.quantile(np.concatenate([x for x, _ in scores]), np.linspace(0, 1, 201))
    errors = np.array([measure(scores, threshold) for threshold in grid])
    least = np.flatnonzero(errors == errors.min())
    return float(grid[least[len(least) // 2]])


def row(name: str, tests: dict[str, Scores], rule: str, threshold: float) -> str:
    cells = []
    for each in tests.values():
        known = labelled(each, RULES[rule])
        x, sung = (np.concatenate(part) for part in zip(*known, strict=True))
        cells += [error(known, threshold), error(known, best(error, known)), auroc(x, sung)]
    return f"| {name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classifier", nargs="+", type=Path)
    parser.add_argument("--corpus", action="append", required=True)
    arguments = parser.parse_args()
    for path in arguments.classifier:
        classifier = load_classifier(path, torch.device("cpu"))
        valid = [s for c in arguments.corpus for s in scores_of(classifier, c, "valid")]
        tests = {c: scores_of(classifier, c, "test") for c in arguments.corpus}
        print(f"\n{path}\n\n| rule |" + "".join(f" {c}: error | best | AUROC |" for c in tests))
        print("|---|" + "---|---|---|" * len(tests))
        for rule in RULES:
            print(row(rule, tests, rule, best(error, labelled(valid, RULES[rule]))), flush=True)
        own = {"least mean over songs": of_songs, "least mean over classes": of_both_classes}
        for name, measure in own.items():
            print(row(name, tests, "as they are", best(measure, labelled(valid, lambda x: x))))
        own_threshold = float(logit(np.array(classifier.threshold)))
        print(row("of the checkpoint", tests, "as they are", own_threshold))


if __name__ == "__main__":
    main()
