"""What do the changes of searches bring to real excerpts, over the units of runs of `explain`?

    python tests/benchmarks/transfer_of_units.py RUN --corpus sample_data [--every 4]

Prints the shares that `select` calls `transfer`, for the last setting of each unit and direction.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.explanations import read_explanations
from ganexplain.artifacts.merging import explanation_files
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.metrics.transfer import GENERATED_ALONE, transferred_share
from ganexplain.networks.hooks import unit_response
from ganexplain.runs.machine import random_stream
from ganexplain.runs.progress import NullProgress

RANDOM = 64


def main() -> None:
    """Print the shares of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--corpus", action="append", required=True)
    parser.add_argument("--classifier", default="sample_data/pretrained/classifier.pt")
    parser.add_argument("--every", type=int, default=1, help="one of so many files")
    options = parser.parse_args()
    explained = load_classifier(Path(options.classifier), torch.device("cpu"))
    material = open_corpus(options.corpus)
    cache = cache_directory("")
    split = load_split(material, "train", explained.front_end, cache, NullProgress())
    centres = split.whole_excerpts(35)
    stream = random_stream(0, "transfer")
    real = split.gather(centres[stream.choice(len(centres), RANDOM, replace=False)])
    shares = []
    for path in explanation_files(options.run)[:: options.every]:
        made = read_explanations(path)
        with torch.no_grad(), unit_response(explained.network, made.meta.unit) as run:
            share = transferred_share(
                lambda inputs, run=run: run(torch.from_numpy(inputs)).numpy(),  # type: ignore[misc]
                made.arrays["mel"][-1],
                made.arrays["start_mel"],
                real,
                made.front_end.bounds,
            )
        shares.append(share)
        print(f"{made.meta.target.name}: {share:.2f}", flush=True)
    quarters = np.quantile(shares, (0, 0.25, 0.5, 0.75, 1))
    below = sum(share < GENERATED_ALONE for share in shares)
    print(f"{len(shares)} searches: {np.round(quarters, 2)}, {below} below {GENERATED_ALONE}")


if __name__ == "__main__":
    main()
