"""How well does a classifier do on the test songs of a corpus it was not trained on?

    python tests/benchmarks/transfer.py runs/demo/classifier/classifier.pt CORPUS

Frame error, precision, recall and AUROC over all test frames of CORPUS, with the threshold
chosen on the classifier's own validation split, and the AUROC of each file with both classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import read_corpus
from ganexplain.data.excerpts import Split, load_split
from ganexplain.models.loading import load_classifier
from ganexplain.runtime import Silent
from ganexplain.stages.train_classifier import evaluate


def alone(split: Split, i: int) -> Split:
    return Split(
        split.recordings[i : i + 1], split.mels[i : i + 1], split.labels[i : i + 1], split.front_end
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classifier", type=Path)
    parser.add_argument("corpus", type=Path)
    arguments = parser.parse_args()
    classifier = load_classifier(arguments.classifier, torch.device("cpu"))
    corpus = read_corpus(arguments.corpus)
    split = load_split(corpus, "test", classifier.front_end, cache_directory(""), Silent())
    figures, _ = evaluate(classifier.network, split, classifier.threshold)
    print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    for i, recording in enumerate(split.recordings):
        figures, _ = evaluate(classifier.network, alone(split, i), classifier.threshold)
        area = "" if np.isnan(figures["auroc"]) else f"AUROC {figures['auroc']:.3f}"
        print(f"{recording.path.stem:40} frame error {figures['frame_error']:.3f}  {area}")


if __name__ == "__main__":
    main()
