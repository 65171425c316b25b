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

from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.classifiers.evaluation import evaluate
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.runs.progress import NullProgress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classifier", type=Path)
    parser.add_argument("corpus", nargs="+")
    arguments = parser.parse_args()
    classifier = load_classifier(arguments.classifier, torch.device("cpu"))
    corpus = read_corpora(arguments.corpus)
    split = load_log_mel_split(
        corpus, "test", classifier.sound, cache_directory(""), NullProgress()
    )
    evaluation = evaluate(classifier.network, split, classifier.threshold)
    print("  ".join(f"{name} {value:.4g}" for name, value in evaluation.figures.items()))
    for recording, figures in zip(split.recordings, evaluation.files, strict=True):
        area = "" if np.isnan(figures["auroc"]) else f"AUROC {figures['auroc']:.3f}"
        print(f"{recording.path.stem:40} frame error {figures['frame_error']:.3f}  {area}")


if __name__ == "__main__":
    main()
